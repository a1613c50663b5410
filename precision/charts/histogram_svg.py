"""The distribution of an output's error as a small picture, for places without plotly.js."""

from html import escape

from precision.charts.error_histogram import HistogramInfo, _histogram_info
from precision.charts.palette import colour_of
from precision.results import OutputComparison
from precision.text.names import plain
from precision.text.units import count_text, number_text

WIDTH, HEIGHT = 480, 130
_TOP, _BOTTOM = 22, 24
"""Pixels above the bars, for the title, and below, for the axis."""


def histogram_svg(output: OutputComparison, dtype: str) -> str:
    """The absolute errors of one output on a logarithmic axis, as an `<svg>` element.

    Exact zeros are counted in the title, not drawn. Without errors, only the reason is written.
    """
    return _drawn(_histogram_info(output, dtype, kind="absolute"))


def _drawn(info: HistogramInfo) -> str:
    said = info.title if info.empty is None else f"{info.title}: {info.empty}"
    zeros = f"; {count_text(info.zeros, 'exact zero')}" if info.zeros else ""
    title = escape(plain(said + zeros, limit=120))
    bars, axis = _bars(info), ""
    if bars:
        low, high = (escape(number_text(edge)) for edge in (info.edges[0], info.edges[-1]))
        y = HEIGHT - 8
        axis = (
            f'<text x="0" y="{y}">{low}</text>'
            f'<text x="{WIDTH / 2}" y="{y}" text-anchor="middle">absolute error, logarithmic axis</text>'
            f'<text x="{WIDTH}" y="{y}" text-anchor="end">{high}</text>'
        )
    height = HEIGHT if bars else _TOP
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    look = 'font-family="sans-serif" font-size="11" fill="currentColor"'
    heading = f'<text x="0" y="13">{title}</text>'
    return f'<svg role="img" aria-label="{title}" {size} {look}>{heading}{bars}{axis}</svg>'


def _bars(info: HistogramInfo) -> str:
    """One rectangle for each bin, all of one width: on a logarithmic axis bins are nearly equally wide."""
    highest = max(info.counts, default=0)
    if not highest:
        return ""
    step, room = WIDTH / len(info.counts), HEIGHT - _TOP - _BOTTOM
    heights = [room * count / highest for count in info.counts]
    bars = (
        f'<rect x="{at * step:.2f}" y="{_TOP + room - tall:.2f}" width="{step - 0.4:.2f}" height="{tall:.2f}"/>'
        for at, tall in enumerate(heights)
        if tall
    )
    return f'<g fill="{colour_of(info.dtype)}">{"".join(bars)}</g>'
