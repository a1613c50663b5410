"""The distribution of an output's error as a small picture, for places without plotly.js."""

import math
from collections.abc import Sequence
from html import escape
from itertools import chain, pairwise

from precision.charts.error_histogram import HistogramInfo, _histogram_info
from precision.charts.palette import OUTLINE, colour_of
from precision.results import OutputComparison
from precision.text.names import plain
from precision.text.units import count_text, number_text

WIDTH, HEIGHT = 480, 130
_TOP, _BOTTOM = 22, 24
"""Pixels above the bars, for the title, and below, for the axis."""


def histogram_svg(output: OutputComparison, dtype: str) -> str:
    """The absolute errors of one output on a logarithmic axis, as an `<svg>` element.

    Only rounding the output is an outline. Exact zeros and errors below the axis are counted in the title, not drawn.
    Without errors, only the reason is written.
    """
    return _drawn(_histogram_info((output, dtype), kind="absolute"))


def _drawn(info: HistogramInfo) -> str:
    said = info.title if info.empty is None else f"{info.title}: {info.empty}"
    if info.spreads:
        spread = info.spreads[0]
        said += f"; {count_text(spread.zeros, 'exact zero')}" if spread.zeros else ""
        said += f"; {spread.below:,} below the axis" if spread.below else ""
    title = escape(plain(said, limit=120))
    bars, axis = "", ""
    if info.ends:
        bars = _bars(info, *info.ends)
        low, high = (escape(number_text(end)) for end in info.ends)
        y = HEIGHT - 8
        outline = "; dotted: rounding alone" if info.spreads[-1].is_floor else ""
        axis = (
            f'<text x="0" y="{y}">{low}</text>'
            f'<text x="{WIDTH / 2}" y="{y}" text-anchor="middle">absolute error, logarithmic axis{outline}</text>'
            f'<text x="{WIDTH}" y="{y}" text-anchor="end">{high}</text>'
        )
    height = HEIGHT if bars else _TOP
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    look = 'font-family="sans-serif" font-size="11" fill="currentColor"'
    heading = f'<text x="0" y="13">{title}</text>'
    return f'<svg role="img" aria-label="{title}" {size} {look}>{heading}{bars}{axis}</svg>'


def _bars(info: HistogramInfo, low: float, high: float) -> str:
    """A rectangle for each bin that is not empty, and a dotted line for rounding alone."""
    room, decades, highest = HEIGHT - _TOP - _BOTTOM, math.log(high) - math.log(low), max(chain(*info.heights))
    drawn = []
    for spread, heights in zip(info.spreads, info.heights, strict=True):
        places = [WIDTH * (math.log(edge) - math.log(low)) / decades for edge in spread.edges]
        bins = [(x, end - x, room * tall / highest) for (x, end), tall in zip(pairwise(places), heights, strict=True)]
        drawn.append(_outline(bins) if spread.is_floor else _filled(bins, colour_of(spread.name)))
    return "".join(drawn)


def _filled(bins: Sequence[tuple[float, float, float]], colour: str) -> str:
    rectangles = (
        f'<rect x="{x:.2f}" y="{HEIGHT - _BOTTOM - tall:.2f}" width="{wide:.2f}" height="{tall:.2f}"/>'
        for x, wide, tall in bins
        if tall
    )
    return f'<g fill="{colour}">{"".join(rectangles)}</g>'


def _outline(bins: Sequence[tuple[float, float, float]]) -> str:
    path = "".join(f"V{HEIGHT - _BOTTOM - tall:.2f}h{wide:.2f}" for _, wide, tall in bins)
    start = f"M{bins[0][0]:.2f} {HEIGHT - _BOTTOM}" if bins else "M0 0"
    return f'<path d="{start}{path}V{HEIGHT - _BOTTOM}" fill="none" stroke="{OUTLINE}" stroke-dasharray="2 2"/>'
