"""One way to put a figure on a page."""

from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st

from pages.ui import state, view_state
from precision.charts.frame import alt_text, beside_each_other, config


def show(figure: go.Figure, *, key: str) -> None:
    """Draw a figure of `precision.charts`, with its description; a PNG of it is named after model, format and `key`."""
    st.plotly_chart(figure, key=f"chart-{key}", config=_config(key), alt=alt_text(figure))


def show_beside_each_other(**figures: go.Figure) -> None:
    """As `show`, in columns, all drawings at one height; each figure's `key` is its name here, with "_" for "-"."""
    aligned = beside_each_other(*figures.values())
    for column, name, figure in zip(st.columns(len(figures)), figures, aligned, strict=True):
        with column:
            show(figure, key=name.replace("_", "-"))


def show_and_pick(figure: go.Figure, *, key: str, on_pick: Callable[[int], None]) -> None:
    """Draw a figure whose points can be clicked.

    Args:
        figure: of `precision.charts`.
        key: as in `show`.
        on_pick: called at each click, before the page is drawn again, with the first number of the point's
            `customdata`; not called for points without one.
    """
    name = f"chart-{key}"

    def clicked() -> None:
        point = view_state.clicked_point(name)
        if point is not None:
            on_pick(point)

    st.plotly_chart(
        figure, key=name, config=_config(key), alt=alt_text(figure), on_select=clicked, selection_mode="points"
    )


def _config(key: str) -> dict[str, object]:
    model = state.choice("model").strip(":")
    return config(f"{model}-{state.choice('dtype')}-{key}")
