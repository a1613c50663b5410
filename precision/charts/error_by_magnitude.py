"""Absolute error against the reference's magnitude, as counts on two logarithmic axes."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from precision.charts.axes import colour_axis, log_axis, power_text
from precision.charts.error_spread import left_out, no_errors_because
from precision.charts.frame import Info, Space, figure_of
from precision.charts.palette import GROUND, ON_GROUND
from precision.formats import NumericFormat, any_format_named, ulp_format
from precision.results import Histogram2D, OutputComparison
from precision.text.names import plain
from precision.text.units import count_text, number_text

_KIND = "Heatmap of the absolute error against the reference's magnitude, logarithmic axes"
_RELATIVE_ERRORS = tuple(10.0**power for power in range(-16, 3))
_MAX_GUIDES = 4
_HAIR_DECADES = 1e-6
"""Margin of the axes: plotly hides the label of a guide that ends outside its axis, even by a rounding error."""
_LEAST_VISIBLE = 0.15
"""A guide that crosses less than this share of the width is left out."""
_ENOUGH_FOR_A_TREND = 100
"""With fewer elements that have an error, the title names no trend."""
_STEADY = (0.7, 1.3)
"""Slopes of log error over log magnitude at which the relative error counts as steady."""


class Guide(NamedTuple):
    """A line to compare the cells with: a relative error is a straight line, an ULP a staircase."""

    label: str
    stepped: bool
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class MagnitudeInfo(Info):
    """The numbers drawn."""

    x_edges: tuple[float, ...] = ()
    y_edges: tuple[float, ...] = ()
    counts: tuple[tuple[int, ...], ...] = ()
    zero_error: tuple[int, ...] = ()
    guides: tuple[Guide, ...] = ()


def plot_error_by_magnitude(output: OutputComparison, dtype: str) -> go.Figure:
    """Whether large values have large errors; exact elements are in a strip of their own below.

    NaN and infinite pairs, and elements whose reference is zero, are not drawn but counted below the title. One ULP of
    `dtype`, the candidate's format, is drawn as a guide.

    Raises:
        InputError: no such format.
    """
    return figure_of(_KIND, _magnitude_info(output, dtype), _draw)


def _magnitude_info(output: OutputComparison, dtype: str) -> MagnitudeInfo:
    pairs = output.distributions.error_by_magnitude if output.distributions else None
    drawn = 0 if pairs is None else sum(map(sum, pairs.counts)) + sum(pairs.zero_error)
    if pairs is None or not drawn:
        reason = no_errors_because(output)
        if pairs is not None and pairs.zero_reference:
            reason = "Every reference is zero, which a logarithmic axis cannot show."
        return MagnitudeInfo(title=f"{plain(output.path)}: no magnitudes to compare", empty=reason)
    guides = _guides(pairs, dtype)
    return MagnitudeInfo(
        x_edges=pairs.x_edges,
        y_edges=pairs.y_edges,
        counts=pairs.counts,
        zero_error=pairs.zero_error,
        guides=guides,
        title=_finding(pairs),
        detail=_detail(output, pairs, guides, dtype),
    )


def _detail(output: OutputComparison, pairs: Histogram2D, guides: tuple[Guide, ...], dtype: str) -> str:
    parts = [left_out(output.metrics)]
    if pairs.below:
        parts.append(f"{pairs.below:,} smaller ones not drawn")
    if pairs.zero_reference:
        parts.append(f"{pairs.zero_reference:,} with a reference of zero not drawn")
    if any(not guide.stepped for guide in guides):
        parts.append("dashed: equal relative error")
    if any(guide.stepped for guide in guides):
        parts.append(f"dotted: 1 ULP of {plain(dtype)}")
    parts.append("colour: number of elements; darkest: none")
    return "; ".join(parts)


def _finding(pairs: Histogram2D) -> str:
    exact, rest = sum(pairs.zero_error), sum(map(sum, pairs.counts))
    if not rest:
        return f"Exact: all {exact:,} errors are zero"
    slope = _slope(pairs) if rest >= _ENOUGH_FOR_A_TREND else None
    if slope is None:
        return f"Error against magnitude, {count_text(rest, 'element')}"
    if slope > _STEADY[1]:
        return "Errors grow faster than the values"
    if slope > _STEADY[0]:
        return "Errors grow with the values: a steady relative error"
    if slope < 0.3:
        return "Errors do not grow with the values: small values suffer most"
    return "Errors grow more slowly than the values"


_FEW = 0.01
"""The trend leaves out this share of the elements at each end of the magnitudes."""


def _slope(pairs: Histogram2D) -> float | None:
    """Least-squares slope of log error over log magnitude, bins weighted by count; None within a factor of 4."""
    counts = np.asarray(pairs.counts, dtype=np.float64)
    x, y = _log_centres(pairs.x_edges), _log_centres(pairs.y_edges)
    per_x = counts.sum(axis=0)
    below = np.cumsum(per_x) / per_x.sum()
    # A few elements many decades away from all others would decide the slope alone.
    counts[:, (below < _FEW) | (below - per_x / per_x.sum() > 1 - _FEW)] = 0
    per_x = counts.sum(axis=0)
    total = per_x.sum()
    x_deviation = x - (per_x @ x) / total
    variance = per_x @ x_deviation**2 / total
    if math.sqrt(variance) * 2 < math.log10(4):
        return None
    return float((y @ counts @ x_deviation) / total / variance)


def _log_centres(edges: tuple[float, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    logs = np.log10(np.asarray(edges, dtype=np.float64))
    return np.asarray((logs[:-1] + logs[1:]) / 2)


def _guides(pairs: Histogram2D, dtype: str) -> tuple[Guide, ...]:
    """The format's ULP and a few relative errors, cut to the drawn area; none where there are only exact elements."""
    if not any(map(any, pairs.counts)):
        return ()
    low, high = pairs.x_edges[0], pairs.x_edges[-1]
    inside = (pairs.y_edges[0], pairs.y_edges[-1])
    crossing = [r for r in _RELATIVE_ERRORS if r * high > inside[0] and r * low < inside[1]]
    step = max(1, math.ceil(len(crossing) / _MAX_GUIDES))
    lines = [_relative_guide(r, (low, high), inside) for r in crossing[::step]]
    if fmt := ulp_format(any_format_named(dtype)):
        lines.append(_ulp_guide(fmt, (low, high), inside))
    return tuple(line for line in lines if len(line.x) > 1)


