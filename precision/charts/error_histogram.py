"""Histograms of the error of an output: signed, absolute, or in ULP of the candidate's format."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from statistics import median
from typing import Any

import numpy as np
import plotly.graph_objects as go

from precision.charts.axes import log_axis
from precision.charts.error_spread import (
    HistogramKind,
    InFormat,
    Spread,
    all_exact,
    compared,
    detail_of,
    ends_of,
    look_of,
    named,
    no_errors_because,
    spoken,
    spreads_of,
)
from precision.charts.frame import Info, Space, figure_of, marker
from precision.charts.palette import OUTLINE
from precision.findings.elements import metric_text
from precision.results import OutputComparison
from precision.text.names import escape_plotly, plain
from precision.text.units import count_text, fine_share_text, number_text, share_text

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
_LARGEST_RATIO = 1e100
"""Of the widths of bins; keeps heights finite."""
_BALANCED = 0.1
"""Up to this balance of signed errors, zeros left out, the title says that neither direction leads."""
_APART_WIDTH = 0.1
"""Of the drawing, for what stands left of the axes: exact zeros, and what is below the axis."""
_EXACT = "0"
_WRITTEN = 0.005
"""Larger shares of a single format are written above their bars; smaller ones of rounding alone are not drawn."""
_GAP = 0.04
"""Of the drawing, between that and the axes."""


@dataclass(frozen=True)
class HistogramInfo(Info):
    """The numbers drawn."""

    kind: HistogramKind
    spreads: tuple[Spread, ...] = ()
    apart: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Exact zeros and what is below the axis, where there are any: their share of the elements of each spread."""
    ends: tuple[float, float] | None = None
    """Of the axis; None where all errors are zero."""
    heights: tuple[tuple[float, ...], ...] = ()
    """Of the bars of each spread: its counts, or more where its bins are finer than those of the first."""
    log_counts: bool = False
    """Whether the count axis is logarithmic, as small bars would vanish beside a very high one."""


def plot_error_histogram(
    output: OutputComparison, dtype: str, *others: InFormat, kind: HistogramKind = "absolute"
) -> go.Figure:
    """How the errors of one output are distributed, and which share of its elements has a larger error than each bar.

    The axis of `signed` errors is linear; others are logarithmic, from the 0.1 % quantile to the maximum, with bars of
    their own for exact zeros and smaller errors. Only rounding the output has an outline among the absolute errors.
    NaN and infinite pairs are not drawn but counted below the title.

    Args:
        output: of the candidate.
        dtype: the candidate's format: its colour and its ULP.
        *others: the same output of other candidates, drawn over it, with the names of their formats.
        kind: of error.
    """
    return figure_of(_KIND[kind], _histogram_info((output, dtype), *others, kind=kind), _draw)


def _histogram_info(*errors: InFormat, kind: HistogramKind) -> HistogramInfo:
    output, _ = errors[0]
    spreads = spreads_of(errors, kind)
    if not spreads:
        return HistogramInfo(kind, title=f"{plain(output.path)}: no errors to count", empty=no_errors_because(output))
    apart = {
        _EXACT: tuple(spread.zeros / spread.elements for spread in spreads),
        "below": tuple(spread.below / spread.elements for spread in spreads),
    }
    heights = _heights(spreads, log=kind != "signed")
    return HistogramInfo(
        kind=kind,
        spreads=spreads,
        apart={name: shares for name, shares in apart.items() if _matters(shares, spreads)},
        ends=ends_of(spreads),
        heights=heights,
        log_counts=kind == "signed" and _is_a_spike([*chain(*heights)]),
        title=_finding(errors, kind),
        detail=detail_of(errors, kind),
        spoken="" if kind == "signed" else spoken(spreads),
    )


def _matters(shares: tuple[float, ...], spreads: tuple[Spread, ...]) -> bool:
    return any(share > (_WRITTEN if spread.is_floor else 0) for share, spread in zip(shares, spreads, strict=True))


def _heights(spreads: Sequence[Spread], *, log: bool) -> tuple[tuple[float, ...], ...]:
    """Bins on logarithmic axes differ by powers of two, and only nearly: their edges are round numbers."""
    widths = [_bin_width(spread, log=log) for spread in spreads]
    first = next(filter(None, widths), 1.0)
    ratios = [min(first / width, _LARGEST_RATIO) if width else 1.0 for width in widths]
    scales = [2.0 ** round(math.log2(ratio)) if log else ratio for ratio in ratios]
    return tuple(tuple(count * scale for count in spread.counts) for spread, scale in zip(spreads, scales, strict=True))


def _bin_width(spread: Spread, *, log: bool) -> float:
    if not spread.edges:
        return 0.0
    low, high = (math.log(spread.edges[at]) if log else spread.edges[at] for at in (0, -1))
    return high / len(spread.counts) - low / len(spread.counts)


def _is_a_spike(heights: Sequence[float]) -> bool:
    filled = [height for height in heights if height]
    return bool(filled) and max(filled) > _SPIKE * median(filled)


def _finding(errors: tuple[InFormat, ...], kind: HistogramKind) -> str:
    if kind == "absolute" and (words := compared(errors)):
        return words
    if len(errors) > 1:
        return "; ".join(f"{plain(name)}: {_of_one(output, kind)}" for output, name in errors)
    return _of_one(errors[0][0], kind)


