"""All values of a narrow format on one line, and a number among them."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import plotly.graph_objects as go

from precision.charts.frame import Info, Space, figure_of
from precision.charts.palette import OUTLINE, colour_of
from precision.findings.numbers import typed_text
from precision.formats import NumericFormat
from precision.formats.anatomy import ExactNumber, NumberAnatomy, finite_values
from precision.text.names import escape_plotly
from precision.text.units import number_text

ValueScale = Literal["logarithmic", "linear"]

MAX_BITS = 8
"""Values of wider formats would overlap on a screen."""
_KIND = "Number line with a tick for every finite value"
_TICK_PX, _SHORT_TICK_PX = 34, 18
_LEAST_GAP = 0.09
"""Between labels, as a share of the axis."""
_BEYOND = 1.04
"""Where a number beyond the ends is drawn, in units of the line's half length."""


class _Mark(NamedTuple):
    label: str
    symbol: str
    positions: tuple[float, ...]


@dataclass(frozen=True)
class FormatValuesInfo(Info):
    """The numbers drawn; positions are on the axis."""

    format: str
    normal: tuple[tuple[float, float], ...]
    """(position, value)."""
    subnormal: tuple[tuple[float, float], ...]
    """These, and zero."""
    marks: tuple[_Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    end: float
    """Position of the largest value."""
    scale: ValueScale


def plot_format_values(
    fmt: NumericFormat, number: ExactNumber, anatomy: NumberAnatomy, *, scale: ValueScale = "logarithmic"
) -> go.Figure:
    """Every finite value of `fmt`, the number typed, what is stored of it, and its two neighbours.

    The logarithmic axis is linear between the smallest normal values, where the values are evenly spaced. A number
    beyond the largest value is drawn at the end; NaN is not drawn. Formats of more than `MAX_BITS` bits give an empty
    figure.
    """
    return figure_of(_KIND, _format_values_info(fmt, number, anatomy, scale=scale), _draw)


def _format_values_info(
    fmt: NumericFormat, number: ExactNumber, anatomy: NumberAnatomy, *, scale: ValueScale
) -> FormatValuesInfo:
    if fmt.bits > MAX_BITS:
        reason = f"{fmt.name} has {2 * fmt.max_code + 1:,} values, too many for one line."
        return FormatValuesInfo(fmt.name, (), (), (), (), 0.0, scale, title=f"The values of {fmt.name}", empty=reason)
    values = finite_values(fmt)
    placed = [(_position(value, fmt, scale), value) for value in values]
    return FormatValuesInfo(
        format=fmt.name,
        normal=tuple(pair for pair in placed if abs(pair[1]) >= fmt.smallest_normal),
        subnormal=tuple(pair for pair in placed if abs(pair[1]) < fmt.smallest_normal),
        marks=_marks(fmt, number, anatomy, scale),
        ticks=_ticks(fmt, scale),
        end=_position(fmt.max, fmt, scale),
        scale=scale,
        title=_finding(fmt, values),
        detail="long ticks: normal values; short ticks: zero and the subnormal ones",
    )


def _finding(fmt: NumericFormat, values: tuple[float, ...]) -> str:
    positive = values[fmt.max_code + 1 :]
    middle = positive[math.ceil((2 * fmt.max_code - 1) / 4) - 1]
    return f"Half of the {len(values)} values of {fmt.name} lie within ±{number_text(middle)}"


def _position(value: float, fmt: NumericFormat, scale: ValueScale) -> float:
    if scale == "linear":
        return value
    size = abs(value) / fmt.smallest_normal
    return math.copysign(size if size < 1 else 1 + math.log2(size), value)


def _marks(fmt: NumericFormat, number: ExactNumber, anatomy: NumberAnatomy, scale: ValueScale) -> tuple[_Mark, ...]:
    end = _position(fmt.max, fmt, scale)
    marks = []
    neighbours = [value for value in (anatomy.below, anatomy.above) if value is not None and math.isfinite(value)]
    if neighbours:
        label = "neighbours " + " and ".join(map(number_text, neighbours))
        marks.append(_Mark(label, "circle-open", tuple(_position(value, fmt, scale) for value in neighbours)))
    if math.isfinite(anatomy.value):
        label = f"stored {number_text(anatomy.value)}"
        marks.append(_Mark(label, "diamond", (_position(anatomy.value, fmt, scale),)))
    if number.special == "nan":
        return tuple(marks)
    typed = f"typed {typed_text(number)}"
    inside = number.fraction is not None and abs(number.fraction) <= fmt.max
    if inside and number.fraction is not None:
        marks.append(_Mark(typed, "triangle-down", (_position(float(number.fraction), fmt, scale),)))
    else:
        at = math.copysign(_BEYOND * end, -1 if number.negative else 1)
        marks.append(_Mark(f"{typed}, beyond the end", f"triangle-{'left' if at < 0 else 'right'}", (at,)))
    return tuple(marks)


def _ticks(fmt: NumericFormat, scale: ValueScale) -> tuple[tuple[float, str], ...]:
    """Labels that do not overlap; the important ones have priority."""
    end = _position(fmt.max, fmt, scale)
    powers = [math.ldexp(1.0, power) for power in range(fmt.max_exponent, fmt.min_exponent, -1)]
    sizes = [0.0, fmt.max, fmt.smallest_normal, *([1.0] if fmt.smallest_normal <= 1 <= fmt.max else []), *powers]
    kept: list[tuple[float, str]] = []
    for value in (sign * size for size in sizes for sign in ((1, -1) if size else (1,))):
        at = _position(value, fmt, scale)
        if all(abs(at - other) >= 2 * _LEAST_GAP * end for other, _ in kept):
            kept.append((at, number_text(value).replace("-", "−")))
    return tuple(sorted(kept))


def _draw(figure: go.Figure, info: FormatValuesInfo) -> Space:
    for name, pairs, size in (("normal", info.normal, _TICK_PX), ("subnormal", info.subnormal, _SHORT_TICK_PX)):
        figure.add_scatter(
            x=[at for at, _ in pairs],
            y=[0] * len(pairs),
            mode="markers",
            marker={"symbol": "line-ns", "size": size, "line": {"color": OUTLINE, "width": 1.2}},
            customdata=[number_text(value) for _, value in pairs],
            hovertemplate="%{customdata}" + f"<extra>{name}</extra>",
            showlegend=False,
        )
    _add_marks(figure, info)
    linear = info.scale == "linear"
    figure.update_layout(
        xaxis={
            "title": "Value" if linear else "Value (logarithmic; linear between the short ticks)",
            "range": [-1.08 * info.end, 1.08 * info.end],
            "tickvals": [at for at, _ in info.ticks],
            "ticktext": [text for _, text in info.ticks],
            "showgrid": False,
            "zeroline": False,
        },
        yaxis={"visible": False, "range": [-0.9, 0.9]},
    )
    return Space(120, footer=110, legend=True)


def _add_marks(figure: go.Figure, info: FormatValuesInfo) -> None:
    for mark in info.marks:
        height = {"diamond": 0, "circle-open": -0.55}.get(mark.symbol, 0.55)
        colour = OUTLINE if mark.symbol != "diamond" else colour_of(info.format)
        figure.add_scatter(
            x=list(mark.positions),
            y=[height] * len(mark.positions),
            mode="markers",
            name=escape_plotly(mark.label),
            marker={
                "symbol": mark.symbol,
                "size": 13,
                "color": colour,
                "line": {"color": OUTLINE, "width": 2 if mark.symbol == "circle-open" else 1.5},
            },
            hovertemplate=escape_plotly(mark.label) + "<extra></extra>",
        )
