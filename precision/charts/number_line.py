"""A number among the values of a format that are nearest to it, however close they are."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import plotly.graph_objects as go

from precision.charts.frame import Info, Space, figure_of
from precision.charts.palette import OUTLINE, colour_of
from precision.formats import NumericFormat
from precision.formats.anatomy import ExactNumber, NumberAnatomy, dissect, values_around
from precision.text.names import escape_plotly, plain
from precision.text.units import number_text

_KIND = "Number line around one number, in steps of the format"
_EACH_SIDE = 6
"""Values drawn below and above the one that is stored."""
_MARGIN = 0.6
"""Free space at both ends, in steps."""
_ARROW_ROOM = 1.0
"""Free space beyond the last value for an arrow to a number farther off, in steps."""
_ARROWS: dict[int | None, str] = {None: "triangle-down", -1: "triangle-left", 1: "triangle-right"}
_LEAST_STEPS = 0.001
_TYPED_CHARACTERS = 28


@dataclass(frozen=True)
class NumberLineInfo(Info):
    """The numbers drawn; positions are in steps (ULP) from the stored value."""

    format: str
    values: tuple[float, ...]
    """Of the format, ascending; zero once."""
    positions: tuple[float, ...]
    """Of these values. Beyond the format's range they are counted from its last value."""
    stored: float | None
    """Position of what is stored; None where that is not finite."""
    typed: float | None
    """Position of the number itself; None where it is beyond the drawing."""
    beyond: Literal[-1, 1] | None
    """On which side it is then."""
    basin: tuple[float, float] | None
    """From halfway below to halfway above the stored value: what rounds to it."""
    label: str


def plot_number_line(number: ExactNumber, fmt: NumericFormat, *, saturate: bool = False) -> go.Figure:
    """The number typed, the value stored, the values beside it, and the range of all that rounds to the same value.

    NaN gives an empty figure. For `saturate` see `precision.formats.anatomy.encode`.
    """
    return figure_of(_KIND, _number_line_info(number, fmt, saturate=saturate), _draw)


def _number_line_info(number: ExactNumber, fmt: NumericFormat, *, saturate: bool) -> NumberLineInfo:
    anatomy = dissect(number, fmt, saturate=saturate)
    typed_text = plain(number.text, limit=_TYPED_CHARACTERS)
    if number.special == "nan":
        title = f"NaN in {fmt.name}"
        return NumberLineInfo(
            fmt.name, (), (), None, None, None, None, "", title=title, empty="NaN is not on the number line."
        )
    finite = math.isfinite(anatomy.value)
    end = math.copysign(fmt.max, -1 if number.negative else 1)
    origin = anatomy.value if finite else end
    values = values_around(origin, fmt, count=_EACH_SIDE)
    unit = Fraction(dissect(origin, fmt).spacing or 1)
    positions = tuple(float((Fraction(value) - Fraction(origin)) / unit) for value in values)
    typed = None if number.fraction is None else (number.fraction - Fraction(origin)) / unit
    shown = typed is not None and positions[0] - _MARGIN <= typed <= positions[-1] + _MARGIN
    at_end = number.fraction is not None and abs(number.fraction) > fmt.max
    drawn = typed is not None and (shown or (at_end and abs(typed) <= _EACH_SIDE))
    return NumberLineInfo(
        format=fmt.name,
        values=values,
        positions=positions,
        stored=0.0 if finite else None,
        typed=float(typed) if typed is not None and drawn else None,
        beyond=None if drawn else -1 if number.negative else 1,
        basin=_basin(positions) if finite else None,
        label=f"typed {typed_text}" + ("" if drawn else ", beyond this drawing"),
        title=_finding(typed_text, anatomy, steps=typed),
        detail=f"one step is {number_text(float(unit))}, the distance between neighbours here",
    )


def _basin(positions: tuple[float, ...]) -> tuple[float, float]:
    """Beyond the largest value there would be one more."""
    below = max((position for position in positions if position < 0), default=-1.0)
    above = min((position for position in positions if position > 0), default=1.0)
    return below / 2, above / 2


def _finding(typed: str, anatomy: NumberAnatomy, *, steps: Fraction | None) -> str:
    fmt = anatomy.format
    if not math.isfinite(anatomy.value):
        stored = "NaN" if math.isnan(anatomy.value) else "infinite"
        return f"{typed} becomes {stored} in {fmt}, beyond its largest value"
    if steps is None or anatomy.overflowed:
        return f"{typed} is cut off at {number_text(anatomy.value)}, the last value of {fmt}"
    if not steps:
        return f"{typed} is exact in {fmt}"
    off = number_text(float(abs(steps))) if abs(steps) >= _LEAST_STEPS else f"less than {_LEAST_STEPS}"
    return f"{typed} becomes {number_text(anatomy.value)} in {fmt}: off by {off} of a step"


def _draw(figure: go.Figure, info: NumberLineInfo) -> Space:
    if info.basin:
        _add_band(figure, info.basin, colour_of(info.format))
    figure.add_scatter(
        x=list(info.positions),
        y=[0] * len(info.positions),
        mode="markers",
        marker={"symbol": "line-ns", "size": 40, "line": {"color": OUTLINE, "width": 3}},
        customdata=[repr(value) for value in info.values],
        hovertemplate="%{customdata}<extra>value</extra>",
        name="values of the format",
    )
    ends = [*info.positions, *([] if info.typed is None else [info.typed])]
    low, high = min(ends) - _MARGIN, max(ends) + _MARGIN
    if info.beyond is not None:
        low, high = (low - _ARROW_ROOM, high) if info.beyond < 0 else (low, high + _ARROW_ROOM)
    _add_typed(figure, info, edge=low + _MARGIN / 2 if info.beyond == -1 else high - _MARGIN / 2)
    figure.update_layout(
        xaxis={
            "title": "Steps from the stored value" if info.stored is not None else "Steps from the last value",
            "range": [low, high],
            "nticks": 9,
            "showgrid": False,
            "zeroline": False,
        },
        yaxis={"visible": False, "range": [-0.7, 0.95]},
    )
    return Space(120, footer=110, legend=True)


def _add_typed(figure: go.Figure, info: NumberLineInfo, *, edge: float) -> None:
    figure.add_scatter(
        x=[edge if info.typed is None else info.typed],
        y=[0.68],
        mode="markers",
        marker={"symbol": _ARROWS[info.beyond], "size": 14, "color": OUTLINE},
        name=escape_plotly(info.label),
        hovertemplate=escape_plotly(info.label) + "<extra></extra>",
    )


def _add_band(figure: go.Figure, basin: tuple[float, float], colour: str) -> None:
    left, right = basin
    figure.add_scatter(
        x=[left, right, right, left, left],
        y=[-0.5, -0.5, 0.5, 0.5, -0.5],
        mode="lines",
        fill="toself",
        fillcolor=colour,
        opacity=0.55,
        line={"color": OUTLINE, "width": 1},
        name="all that rounds to the stored value",
        hoverinfo="skip",
    )
