"""What every figure has around its drawing: a wrapped title, a description for screen readers, margins, export.

A figure brings no background, font or text colour of its own: the page's theme gives them, in light and dark.
"""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

import plotly.graph_objects as go

from precision.charts.palette import OUTLINE, colour_of, pattern_of, text_on
from precision.text.names import escape_plotly

TITLE_CHARACTERS: Final = 48
"""A line of the title; what fits a phone 390 pixels wide."""
DETAIL_CHARACTERS: Final = 60
_TITLE_LINE_PX: Final = 20
_DETAIL_LINE_PX: Final = 17
_MAX_DETAIL_LINES: Final = 6


@dataclass(frozen=True, kw_only=True)
class Info:
    """The numbers that a chart draws, and what it says: in plain text."""

    title: str
    """The finding."""
    detail: str = ""
    """Smaller, below the title."""
    spoken: str = ""
    """For those who cannot see the figure, after the detail."""
    empty: str | None = None
    """Why there is nothing to draw; None where there is something."""


N = TypeVar("N", bound=Info)


class Space(NamedTuple):
    """What a drawing takes, in pixels."""

    plot_height: int = 320
    """Of the drawing alone."""
    footer: int = 56
    """For what stands below the drawing: axis title, legend."""
    right: int = 12
    """For what stands right of it."""
    above: int = 0
    """For what stands between it and the title."""
    legend: bool | None = False
    """Whether there is one; None: where there are several traces."""


def figure_of(kind: str, info: N, draw: Callable[[go.Figure, N], Space]) -> go.Figure:
    """A figure with a title, a description for those who cannot see it, and a size; without data, it says why.

    Args:
        kind: what is drawn, such as "Histogram of the absolute error"; only used in the description.
        info: the numbers.
        draw: adds them to the figure, and says how much space they take.
    """
    figure = go.Figure()
    if info.empty is None:
        words_px = _frame(figure, info.title, info.detail, draw(figure, info))
    else:
        text = "<br>".join(map(escape_plotly, textwrap.wrap(info.empty, TITLE_CHARACTERS)))
        font = {"size": 13}
        figure.add_annotation(text=text, showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5, font=font)
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False)
        words_px = _frame(figure, info.title, "", Space(100, footer=16))
    # Streamlit hands `meta` on untouched; nothing is drawn from it.
    below = info.empty or info.detail
    words = (info.title, below, words_px)
    alt = _sentence(kind, info.title, below, info.spoken)
    figure.update_layout(meta={"alt": alt, "words": words, "empty": bool(info.empty)})
    return figure


def _frame(figure: go.Figure, title: str, detail: str, space: Space) -> int:
    """Add all that is around a drawing; the height of the title and the detail."""
    title_lines = textwrap.wrap(title, TITLE_CHARACTERS)
    detail_lines = textwrap.wrap(detail, DETAIL_CHARACTERS, max_lines=_MAX_DETAIL_LINES, placeholder=" …")
    words_px = _TITLE_LINE_PX * len(title_lines) + _DETAIL_LINE_PX * len(detail_lines)
    header = 32 + words_px + space.above
    figure.update_layout(
        template=go.layout.Template(),
        title={
            "text": "<br>".join(map(escape_plotly, title_lines)),
            "font": {"size": 15},
            "subtitle": {"text": "<br>".join(map(escape_plotly, detail_lines)), "font": {"size": 12}},
            "x": 0,
            "xanchor": "left",
            "xref": "container",
            "y": 1,
            "yanchor": "top",
            "yref": "container",
            # Plotly centres the lines of a title on where the first should be.
            "pad": {"t": 10 + _TITLE_LINE_PX * (len(title_lines) - 1) / 2, "l": 2},
        },
        height=header + space.plot_height + space.footer,
        margin={"t": header, "b": space.footer, "l": 8, "r": space.right, "pad": 0},
        legend={
            "orientation": "h",
            "traceorder": "normal",
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
        },
        showlegend=space.legend,
        dragmode=False,
    )
    figure.update_xaxes(automargin=True, ticklabelstandoff=4)
    figure.update_yaxes(automargin=True, ticklabelstandoff=6)
    return words_px


def beside_each_other(*figures: go.Figure) -> None:
    """Change `figures` so that all drawings begin at the same height, however long their titles are."""
    top = max(figure.layout.margin.t for figure in figures)
    for figure in figures:
        figure.layout.height += top - figure.layout.margin.t
        figure.layout.margin.t = top


def without_words(figure: go.Figure) -> tuple[str, str]:
    """The title and the detail of `figure`, which is changed to leave them to the page around it."""
    title, detail, words_px = figure.layout.meta["words"]
    figure.update_layout(title=None, height=figure.layout.height - words_px, margin_t=figure.layout.margin.t - words_px)
    return title, detail


def is_empty(figure: go.Figure) -> bool:
    """Whether nothing is drawn, only said why."""
    return bool(figure.layout.meta["empty"])


def _sentence(kind: str, *sentences: str) -> str:
    return " ".join((kind + ":", *(sentence.rstrip(".") + "." for sentence in sentences if sentence)))


def alt_text(figure: go.Figure) -> str:
    """What a figure of this package shows, in a sentence: the `alt=` of `st.plotly_chart`."""
    return str(figure.layout.meta["alt"])


def config(filename: str = "precision-explorer") -> dict[str, Any]:
    """Plotly's settings for a figure on a page: PNG at twice the size, named `filename`, no logo, no upload."""
    return {
        "displaylogo": False,
        "showSendToCloud": False,
        "toImageButtonOptions": {"format": "png", "scale": 2, "filename": filename},
    }


def dot_marker(colour: str | list[str], symbol: str | list[str], *, size: int) -> dict[str, Any]:
    """Look of points: a filled one has a border that shows on both pages, an open one is its border.

    Colours and plotly's symbols are those of all, or of each; symbols of each may not be open ones.
    """
    is_open = isinstance(symbol, str) and symbol.endswith("-open")
    line = {"color": colour if is_open else OUTLINE, "width": 1.5}
    return {"symbol": symbol, "size": size, "color": colour, "line": line}


def marker(dtype: str) -> dict[str, Any]:
    """Fill of a format's bars, with a border that is visible on both pages."""
    return {
        "color": colour_of(dtype),
        "line": {"color": OUTLINE, "width": 1},
        "pattern": {
            "shape": pattern_of(dtype),
            "bgcolor": colour_of(dtype),
            "fgcolor": text_on(colour_of(dtype)),
            "size": 5,
        },
    }
