"""Error against cost: what each format saves, and what it loses."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import plotly.graph_objects as go

from precision.charts.axes import cost_axis, heights_of
from precision.charts.frame import Info, Space, figure_of
from precision.charts.palette import OUTLINE, colour_of
from precision.findings.sweep import KEEPING_WORDS, smallest_keeping, so_far
from precision.results import SweepRow
from precision.spec.cast_methods import USUAL_METHODS
from precision.text.names import escape_plotly, for_plotly, plain
from precision.text.units import bytes_text, capitalised, count_text, number_text, seconds_text, share_text

SweepCost = Literal["bytes", "time"]

_KIND = "Dots of the signal-to-noise ratio against the cost, one a run"
_SYMBOLS = {"native": "circle", "upcast": "diamond", "simulated": "circle-open"}
"""By how the candidate computed."""
_NEAR = 0.2
"""Dots nearer than this share of the drawing have labels on different sides."""
_AT_THE_END = 0.2
"""Share of the axis, at its end, in which a label would be cut off."""


class _Run(NamedTuple):
    label: str
    dtype: str
    execution: str
    cost: float
    spread: float
    """Interquartile range of a time; 0 for bytes."""
    sqnr_db: float
    """Infinite where the outputs are exact."""
    hover: str


@dataclass(frozen=True)
class SweepCostsInfo(Info):
    """What is drawn."""

    cost: SweepCost
    points: tuple[_Run, ...] = ()
    front: tuple[int, ...] = ()
    """Indices of the points that no other beats in both, the cheapest first. Costs differ by more than the spreads."""
    reference: float | None = None
    """The reference's cost."""


def plot_sweep_costs(rows: Sequence[SweepRow], cost: SweepCost, *, planned: int | None = None) -> go.Figure:
    """SQNR over stored bytes or over the time of a pass; a line joins the runs that no other beats in both.

    Times have whiskers, as long as their interquartile range. Where whiskers overlap, there is no measurable difference
    in speed, and the line passes only through the run with the best SQNR.

    Args:
        rows: runs that have ended; those without an SQNR or a cost are counted in the detail.
        cost: the horizontal axis.
        planned: all runs of the sweep, where more are to come; None: these are all.
    """
    return figure_of(_KIND, _sweep_costs_info(rows, cost, planned=planned), _draw)


