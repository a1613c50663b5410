"""What every figure has around its drawing: a wrapped title, a description for screen readers, margins, export.

A figure brings no background, font or text colour of its own: the page's theme gives them, in light and dark.
"""

import textwrap
from typing import Any, Final

import plotly.graph_objects as go

from precision.charts.palette import OUTLINE, colour_of, pattern_of, text_on
from precision.text.names import escape_plotly

TITLE_CHARACTERS: Final = 48
"""A line of the title; what fits a phone 390 pixels wide."""
DETAIL_CHARACTERS: Final = 60
_TITLE_LINE_PX: Final = 20
_DETAIL_LINE_PX: Final = 17
_MAX_DETAIL_LINES: Final = 6


def frame(
    figure: go.Figure,
    *,
    kind: str,
    title: str,
    detail: str = "",
    plot_height: int = 320,
    footer: int = 56,
    right: int = 12,
) -> go.Figure:
    """Give `figure` its title, its description for those who cannot see it, and its size.

    Args:
        figure: changed in place and returned.
        kind: what is drawn, such as "Histogram of the absolute error"; only used in the description.
        title: the finding, plain text.
        detail: smaller, below the title, plain text.
        plot_height: of the drawing alone, in pixels.
        footer: room for what stands below the drawing (axis title, legend), in pixels.
        right: room for what stands right of it, in pixels.
    """
    title_lines = textwrap.wrap(title, TITLE_CHARACTERS)
    detail_lines = textwrap.wrap(detail, DETAIL_CHARACTERS, max_lines=_MAX_DETAIL_LINES, placeholder=" …")
    header = 18 + _TITLE_LINE_PX * len(title_lines) + _DETAIL_LINE_PX * len(detail_lines) + 14
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
        height=header + plot_height + footer,
        margin={"t": header, "b": footer, "l": 8, "r": right, "pad": 0},
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
        dragmode=False,
        # Streamlit hands `meta` on untouched; nothing is drawn from it.
        meta={"alt": _sentence(kind, title, detail)},
    )
    figure.update_xaxes(automargin=True, ticklabelstandoff=4)
    figure.update_yaxes(automargin=True, ticklabelstandoff=6)
    return figure


def empty_figure(*, kind: str, title: str, reason: str) -> go.Figure:
    """A figure without data that says why there are none."""
    figure = go.Figure()
    figure.add_annotation(
        text="<br>".join(map(escape_plotly, textwrap.wrap(reason, TITLE_CHARACTERS))),
        showarrow=False,
        xref="paper",
        yref="paper",
        x=0.5,
        y=0.5,
        font={"size": 13},
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    frame(figure, kind=kind, title=title, plot_height=100, footer=16)
    figure.update_layout(meta={"alt": _sentence(kind, title, reason)})
    return figure


def beside_each_other(*figures: go.Figure) -> tuple[go.Figure, ...]:
    """`figures`, changed so that all drawings begin at the same height, however long their titles are."""
    top = max(figure.layout.margin.t for figure in figures)
    for figure in figures:
        figure.layout.height += top - figure.layout.margin.t
        figure.layout.margin.t = top
    return figures


def _sentence(kind: str, title: str, detail: str) -> str:
    parts = (kind + ":", title.rstrip(".") + ".", detail.rstrip(".") + "." if detail else "")
    return " ".join(part for part in parts if part)


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

    Args:
        colour: of all, or of each.
        symbol: plotly's name, of all, or of each where none is open.
        size: in pixels.
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
