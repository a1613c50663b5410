"""One way to put a figure on a page."""

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from pages.ui import state, view_state
from precision.charts.frame import alt_text, beside_each_other, config, is_empty, without_words
from precision.text.names import escape_markdown


def show(figure: go.Figure, *, key: str, **settings: Any) -> None:
    """Draw a figure of `precision.charts` below its title, with its description; if it is empty, say why.

    The title is text of the page, which is wrapped where the page ends, on any screen. A PNG of the figure is named
    after model, format and `key`. The `settings` are those of `st.plotly_chart`.
    """
    title, detail = without_words(figure)
    with st.container(gap="xxsmall"):
        st.markdown(f"**{escape_markdown(title)}**")
        if detail:
            st.caption(escape_markdown(detail))
        if not is_empty(figure):
            _draw(figure, key=key, **settings)


def show_beside_each_other(**figures: go.Figure) -> None:
    """Draw figures in columns, all drawings at one height: they keep their titles. Those that are empty only say why.

    Each figure's `key`, as of `show`, is its name here, with "_" for "-".
    """
    beside_each_other(*figures.values())
    for column, (name, figure) in zip(st.columns(len(figures)), figures.items(), strict=True):
        with column:
            (show if is_empty(figure) else _draw)(figure, key=name.replace("_", "-"))


def show_and_pick(figure: go.Figure, *, key: str, on_pick: Callable[[int], None]) -> None:
    """Draw a figure whose points can be clicked.

    Args:
        figure: of `precision.charts`.
        key: as in `show`.
        on_pick: called at each click, before the page is drawn again, with the first number of the point's
            `customdata`; not called for points without one.
    """

    def clicked() -> None:
        point = view_state.clicked_point(f"chart-{key}")
        if point is not None:
            on_pick(point)

    show(figure, key=key, on_select=clicked, selection_mode="points")


def _draw(figure: go.Figure, *, key: str, **settings: Any) -> None:
    png = f"{state.choice('model').strip(':')}-{state.choice('dtype')}-{key}"
    st.plotly_chart(figure, key=f"chart-{key}", config=config(png), alt=alt_text(figure), **settings)