def _sweep_costs_info(rows: Sequence[SweepRow], cost: SweepCost, *, planned: int | None = None) -> SweepCostsInfo:
    points = [point for row in rows if (point := _point(row, cost)) is not None]
    if not points:
        reason = "Runs with an error and a cost appear here as they end."
        return SweepCostsInfo(cost, title="Nothing to compare yet", empty=reason)
    left_out = len(rows) - len(points)
    references = sorted(
        value for row in rows if (value := row.reference_bytes if cost == "bytes" else row.reference_time_s)
    )
    reference = references[len(references) // 2] if references else None
    simulated = cost == "time" and any(point.execution == "simulated" for point in points)
    details = [
        "line: no other run is better in both",
        "whiskers: interquartile range" if cost == "time" else "",
        "hollow: simulated" + (", whose time is not the format's" if simulated else ""),
        f"{count_text(left_out, 'run')} without a finite error or cost left out" if left_out else "",
    ]
    return SweepCostsInfo(
        cost=cost,
        points=tuple(points),
        front=_front(points),
        reference=reference,
        title=_title(rows, cost, planned),
        detail="; ".join(filter(None, details)),
    )


def _point(row: SweepRow, cost: SweepCost) -> _Run | None:
    value = row.stored_bytes if cost == "bytes" else row.time_s
    if row.sqnr_db is None or row.sqnr_db == -math.inf or math.isnan(row.sqnr_db) or not value:
        return None
    method = "" if row.spec.method in USUAL_METHODS else f", {row.spec.method.label}"
    words = bytes_text(int(value)) if cost == "bytes" else seconds_text(value)
    estimated = " (estimated)" if cost == "bytes" and row.bytes_are_estimated else ""
    return _Run(
        label=f"{row.spec.dtype}{method}",
        dtype=row.spec.dtype,
        execution=row.execution or "",
        cost=value,
        spread=(row.time_iqr_s or 0.0) if cost == "time" else 0.0,
        sqnr_db=row.sqnr_db,
        hover=f"{row.spec.dtype} by {row.spec.method.label} on {plain(row.spec.device)}, {row.execution}: "
        f"{row.verdict.word}, SQNR {number_text(row.sqnr_db)} dB, {words}{estimated}",
    )


def _front(points: Sequence[_Run]) -> tuple[int, ...]:
    front: list[int] = []
    best = -math.inf
    for at in sorted(range(len(points)), key=lambda at: (points[at].cost, -points[at].sqnr_db)):
        if points[at].sqnr_db > best:
            while front and not _apart(points[front[-1]], points[at]):
                front.pop()
            front.append(at)
            best = points[at].sqnr_db
    return tuple(front)


def _apart(first: _Run, second: _Run) -> bool:
    """Whether the costs differ by more than half the sum of their spreads, as in `speed.compare_speed`."""
    return abs(second.cost - first.cost) > (first.spread + second.spread) / 2


def _title(rows: Sequence[SweepRow], cost: SweepCost, planned: int | None) -> str:
    title = so_far(rows, planned) + _finding(rows, cost)
    return capitalised(title)


def _finding(rows: Sequence[SweepRow], cost: SweepCost) -> str:
    if cost == "bytes":
        best = smallest_keeping(rows)
        if best is None or not best.reference_bytes:
            return "no run is sure to keep what matters"
        share = share_text((best.stored_bytes or 0) / best.reference_bytes)
        return f"what matters is kept in {share} of the reference's bytes ({best.spec.dtype})"
    timed = [row for row in rows if row.verdict.word in KEEPING_WORDS and row.time_s and row.execution == "native"]
    if not timed:
        return "no run in native arithmetic is sure to keep what matters"
    best = min(timed, key=lambda row: row.time_s or 0.0)
    return f"what matters is kept in {seconds_text(best.time_s or 0.0)} ({best.spec.dtype})"


def _draw(figure: go.Figure, info: SweepCostsInfo) -> Space:
    top, axis = heights_of([point.sqnr_db for point in info.points])
    heights = [top if math.isinf(point.sqnr_db) else point.sqnr_db for point in info.points]
    if len(info.front) > 1:
        figure.add_scatter(
            x=[info.points[at].cost for at in info.front],
            y=[heights[at] for at in info.front],
            mode="lines",
            line={"color": OUTLINE, "width": 1, "dash": "dot"},
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=[point.cost for point in info.points],
        y=heights,
        error_x=_whiskers(info),
        mode="markers+text",
        text=[for_plotly(point.label) + (" (exact)" if math.isinf(point.sqnr_db) else "") for point in info.points],
        textposition=_positions(info, heights),
        textfont={"size": 10},
        marker={
            "color": [colour_of(point.dtype) for point in info.points],
            "symbol": [_SYMBOLS.get(point.execution, "circle") for point in info.points],
            "size": 11,
            "line": {"color": [colour_of(point.dtype) if point.execution == "simulated" else OUTLINE
                               for point in info.points], "width": 2},
        },
        customdata=[escape_plotly(point.hover) for point in info.points],
        hovertemplate="%{customdata}<extra></extra>",
        cliponaxis=False,
    )  # fmt: skip
    if info.reference is not None:
        figure.add_vline(x=info.reference, line={"color": OUTLINE, "width": 1, "dash": "dash"})
        figure.add_annotation(
            x=math.log10(info.reference) if info.cost == "time" else info.reference,
            y=1, yref="paper", yanchor="bottom", text="reference", showarrow=False, font={"size": 10},
        )  # fmt: skip
    costs = [point.cost for point in info.points] + ([info.reference] if info.reference else [])
    figure.update_layout(
        xaxis={"title": "Time of one pass", **cost_axis(costs, of_bytes=info.cost == "bytes")},
        yaxis=axis,
    )
    return Space(360)


def _whiskers(info: SweepCostsInfo) -> dict[str, object]:
    halves = [point.spread / 2 for point in info.points]
    return {
        "visible": any(halves),
        "type": "data",
        "symmetric": False,
        "array": halves,
        # A logarithmic axis has no place for zero and less.
        "arrayminus": [min(half, 0.9 * point.cost) for half, point in zip(halves, info.points, strict=True)],
        "color": OUTLINE,
        "thickness": 1,
        "width": 3,
    }


def _positions(info: SweepCostsInfo, heights: Sequence[float]) -> list[str]:
    """Where each label stands: left of its dot if another dot or the end is near on its right, clear of near labels."""
    points, logarithmic = info.points, info.cost == "time"
    *costs, reference = (
        math.log(cost) if logarithmic else cost
        for cost in (*(point.cost for point in points), info.reference or points[0].cost)
    )
    end = max(*costs, reference)
    near_end = end - _AT_THE_END * (end - (min(costs) if logarithmic else 0.0))
    width, height = (max(values) - min(values) or 1.0 for values in (costs, heights))
    places: list[str] = []
    for at in range(len(points)):
        near = [
            other
            for other in range(len(points))
            if other != at
            and abs(costs[other] - costs[at]) < _NEAR * width
            and abs(heights[other] - heights[at]) < _NEAR * height / 2
        ]
        left = costs[at] > near_end or any(costs[other] > costs[at] for other in near)
        beside = [other for other in near if abs(heights[other] - heights[at]) < _NEAR * height / 4]
        upper = all(heights[at] >= heights[other] for other in beside)
        level = "middle" if not beside else "top" if upper else "bottom"
        places.append(f"{level} {'left' if left else 'right'}")
    return places