def _relative_guide(relative: float, x: tuple[float, float], y: tuple[float, float]) -> Guide:
    start, end = max(x[0], y[0] / relative), min(x[1], y[1] / relative)
    if start >= end or math.log(end / start) < _LEAST_VISIBLE * math.log(x[1] / x[0]):
        return Guide("", False, (), ())
    return Guide(number_text(relative), False, (start, end), (start * relative, end * relative))


def _ulp_guide(fmt: NumericFormat, x: tuple[float, float], y: tuple[float, float]) -> Guide:
    powers = range(_exponent(x[0]), _exponent(x[1]) + 1)
    steps = [(max(math.ldexp(1.0, power), x[0]), _ulp(power, fmt)) for power in powers]
    steps.append((x[1], steps[-1][1]))
    kept = [(at, ulp) for at, ulp in steps if y[0] <= ulp <= y[1]]
    leaving = next((at for at, ulp in steps if ulp > y[1]), None)
    if kept and leaving is not None:
        kept.append((leaving, y[1]))
    return Guide("1 ULP", True, tuple(at for at, _ in kept), tuple(ulp for _, ulp in kept))


def _exponent(value: float) -> int:
    return math.frexp(value)[1] - 1


def _ulp(power: int, fmt: NumericFormat) -> float:
    return math.ldexp(1.0, max(power, fmt.min_exponent) - fmt.mantissa_bits)


def _draw(figure: go.Figure, info: MagnitudeInfo) -> Space:
    has_errors, has_exact = any(map(any, info.counts)), any(info.zero_error)
    x_axis = log_axis(info.x_edges[0], info.x_edges[-1], margin_decades=_HAIR_DECADES)
    if has_errors:
        _add_cells(figure, info.x_edges, info.y_edges, info.counts, "y")
        for guide in info.guides:
            _add_guide(figure, guide, right_edge=info.x_edges[-1])
        y_axis = log_axis(info.y_edges[0], info.y_edges[-1], margin_decades=_HAIR_DECADES)
        figure.update_layout(
            yaxis={**y_axis, "title": "Absolute error (output units)", "domain": [0.14 if has_exact else 0, 1]}
        )
    if has_exact:
        _add_cells(figure, info.x_edges, (-0.5, 0.5), (info.zero_error,), "y2")
        figure.update_layout(
            yaxis2={
                "tickvals": [0],
                "ticktext": ["0"],
                "domain": [0, 0.09 if has_errors else 1],
                "anchor": "x",
                "showgrid": False,
                "zeroline": False,
            }
        )
    figure.update_layout(
        xaxis={
            **x_axis,
            "title": "Magnitude of the reference (output units)",
            "anchor": "y2" if has_exact else "y",
            "showgrid": False,
        },
        yaxis_showgrid=False,
        plot_bgcolor=GROUND,
        coloraxis=_colour_axis(info),
    )
    return Space(340 if has_errors else 60, footer=90, right=48)


def _add_cells(
    figure: go.Figure,
    x_edges: tuple[float, ...],
    y_edges: tuple[float, ...],
    counts: tuple[tuple[int, ...], ...],
    yaxis: str,
) -> None:
    z = np.asarray(counts, dtype=np.float64)
    figure.add_heatmap(
        x=np.asarray(x_edges),
        y=np.asarray(y_edges),
        z=np.log10(np.where(z > 0, z, np.nan)),
        customdata=z,
        coloraxis="coloraxis",
        hoverongaps=False,
        yaxis=yaxis,
        hovertemplate="magnitude about %{x:.2g}, error about %{y:.2g}: %{customdata:,} elements<extra></extra>"
        if yaxis == "y"
        else "magnitude about %{x:.2g}, exact: %{customdata:,} elements<extra></extra>",
    )


def _add_guide(figure: go.Figure, guide: Guide, *, right_edge: float) -> None:
    figure.add_scatter(
        x=guide.x,
        y=guide.y,
        mode="lines+text",
        line={
            "color": ON_GROUND,
            "width": 1.5,
            "dash": "dot" if guide.stepped else "dash",
            "shape": "hv" if guide.stepped else "linear",
        },
        text=["" for _ in guide.x[:-1]] + [guide.label],
        textposition="middle right" if guide.x[-1] >= right_edge else "top center",
        cliponaxis=False,
        hoverinfo="skip",
    )


def _colour_axis(info: MagnitudeInfo) -> dict[str, Any]:
    largest = max(max(row, default=0) for row in (*info.counts, info.zero_error))
    decades = max(math.log10(largest), 1)
    ticks = range(0, math.floor(decades) + 1, math.ceil(decades / 6))
    texts = [f"{10**tick:,}" if tick < 4 else power_text(10, tick) for tick in ticks]
    return colour_axis(0, decades, title="Elements", ticks=ticks, texts=texts)
