"""Cumulative distribution: the share of one output's elements that have at most a given absolute error."""

import math
import sys
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from precision.charts.axes import log_axis
from precision.charts.error_histogram import all_exact, left_out, no_errors_because
from precision.charts.frame import Info, Space, figure_of
from precision.charts.palette import OUTLINE, colour_of
from precision.findings.elements import is_sampled, metric_text
from precision.results import Ecdf, ErrorMetrics, OutputComparison
from precision.text.names import plain
from precision.text.units import number_text, share_text

_KIND = "Cumulative distribution of the absolute error, logarithmic axis"
_DASHES = ("dash", "dot")
_MARGIN_FACTOR = 1.3
"""Free space left and right of all that is drawn."""
_TAIL = 0.01
"""This share of the elements, those with the smallest errors, is left off the axis …"""
_GAP_FACTOR = 1000.0
"""… if the next error is larger by more than this factor."""
_ENOUGH_FOR_P99 = 100
"""With fewer elements, the 99th percentile lies between the two largest errors and adds nothing."""


@dataclass(frozen=True)
class EcdfInfo(Info):
    """The numbers drawn."""

    dtype: str
    values: tuple[float, ...] = ()
    """Positive, from the left to the right edge of the drawing; zeros are where the curve starts."""
    probabilities: tuple[float, ...] = ()
    floors: tuple[tuple[str, float], ...] = ()
    """(label, absolute error) of the reference lines."""


def plot_error_ecdf(output: OutputComparison, dtype: str, *, rounding_floor: ErrorMetrics | None = None) -> go.Figure:
    """The share of elements whose absolute error is at most x.

    Exact elements lift the curve's left end; NaN and infinite pairs are left out and counted below the title.

    The colour is that of `dtype`, the candidate's format. Mean and maximum of this output's `rounding_floor` are lines:
    no computation in the format does better. It is ignored where it counts another number of elements than the errors.
    """
    return figure_of(_KIND, _ecdf_info(output, dtype, rounding_floor=rounding_floor), _draw)


def _ecdf_info(output: OutputComparison, dtype: str, *, rounding_floor: ErrorMetrics | None) -> EcdfInfo:
    title = f"{plain(output.path)}: no errors to rank"
    distributions = output.distributions
    if distributions is None or not distributions.ecdf.values:
        return EcdfInfo(dtype, title=title, empty=no_errors_because(output))
    metrics = output.metrics
    if metrics.max_abs_error == 0:
        return EcdfInfo(dtype, title=all_exact(metrics), empty="A logarithmic axis cannot show zero.")
    exact_share = distributions.absolute.zeros / metrics.finite_pairs
    shares = _shares(distributions.ecdf, metrics, exact_share)
    if not shares:
        return EcdfInfo(dtype, title=title, empty="Every difference is beyond float64.")
    if rounding_floor and rounding_floor.finite_pairs != metrics.finite_pairs:
        rounding_floor = None
    floors = _floors(rounding_floor)
    tail_share, curve = _without_tail(shares)
    drawn = [*curve, *(value for _, value in floors)]
    left, right = min(drawn) / _MARGIN_FACTOR or min(drawn), min(max(drawn) * _MARGIN_FACTOR, sys.float_info.max)
    return EcdfInfo(
        dtype=dtype,
        values=(left, *curve, right),
        probabilities=(max(exact_share, tail_share), *curve.values(), max(shares.values())),
        floors=floors,
        title=_finding(metrics, {0.0: exact_share, **shares}),
        detail=_detail(metrics, exact_share, rounding_floor),
    )


def _shares(ecdf: Ecdf, metrics: ErrorMetrics, exact_share: float) -> dict[float, float]:
    """For each finite quantile but zero, ascending: the share of elements whose error is at most as large.

    The p-quantile of n elements has rank p(n - 1), counted from 0, so p(n - 1) + 1 elements are at most as large. Both
    ends are those of the whole output, also if the quantiles come from a sample of it.
    """
    elements, largest = metrics.quantile_elements, metrics.max_abs_error
    ranks = (math.floor(p * (elements - 1) * (1 + sys.float_info.epsilon)) for p in ecdf.probabilities)
    shares = {
        value: max((rank + 1) / elements, exact_share)
        for value, rank in zip(ecdf.values, ranks, strict=True)
        if 0 < value < math.inf
    }
    return shares if largest is None or math.isinf(largest) else {**shares, largest: 1.0}


def _without_tail(shares: dict[float, float]) -> tuple[float, dict[float, float]]:
    """The share of the few smallest errors, if they are many decades below all others, and the rest of the curve."""
    values = list(shares)
    gaps = [at for at in range(1, len(values)) if values[at] > _GAP_FACTOR * values[at - 1]]
    begin = max((at for at in gaps if shares[values[at - 1]] <= _TAIL), default=0)
    return (shares[values[begin - 1]] if begin else 0.0), {value: shares[value] for value in values[begin:]}


def _finding(metrics: ErrorMetrics, shares: dict[float, float]) -> str:
    p99, largest = metrics.p99_abs_error, metrics.max_abs_error
    if p99 is None or metrics.quantile_elements < _ENOUGH_FOR_P99 or p99 == largest:
        return f"All errors are at most {number_text(largest)}"
    share = max(share for value, share in shares.items() if value <= p99)
    return f"{share_text(share)} of the errors are at most {metric_text(metrics, 'p99_abs_error')}"


def _floors(floor: ErrorMetrics | None) -> tuple[tuple[str, float], ...]:
    if floor is None:
        return ()
    named = (("mean", floor.mean_abs_error), ("max", floor.max_abs_error))
    return tuple((f"rounding alone, {name}: {number_text(value)}", value) for name, value in named if value)


def _detail(metrics: ErrorMetrics, exact_share: float, floor: ErrorMetrics | None) -> str:
    parts = [left_out(metrics)]
    if is_sampled(metrics, "p99_abs_error"):
        parts.append(f"≈ from a sample of {metrics.quantile_elements:,}")
    if exact_share:
        parts.append(f"{share_text(exact_share)} are exact")
    if floor and floor.max_abs_error and metrics.max_abs_error:
        ratio = metrics.max_abs_error / floor.max_abs_error
        parts.append(f"largest error {number_text(ratio)} × the largest from rounding alone")
    return "; ".join(parts)


def _draw(figure: go.Figure, info: EcdfInfo) -> Space:
    figure.add_scatter(
        x=np.asarray(info.values),
        y=np.asarray(info.probabilities),
        mode="lines",
        line={"shape": "hv", "color": OUTLINE, "width": 2},
        fill="tozeroy",
        fillcolor=colour_of(info.dtype),
        name=f"{plain(info.dtype)} error",
        hovertemplate="%{y:.2%} of the elements have at most %{x:.3g}<extra></extra>",
    )
    for (label, value), dash in zip(info.floors, _DASHES, strict=False):
        figure.add_scatter(
            x=[value, value], y=[0, 1.05], mode="lines", line={"color": OUTLINE, "dash": dash, "width": 2}, name=label
        )
    figure.update_layout(
        xaxis={**log_axis(info.values[0], info.values[-1]), "title": "Absolute error (output units)"},
        yaxis={"title": "Share of elements", "tickformat": ".0%", "range": [0, 1.05]},
    )
    return Space(footer=110, legend=True)
