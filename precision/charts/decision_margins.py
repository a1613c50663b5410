"""Which samples flip: how many samples, and what share of them flips, by the reference's margin."""

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import plotly.graph_objects as go

from precision.charts.axes import power_text
from precision.charts.frame import Info, Space, figure_of, marker
from precision.charts.palette import MIXED, OUTLINE
from precision.findings.decisions import samples_text
from precision.results import ClassDecisions, OutputComparison
from precision.results.intervals import wilson
from precision.text.names import plain
from precision.text.units import count_text, fine_share_text, number_text

MarginScale = Literal["score", "probability"]

_KIND = "Bars of the samples, and of the share that changes class, by the reference's margin"
_AXIS = {
    "score": "Margin in the reference: best score minus second",
    "probability": "Margin in the reference: best probability minus second",
}
_MAX_TICKS = 8


class MarginBar(NamedTuple):
    """One power of two of the margin."""

    low: float
    """Margins from here up to `high`; 0 in the bar below all powers of two."""
    high: float
    samples: int
    flips: int
    share: float
    """Of the samples that flipped; 0 without samples."""
    interval_low: float
    interval_high: float


@dataclass(frozen=True)
class MarginsInfo(Info):
    """The numbers drawn, smallest margins first."""

    dtype: str
    scale: MarginScale
    bars: tuple[MarginBar, ...] = ()
    safe_from: float | None = None
    """Twice the largest error: no error that was measured can overturn a score margin above this."""


def plot_decision_margins(output: OutputComparison, dtype: str, *, scale: MarginScale = "score") -> go.Figure:
    """Samples, and the share that flipped with its 95 % interval (Wilson), per power of two of the margin.

    The margin is between scores, or between probabilities. The colour is that of `dtype`, the candidate's format.
    """
    return figure_of(_KIND, _margins_info(output, dtype, scale=scale), _draw)


def _margins_info(output: OutputComparison, dtype: str, *, scale: MarginScale) -> MarginsInfo:
    found = output.decisions
    if not isinstance(found, ClassDecisions) or not found.samples:
        are_scores = isinstance(found, ClassDecisions)
        reason = "No sample has finite scores in both." if are_scores else "The output is not read as class scores."
        return MarginsInfo(dtype, scale, title=f"{plain(output.path)}: no margins", empty=reason)
    bars = _bars(found, scale)
    largest = output.metrics.max_abs_error
    safe_from = 2 * largest if scale == "score" and largest and math.isfinite(2 * largest) else None
    return MarginsInfo(dtype, scale, bars, safe_from, title=_finding(found, bars), detail=_detail(found, safe_from))


def _bars(found: ClassDecisions, scale: MarginScale) -> tuple[MarginBar, ...]:
    bins = found.score_margins if scale == "score" else found.probability_margins
    ends = bins.edges or (0.0,)
    edges = zip((0.0, *ends[:-1]), ends, strict=True)
    counts = [(bins.below_samples, bins.below_flips), *zip(bins.samples, bins.flips, strict=True)]
    bars = [_bar(*edge, *count) for edge, count in zip(edges, counts, strict=True)]
    return tuple(bars if bins.below_samples else bars[1:])


def _bar(low: float, high: float, samples: int, flips: int) -> MarginBar:
    interval = wilson(flips, samples)
    if interval is None:
        return MarginBar(low, high, 0, 0, 0.0, 0.0, 0.0)
    return MarginBar(low, high, samples, flips, flips / samples, interval.low, interval.high)


def _finding(found: ClassDecisions, bars: tuple[MarginBar, ...]) -> str:
    if not found.flips:
        return f"None of {samples_text(found)} changed {found.choice}"
    largest = max(bar.high for bar in bars if bar.flips)
    some = f"{found.flips:,} of {samples_text(found)} changed {found.choice}"
    return f"{some}, all with a margin below {number_text(largest)}" if largest else f"{some}, all of them ties"


def _detail(found: ClassDecisions, safe_from: float | None) -> str:
    interval = found.flips_interval
    parts = []
    if interval:
        parts.append(
            f"of similar {found.unit}s, {fine_share_text(interval.low)} to {fine_share_text(interval.high)} change"
        )
    if safe_from:
        above = f"margins above {number_text(safe_from)} (twice the largest error)"
        parts.append(f"{above} are safe from the errors measured here")
    alike = f", as if {found.unit}s were independent" if found.clusters else ""
    return "; ".join([*parts, f"whisker: 95 % interval{alike}"])


def _draw(figure: go.Figure, info: MarginsInfo) -> Space:
    places = list(range(len(info.bars)))
    said = [(_span(bar), count_text(bar.samples, "sample"), f"{bar.flips:,}", _interval_text(bar)) for bar in info.bars]
    hover = "margin %{customdata[0]}<br>%{customdata[1]}, of which %{customdata[2]} flipped%{customdata[3]}"
    drawn = {"x": places, "customdata": said, "hovertemplate": f"{hover}<extra></extra>"}
    figure.add_bar(
        **drawn, y=[bar.samples for bar in info.bars], marker={"color": MIXED, "line": {"color": OUTLINE, "width": 1}}
    )
    figure.add_bar(
        **drawn, y=[bar.share for bar in info.bars], yaxis="y2", error_y=_whiskers(info), marker=marker(info.dtype)
    )
    step = max(1, math.ceil(len(places) / _MAX_TICKS))
    figure.update_layout(
        bargap=0.15,
        xaxis={
            "title": _AXIS[info.scale],
            "tickvals": [place - 0.5 for place in places[::step]],
            "ticktext": [_edge_text(info.bars[place].low) for place in places[::step]],
            "range": [-0.6, len(places) - 0.4],
            "zeroline": False,
            "anchor": "y2",
        },
        yaxis={"title": "Samples", "domain": [0.6, 1], "nticks": 4},
        yaxis2={"title": "Share that flips", "tickformat": ".0%", "range": [0, 1.05], "domain": [0, 0.5], "nticks": 4},
    )
    if (place := _place_of(info)) is not None:
        line = {"color": OUTLINE, "dash": "dash", "width": 2}
        figure.add_shape(type="line", x0=place, x1=place, y0=0, y1=1, yref="paper", line=line)
    return Space()


def _whiskers(info: MarginsInfo) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [bar.interval_high - bar.share for bar in info.bars],
        "arrayminus": [bar.share - bar.interval_low for bar in info.bars],
        "color": OUTLINE,
        "thickness": 1.5,
    }


def _place_of(info: MarginsInfo) -> float | None:
    """Place among the bars of the margin that no error can overturn; None where it lies beside them."""
    if info.safe_from is None:
        return None
    for place, bar in enumerate(info.bars):
        if bar.low and bar.low <= info.safe_from < bar.high:
            return place - 0.5 + math.log2(info.safe_from / bar.low)
    return None


def _span(bar: MarginBar) -> str:
    if not bar.high:
        return "0, a tie"
    return f"below {number_text(bar.high)}" if not bar.low else f"{number_text(bar.low)} to {number_text(bar.high)}"


def _interval_text(bar: MarginBar) -> str:
    if not bar.samples:
        return ""
    return f"<br>95 %: {fine_share_text(bar.interval_low)} to {fine_share_text(bar.interval_high)}"


def _edge_text(low: float) -> str:
    if not low:
        return "0"
    exponent = round(math.log2(low))
    return f"{low:g}" if -4 <= exponent <= 13 else power_text(2, exponent)
