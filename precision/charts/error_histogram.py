"""Histograms of one output's error: signed, absolute, or in ULP of the candidate's format."""

from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from precision.charts.axes import log_axis
from precision.charts.frame import Info, Space, figure_of, marker
from precision.charts.palette import OUTLINE, colour_of
from precision.findings.elements import metric_text
from precision.results import ErrorMetrics, Histogram, OutputComparison
from precision.text.names import escape_plotly, plain
from precision.text.units import count_text, number_text, share_text

HistogramKind = Literal["signed", "absolute", "ulp"]

_KIND: dict[HistogramKind, str] = {
    "signed": "Histogram of the signed error",
    "absolute": "Histogram of the absolute error, logarithmic axis",
    "ulp": "Histogram of the error in ULP, logarithmic axis",
}
_COUNTED_ONE_BY_ONE = 5
"""Up to this highest bar, the axis has a tick for every element."""
_LOG_COUNT_FLOOR = 0.5
"""Start of a logarithmic count axis: a bar of one element stays visible."""
_SPIKE = 100
"""Where the highest bar is more than this times the median one, the count axis is logarithmic."""
_BALANCED = 0.1
"""Up to this balance of signed errors, zeros left out, the title says that neither direction leads."""


@dataclass(frozen=True)
class HistogramInfo(Info):
    """The numbers drawn."""

    kind: HistogramKind
    dtype: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    zeros: int
    log: bool
    log_counts: bool
    """Whether the count axis is logarithmic, as small bars would vanish beside a very high one."""


def plot_error_histogram(output: OutputComparison, dtype: str, *, kind: HistogramKind = "absolute") -> go.Figure:
    """How the errors of one output are distributed; on logarithmic axes, exact zeros have a bar of their own.

    NaN and infinite pairs are not drawn but counted below the title; equal errors make a single bar.
    The axis of `signed` errors is linear, others are logarithmic. Colour and ULP are those of `dtype`, the candidate's.
    """
    return figure_of(_KIND[kind], _histogram_info(output, dtype, kind=kind), _draw)


def _histogram_info(output: OutputComparison, dtype: str, *, kind: HistogramKind) -> HistogramInfo:
    histogram: Histogram | None = getattr(output.distributions, kind, None)
    if histogram is None or not (sum(histogram.counts) or histogram.zeros):
        title = f"{plain(output.path)}: no errors to count"
        return HistogramInfo(kind, dtype, (), (), 0, False, False, title=title, empty=no_errors_because(output))
    if kind == "signed" and output.metrics.max_abs_error == 0:
        histogram = Histogram(edges=(), counts=(), zeros=sum(histogram.counts))
    return HistogramInfo(
        kind=kind,
        dtype=dtype,
        edges=histogram.edges,
        counts=histogram.counts,
        zeros=histogram.zeros,
        log=histogram.log,
        log_counts=kind == "signed" and _is_a_spike(histogram.counts),
        title=_finding(output, kind),
        detail="; ".join(filter(None, (left_out(output.metrics), below_text(histogram.below)))),
    )


def below_text(below: int) -> str:
    """How many elements lie under a logarithmic axis; empty for none."""
    return f"{below:,} smaller ones, many decades below, not drawn" if below else ""


def _is_a_spike(counts: tuple[int, ...]) -> bool:
    filled = [count for count in counts if count]
    return bool(filled) and max(filled) > _SPIKE * median(filled)


def no_errors_because(output: OutputComparison) -> str:
    """Why an output has no distribution of errors."""
    if output.metrics.elements == 0:
        return "The output has no elements."
    if output.metrics.finite_pairs == 0:
        return "No element is finite in both the reference and the candidate."
    return f"The output is {plain(output.reference_dtype)}: its elements are equal or not, with no error in between."


def left_out(metrics: ErrorMetrics) -> str:
    """How many elements were counted, and how many were left out because a side is infinite or NaN."""
    missing = metrics.elements - metrics.finite_pairs
    counted = count_text(metrics.finite_pairs, "element")
    return f"{counted}; {missing:,} more left out: infinite or NaN" if missing else counted


def _finding(output: OutputComparison, kind: HistogramKind) -> str:
    metrics = output.metrics
    if metrics.max_abs_error == 0:
        return all_exact(metrics)
    if kind == "signed":
        return _lean(output)
    typical = metrics.mean_ulp_error if kind == "ulp" else metrics.median_abs_error
    largest = metrics.max_ulp_error if kind == "ulp" else metrics.max_abs_error
    if typical is None or largest is None:
        return "Distribution of the error"
    if kind == "ulp":
        return f"Errors of {number_text(typical)} ULP on average, {number_text(largest)} at most"
    half = metric_text(metrics, "median_abs_error")
    return f"Half of the errors are at most {half}, all at most {number_text(largest)}"


