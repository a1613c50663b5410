"""Time of one forward pass, reference against candidate."""

from dataclasses import dataclass
from typing import NamedTuple

import plotly.graph_objects as go

from precision.charts.frame import Info, Space, figure_of, marker
from precision.charts.palette import OUTLINE
from precision.findings.speed import compare_speed
from precision.results import Cost, Timing
from precision.text.names import for_plotly, plain
from precision.text.units import count_text, seconds_text

_LONGEST = 32
"""Characters of a name beside a bar; a longer one would leave the bar no room."""
_KIND = "Bars of the median time of one forward pass, with the interquartile range"


class _Run(NamedTuple):
    role: str
    dtype: str
    median_s: float
    iqr_s: float


@dataclass(frozen=True)
class TimingInfo(Info):
    """The numbers drawn."""

    runs: tuple[_Run, ...] = ()


def plot_timing(cost: Cost | None, *, reference: str, candidate: str) -> go.Figure:
    """Median time of both, with a whisker as long as the interquartile range; `cost` is None if not measured.

    The names of the formats are `reference` and `candidate`; a candidate with a long name is only called so.
    """
    return figure_of(_KIND, _timing_info(cost, reference=reference, candidate=candidate), _draw)


def _timing_info(cost: Cost | None, *, reference: str, candidate: str) -> TimingInfo:
    if cost is None:
        return TimingInfo(title="Time not measured", empty="The run has no timing.")
    reference, candidate = plain(reference), plain(candidate) if len(candidate) <= _LONGEST else ""
    sides = (("reference", reference, cost.reference_time), ("candidate", candidate, cost.candidate_time))
    return TimingInfo(
        tuple(_Run(role, name, timing.median_s, timing.iqr_s) for role, name, timing in sides),
        title=_finding(cost, reference=reference, candidate=candidate),
        detail=_detail(cost.reference_time, cost.candidate_time),
    )


def _finding(cost: Cost, *, reference: str, candidate: str) -> str:
    speed = compare_speed(cost)
    if speed.ratio is not None:
        return f"{candidate or 'The candidate'} is {speed.text} {reference} here"
    return f"Whether {candidate or 'the candidate'} is faster than {reference} cannot be told: {speed.reason}"


def _detail(reference: Timing, candidate: Timing) -> str:
    threads = " and ".join(dict.fromkeys(count_text(timing.threads, "thread") for timing in (reference, candidate)))
    return (
        f"median of {_blocks(reference)} of the reference and {_blocks(candidate)} of the candidate, {threads}; "
        "whisker: interquartile range"
    )


def _blocks(timing: Timing) -> str:
    return f"{count_text(timing.blocks, 'block')} ({count_text(timing.runs, 'run')})"


def _draw(figure: go.Figure, info: TimingInfo) -> Space:
    for run in info.runs:
        label = f"{run.role}<br>{for_plotly(run.dtype)}" if run.dtype else run.role
        figure.add_bar(
            orientation="h",
            y=[label],
            x=[run.median_s],
            error_x={"type": "constant", "value": run.iqr_s / 2, "color": OUTLINE, "thickness": 2},
            marker=marker(run.dtype),
            customdata=[(seconds_text(run.median_s), seconds_text(run.iqr_s))],
            hovertemplate="%{customdata[0]}, interquartile range %{customdata[1]}<extra></extra>",
        )
        # Beside the whisker, which would cross a label at the end of the bar.
        figure.add_annotation(
            x=run.median_s + run.iqr_s / 2,
            y=label,
            text=seconds_text(run.median_s),
            xanchor="left",
            xshift=6,
            showarrow=False,
        )
    longest = max(run.median_s + run.iqr_s / 2 for run in info.runs) or 1.0
    figure.update_layout(
        bargap=0.35,
        xaxis={
            "title": "Time of one forward pass",
            "tickformat": "~s",
            "ticksuffix": "s",
            "nticks": 6,
            "range": [0, 1.25 * longest],
        },
        yaxis={"autorange": "reversed"},
    )
    return Space(65 * len(info.runs))