def _of_one(output: OutputComparison, kind: HistogramKind) -> str:
    metrics = output.metrics
    if metrics.max_abs_error == 0:
        return all_exact(metrics)
    if kind == "signed":
        return _lean(output)
    typical = metrics.mean_ulp_error if kind == "ulp" else metrics.median_abs_error
    largest = metrics.max_ulp_error if kind == "ulp" else metrics.max_abs_error
    if typical is None or largest is None:
        return "Distribution of the error"
    if metrics.finite_pairs == 1:
        return f"The only error is {number_text(largest)}{' ULP' if kind == 'ulp' else ''}"
    if kind == "ulp":
        return f"Errors of {number_text(typical)} ULP on average, {number_text(largest)} at most"
    if not metrics.median_abs_error and output.distributions:
        exact = share_text(output.distributions.absolute.zeros / metrics.finite_pairs)
        return f"{exact} of the elements are exact, the largest error is {number_text(largest)}"
    half = metric_text(metrics, "median_abs_error")
    return f"Half of the errors are at most {half}, the largest is {number_text(largest)}"


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
    width = _APART_WIDTH * len(info.apart)
    if info.apart:
        _add_apart(figure, info, [0.0, width] if info.ends else [0.3, 0.7])
    if info.ends:
        for at in range(len(info.spreads)):
            _add_bars(figure, info, at)
        axis, begin = _error_axis(info, *info.ends), width + _GAP if info.apart else 0.0
        figure.update_layout(
            xaxis={**axis, "title": _axis_title(info), "domain": [begin, 1.0], "hoverformat": ".3g"},
            # Left of the axes, bars of another scale stand.
            yaxis={**_count_axis(info), "title": "Number of elements", "side": "right" if info.apart else "left"},
        )
    figure.update_layout(barmode="overlay", hovermode="x unified")
    return Space(footer=84, legend=True) if len(info.spreads) > 1 else Space()


def _add_bars(figure: go.Figure, info: HistogramInfo, at: int) -> None:
    spread, heights = info.spreads[at], info.heights[at]
    if not spread.edges:
        figure.add_scatter(x=[None], y=[None], **look_of(info.spreads, at))  # for the legend
        return
    edges = np.asarray(spread.edges)
    # One outline around all bars: borders of 200 narrow bars would hide their colour.
    figure.add_scatter(
        x=edges[[0, *range(len(edges))]],
        y=np.maximum((0, *heights, 0), _LOG_COUNT_FLOOR if info.log_counts else 0),
        **look_of(info.spreads, at),
        line_shape="hv",
        hoverinfo="skip",
    )
    # They are there to be hovered: anywhere above a bar, however low it is.
    figure.add_bar(
        x=edges[:-1],
        width=np.diff(edges),
        offset=0,
        y=np.asarray(heights),
        opacity=0,
        showlegend=False,
        customdata=_hover_texts(info.kind, spread),
        hovertemplate=f"{named(info.spreads, at)}%{{customdata}}<extra></extra>",
    )


def _hover_texts(kind: HistogramKind, spread: Spread) -> list[str]:
    larger = "are further up" if kind == "signed" else "have a larger error"
    return [
        f"{count_text(count, 'element')} from {low} to {high},<br>{fine_share_text(share)} of all {larger}"
        for count, (low, high), share in zip(
            spread.counts, pairwise(map(number_text, spread.edges)), spread.beyond[1:], strict=True
        )
    ]


def _count_axis(info: HistogramInfo) -> dict[str, Any]:
    highest = max(chain(*info.heights))
    if info.log_counts:
        return log_axis(_LOG_COUNT_FLOOR, highest * 1.5)
    return {"rangemode": "tozero", "dtick": 1 if highest <= _COUNTED_ONE_BY_ONE else None}


def _error_axis(info: HistogramInfo, low: float, high: float) -> dict[str, Any]:
    alone = max(len(spread.counts) for spread in info.spreads) == 1
    if info.kind != "signed":
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
        "ulp": f"Error (ULP of {info.spreads[0].name})" if len(info.spreads) == 1 else "Error (ULP of each format)",
    }[info.kind]


def _add_apart(figure: go.Figure, info: HistogramInfo, domain: Sequence[float]) -> None:
    """Shares of what has no place on the axis: for each of its kinds, a bar of each spread."""
    width, alone = 0.8 / len(info.spreads), sum(not spread.is_floor for spread in info.spreads) == 1
    for at, spread in enumerate(info.spreads):
        shares, fill = [shares[at] for shares in info.apart.values()], marker(spread.name)
        texts = [escape_plotly(fine_share_text(share)) for share in shares]
        written = [text if share > _WRITTEN else "" for text, share in zip(texts, shares, strict=True)]
        figure.add_bar(
            x=list(info.apart),
            y=shares,
            xaxis="x2",
            yaxis="y2",
            width=width,
            offset=at * width - 0.4,
            marker={"color": "rgba(0,0,0,0)", "line": fill["line"]} if spread.is_floor else fill,
            showlegend=False,
            text=written if alone and not spread.is_floor else None,
            textposition="outside",
            textfont={"size": 11},
            constraintext="none",
            cliponaxis=False,
            customdata=[f"{text} of all {_are(name, spread)}" for name, text in zip(info.apart, texts, strict=True)],
            hovertemplate=f"{named(info.spreads, at)}%{{customdata}}<extra></extra>",
        )
    figure.update_layout(
        xaxis2={"type": "category", "domain": domain, "anchor": "y2"},
        yaxis2={"range": [0, 1.05], "anchor": "x2", "visible": False},
    )


def _are(name: str, spread: Spread) -> str:
    if name == _EXACT:
        return "are exact"
    return f"are below {number_text(spread.edges[0])}" if spread.edges else "are below the axis"
