"""One number in every format: how large the error of storing it is."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import plotly.graph_objects as go

from precision.charts.axes import log_axis, rows_axis
from precision.charts.frame import Info, Space, dot_marker, figure_of
from precision.charts.palette import colour_of
from precision.findings.numbers import error_text, fate_text, typed_text
from precision.formats.anatomy import ExactNumber
from precision.formats.number_in_format import NumberInFormat
from precision.text.names import escape_plotly, for_plotly
from precision.text.units import count_text, number_text

Group = Literal["exact", "rounded", "cut off", "lost"]

_KIND = "Dots of the relative error of one number in every format, logarithmic axis"
_ROW_PX = 22
_BEYOND_DECADES = 0.8
"""How far outside the errors the exact and the lost ones are drawn."""
_ALONE = (
    "In formats with scales the number sets the scale itself, as the largest of its block. That is the best case: "
    "type the largest value beside it to see another"
)
_LOOKS: dict[Group, tuple[str, str]] = {
    "exact": ("exact", "star"),
    "rounded": ("rounded", "circle"),
    "cut off": ("cut off at the largest value", "square"),
    "lost": ("not finite, or zero", "x"),
}
"""(name, plotly's symbol)."""


class _Dot(NamedTuple):
    format: str
    group: Group
    relative_error: float | None
    """None where it is `exact` or `lost`."""
    remark: str


@dataclass(frozen=True)
class FormatErrorsInfo(Info):
    """The numbers drawn."""

    dots: tuple[_Dot, ...] = ()


def plot_format_errors(number: ExactNumber, rows: Sequence[NumberInFormat]) -> go.Figure:
    """|stored - typed| / |typed| by format: exact at the left end; what became 0, infinite or NaN at the right.

    Formats in which the number sets its own scale are drawn, but not counted in the title: any number does well there.
    Zero, infinities and NaN have no relative error: an empty figure says so.
    """
    return figure_of(_KIND, _format_errors_info(number, rows), _draw)


def _format_errors_info(number: ExactNumber, rows: Sequence[NumberInFormat]) -> FormatErrorsInfo:
    typed = typed_text(number)
    if not number.fraction or not rows:
        reason = "Relative to zero, to an infinity or to NaN there is no error." if rows else "No format to compare."
        return FormatErrorsInfo(title=f"{typed} has no relative error", empty=reason)
    dots = tuple(map(_dot, rows))
    alone = sum(row.sets_scale for row in rows)
    counted = [dot for dot, row in zip(dots, rows, strict=True) if not row.sets_scale] or dots
    counts = Counter(dot.group for dot in counted)
    said = ", ".join(f"{group} in {counts[group]}" for group in _LOOKS if counts[group])
    which = " without scales" if len(counted) < len(dots) else ""
    title = f"{typed} is {said} of {count_text(len(counted), 'format')}{which}"
    return FormatErrorsInfo(dots, title=title, detail=_ALONE if alone else "")


def _dot(row: NumberInFormat) -> _Dot:
    stored = f"stored as {number_text(row.value)}"
    if row.exact:
        return _Dot(row.format, "exact", None, f"{stored}, exactly")
    if row.relative_error is None or not row.value:
        return _Dot(row.format, "lost", None, f"{stored}: {fate_text(row.fate)}")
    return _Dot(
        row.format,
        "cut off" if row.fate == "saturated" else "rounded",
        max(row.relative_error, sys.float_info.min),  # the least that a log axis can show
        f"{stored}, off by {error_text(row.relative_error, exact=False)} of it",
    )


def _draw(figure: go.Figure, info: FormatErrorsInfo) -> Space:
    errors = [dot.relative_error for dot in info.dots if dot.relative_error] or [1e-3]
    low, high = min(errors), max(errors)
    places: dict[Group, float] = {"exact": low / 10**_BEYOND_DECADES, "lost": high * 10**_BEYOND_DECADES}
    for group, (name, symbol) in _LOOKS.items():
        rows = [(at, dot) for at, dot in enumerate(info.dots) if dot.group == group]
        if not rows:
            continue
        figure.add_scatter(
            x=[places.get(group) or dot.relative_error for _, dot in rows],
            y=[at for at, _ in rows],
            mode="markers",
            name=name,
            marker=dot_marker([colour_of(dot.format) for _, dot in rows], symbol, size=12),
            customdata=[escape_plotly(dot.remark) for _, dot in rows],
            hovertemplate="%{customdata}<extra></extra>",
        )
    figure.update_layout(
        xaxis={
            **log_axis(low, high, margin_decades=2 * _BEYOND_DECADES),
            "title": "Relative error (exact: left end; lost: right end)",
        },
        yaxis=rows_axis([for_plotly(dot.format) for dot in info.dots], letters=11),
    )
    return Space(max(_ROW_PX * len(info.dots), 60), footer=108, legend=True)
