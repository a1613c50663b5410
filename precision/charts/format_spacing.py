"""The distance between neighbouring values of a format, by magnitude: a staircase."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from precision.charts.axes import log_axis
from precision.charts.frame import Info, Space, figure_of
from precision.charts.palette import OUTLINE, colour_of
from precision.findings.numbers import typed_text
from precision.formats import NumericFormat, format_named
from precision.formats.anatomy import ExactNumber
from precision.text.names import escape_plotly
from precision.text.units import number_text

_KIND = "Staircase of the spacing of neighbouring values against magnitude, both axes logarithmic"
_BESIDE = (("float32", "dash"), ("bfloat16", "dot"), ("float16", "dashdot"))
"""Formats drawn for comparison, with plotly's names for their dashes."""
_MARGIN_DECADES = 0.3


class Staircase(NamedTuple):
    """One format: the spacing from each magnitude on."""

    format: str
    dash: str
    magnitudes: tuple[float, ...]
    spacings: tuple[float, ...]


@dataclass(frozen=True)
class SpacingInfo(Info):
    """The numbers drawn."""

    stairs: tuple[Staircase, ...]
    """The format itself first."""
    typed: tuple[str, float, float] | None
    """Label, magnitude and spacing of a number in range; None where there is none to draw."""


def plot_format_spacing(fmt: NumericFormat, number: ExactNumber | None = None) -> go.Figure:
    """The distance to the next value, by magnitude: level below the smallest normal value, then doubling.

    A finite `number` other than zero, in the format's range, is marked on the staircase.
    """
    return figure_of(_KIND, _spacing_info(fmt, number), _draw)


def _spacing_info(fmt: NumericFormat, number: ExactNumber | None) -> SpacingInfo:
    others = [(format_named(name), dash) for name, dash in _BESIDE if name != fmt.name]
    top = math.ldexp(fmt.epsilon, fmt.max_exponent)
    return SpacingInfo(
        stairs=(_stairs(fmt, "solid"), *(_stairs(other, dash) for other, dash in others)),
        typed=_typed(fmt, number),
        title=f"{fmt.name}: {number_text(fmt.smallest_subnormal)} from value to value near zero, "
        f"{number_text(top)} at the top",
        detail=f"in its normal range a step is at most {number_text(fmt.epsilon)} of the value",
    )


def _stairs(fmt: NumericFormat, dash: str) -> Staircase:
    powers = range(fmt.min_exponent, fmt.max_exponent + 1)
    magnitudes = [fmt.smallest_subnormal, *(math.ldexp(1.0, power) for power in powers), fmt.max]
    spacings = [fmt.smallest_subnormal, *(math.ldexp(fmt.epsilon, power) for power in powers)]
    return Staircase(fmt.name, dash, tuple(magnitudes), (*spacings, spacings[-1]))


def _typed(fmt: NumericFormat, number: ExactNumber | None) -> tuple[str, float, float] | None:
    if number is None or not number.fraction:
        return None
    size = abs(number.fraction)
    if not fmt.smallest_subnormal <= size <= fmt.max:
        return None
    magnitude = float(size)
    power = max(math.frexp(magnitude)[1] - 1, fmt.min_exponent)
    return f"typed {typed_text(number)}", magnitude, math.ldexp(fmt.epsilon, power)


def _draw(figure: go.Figure, info: SpacingInfo) -> Space:
    own = info.stairs[0]
    for stairs in reversed(info.stairs):
        figure.add_scatter(
            x=np.asarray(stairs.magnitudes),
            y=np.asarray(stairs.spacings),
            mode="lines",
            line={
                "shape": "hv",
                "dash": stairs.dash,
                "width": 4 if stairs is own else 2,
                "color": colour_of(stairs.format) if stairs is own else OUTLINE,
            },
            name=stairs.format,
            hovertemplate="from %{x:.4g} on, %{y:.4g} apart<extra>" + escape_plotly(stairs.format) + "</extra>",
        )
    if info.typed:
        label, magnitude, spacing = info.typed
        figure.add_scatter(
            x=[magnitude],
            y=[spacing],
            mode="markers",
            marker={"symbol": "diamond-open", "size": 14, "color": OUTLINE, "line": {"width": 3}},
            name=escape_plotly(label),
            hovertemplate=f"{escape_plotly(label)}: neighbours {number_text(spacing)} apart<extra></extra>",
        )
    figure.update_layout(
        xaxis={
            **log_axis(own.magnitudes[0], own.magnitudes[-1], base=2, margin_decades=_MARGIN_DECADES),
            "title": "Magnitude of the value",
        },
        yaxis={
            **log_axis(own.spacings[0], own.spacings[-1], base=2, margin_decades=2 * _MARGIN_DECADES),
            "title": "Distance to the next value",
        },
    )
    return Space(footer=120, legend=True)
