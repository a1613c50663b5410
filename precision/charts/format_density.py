"""How many values a format has between one power of two and the next."""

import math
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from precision.charts.axes import log_axis
from precision.charts.frame import Info, Space, figure_of
from precision.charts.palette import OUTLINE, colour_of
from precision.formats import NumericFormat
from precision.text.units import count_text, number_text

_KIND = "Staircase of the number of values per power of two, both axes logarithmic"


@dataclass(frozen=True)
class DensityInfo(Info):
    """The numbers drawn."""

    format: str
    exponents: tuple[int, ...] = ()
    """Powers of two, ascending, without gaps."""
    counts: tuple[int, ...] = ()
    """Positive values v with 2^exponent ≤ v < 2^(exponent + 1)."""


def plot_format_density(fmt: NumericFormat) -> go.Figure:
    """The number of positive values of `fmt` in every binade; as many negative ones mirror them."""
    return figure_of(_KIND, _density_info(fmt), _draw)


def _density_info(fmt: NumericFormat) -> DensityInfo:
    lowest = fmt.min_exponent - fmt.mantissa_bits
    exponents = tuple(range(lowest, fmt.max_exponent + 1))
    full = 1 << fmt.mantissa_bits
    last = (fmt.max_code & (full - 1)) + 1
    counts = [1 << min(exponent - lowest, fmt.mantissa_bits) for exponent in exponents]
    counts[-1] = min(counts[-1], last)
    positive = fmt.max_code
    below_one = sum(count for exponent, count in zip(exponents, counts, strict=True) if exponent < 0)
    return DensityInfo(
        format=fmt.name,
        exponents=exponents,
        counts=tuple(counts),
        title=f"{fmt.name} has {count_text(full, 'value')} from each power of two to the next, "
        f"down to {number_text(fmt.smallest_normal)}",
        detail=f"{below_one / positive:.0%} of its {count_text(positive, 'positive value')} are below 1; "
        + ("the last power of two is not full" if last < full else "fewer below, where they are subnormal"),
    )


def _draw(figure: go.Figure, info: DensityInfo) -> Space:
    edges = [math.ldexp(1.0, exponent) for exponent in info.exponents]
    end = math.ldexp(1.0, min(info.exponents[-1] + 1, 1023))
    # A stair at the very top of float64 has no right edge that is a float: it ends where it begins.
    x = np.asarray([*edges, max(end, edges[-1])])
    figure.add_scatter(
        x=x,
        y=np.asarray([*info.counts, info.counts[-1]], dtype=np.float64),
        mode="lines",
        line={"shape": "hv", "color": OUTLINE, "width": 2},
        fill="tozeroy",
        fillcolor=colour_of(info.format),
        hovertemplate="%{y:,} values from %{x:.4g} to twice that<extra></extra>",
    )
    figure.update_layout(
        xaxis={**log_axis(float(x[0]), float(x[-1]), base=2, margin_decades=0.1), "title": "Magnitude of the value"},
        yaxis={**log_axis(0.7, 1.6 * max(info.counts), base=2), "title": "Values per power of two"},
    )
    return Space()