def all_exact(metrics: ErrorMetrics) -> str:
    """The title of an output without any error."""
    return f"Exact: all {metrics.finite_pairs:,} errors are zero"


def _lean(output: OutputComparison) -> str:
    """Exact elements do not count: however many there are, all errors may go one way."""
    metrics = output.metrics
    if output.distributions is None or metrics.error_balance is None:
        return "Signed error"
    errors = metrics.finite_pairs - output.distributions.absolute.zeros
    more_up_than_down = round(metrics.error_balance * metrics.finite_pairs)
    up, down = (errors + more_up_than_down) // 2, (errors - more_up_than_down) // 2
    if abs(more_up_than_down) <= _BALANCED * errors:
        return f"Errors go up about as often as down ({up:,} and {down:,})"
    way, many = ("up", up) if up > down else ("down", down)
    return f"Errors lean {way}: {share_text(many / errors)} of those that are not zero"


def _draw(figure: go.Figure, info: HistogramInfo) -> Space:
    if info.zeros or not any(info.counts):
        _add_zeros(figure, info)
    if any(info.counts):
        _add_bars(figure, info)
    figure.update_layout(
        yaxis={**_count_axis(info), "title": "Number of elements", "anchor": "x2" if info.zeros else "x"},
    )
    return Space()


def _add_bars(figure: go.Figure, info: HistogramInfo) -> None:
    if info.edges[0] == info.edges[-1]:
        figure.add_bar(x=[number_text(info.edges[0])], y=[sum(info.counts)], width=0.3, marker=marker(info.dtype))
        figure.update_layout(xaxis={"type": "category", "title": _axis_title(info), "domain": _domain(info)})
        return
    edges = np.asarray(info.edges)
    figure.add_bar(
        x=edges[:-1],
        width=np.diff(edges),
        offset=0,
        y=np.asarray(info.counts),
        marker={"color": colour_of(info.dtype), "line": {"width": 0}},
        customdata=list(pairwise(map(number_text, info.edges))),
        hovertemplate="%{customdata[0]} to %{customdata[1]}: %{y:,} elements<extra></extra>",
    )
    # One outline around all bars: borders of 200 narrow bars would hide their colour.
    figure.add_scatter(
        x=edges,
        y=np.maximum((*info.counts, 0), _LOG_COUNT_FLOOR if info.log_counts else 0),
        mode="lines",
        line={"shape": "hv", "color": OUTLINE, "width": 1},
        hoverinfo="skip",
    )
    figure.update_layout(xaxis={**_error_axis(info), "title": _axis_title(info), "domain": _domain(info)})


def _count_axis(info: HistogramInfo) -> dict[str, Any]:
    highest = max((info.zeros, *info.counts))
    if info.log_counts:
        return log_axis(_LOG_COUNT_FLOOR, highest * 1.5)
    return {"rangemode": "tozero", "dtick": 1 if highest <= _COUNTED_ONE_BY_ONE else None}


def _error_axis(info: HistogramInfo) -> dict[str, Any]:
    low, high = info.edges[0], info.edges[-1]
    alone = len(info.counts) == 1
    if info.log:
        return log_axis(low, high, base=2 if info.kind == "ulp" else 10, margin_decades=0.15 if alone else 0)
    margin = (high - low) if alone else 0
    return {
        "range": [low - margin, high + margin],
        "exponentformat": "power",
        "nticks": 6,
        "zeroline": True,
        "zerolinecolor": OUTLINE,
    }


def _axis_title(info: HistogramInfo) -> str:
    return {
        "signed": "Signed error, candidate − reference (output units)",
        "absolute": "Absolute error (output units)",
        "ulp": f"Error (ULP of {plain(info.dtype)})",
    }[info.kind]


def _domain(info: HistogramInfo) -> list[float]:
    return [0.16, 1.0] if info.zeros else [0.0, 1.0]


def _add_zeros(figure: go.Figure, info: HistogramInfo) -> None:
    total = info.zeros + sum(info.counts)
    fill = marker(info.dtype)
    figure.add_bar(
        x=["0"],
        y=[info.zeros],
        xaxis="x2",
        marker={**fill, "pattern": {**fill["pattern"], "shape": "/"}},
        text=[escape_plotly(share_text(info.zeros / total))],
        textposition="outside",
        constraintext="none",
        cliponaxis=False,
        hovertemplate="exactly 0: %{y:,} elements<extra></extra>",
    )
    figure.update_layout(
        xaxis2={
            "type": "category",
            "title": "exact",
            "domain": [0.0, 0.1] if any(info.counts) else [0.3, 0.7],
            "anchor": "y",
        }
    )
