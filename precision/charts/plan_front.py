"""The best plans: error against bytes or time, with casts to one format for comparison, and what was measured."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from precision.charts.axes import cost_axis, heights_of
from precision.charts.frame import Info, Space, figure_of
from precision.charts.palette import OUTLINE, colour_of
from precision.results import SensitivityReport
from precision.results.plan import Front, Plan, Resource, Totals, sqnr_db
from precision.text.names import escape_plotly, for_plotly
from precision.text.units import bytes_text, number_text, seconds_text, share_text

_KIND = "Line of the best plans' signal-to-noise ratio against their cost, with dots of other casts"
_NEAR = 0.16
"""Dots nearer than this share of the drawing have labels on different sides."""


class MeasuredPlan(NamedTuple):
    """A plan that was run."""

    label: str
    squared_error: float
    totals: Totals
    """As predicted."""


class _Dot(NamedTuple):
    label: str
    dtype: str
    cost: float
    sqnr_db: float
    """Infinite where there is no error."""
    hover: str


@dataclass(frozen=True)
class PlanFrontInfo(Info):
    """What is drawn."""

    resource: Resource
    front: tuple[_Dot, ...]
    chosen: _Dot
    predicted: tuple[_Dot, ...] = ()
    """Casts to one format."""
    measured: tuple[_Dot, ...] = ()


def plot_plan_front(
    front: Front, plan: Plan, report: SensitivityReport, *, runs: Sequence[MeasuredPlan] = ()
) -> go.Figure:
    """SQNR of the output over bytes or seconds; a front point's `customdata` is its number.

    The report's casts to one format are drawn as predicted and as measured; plans that were run, at their predicted
    cost.
    """
    return figure_of(_KIND, _plan_front_info(front, plan, report, runs=runs), _draw)


def _plan_front_info(
    front: Front, plan: Plan, report: SensitivityReport, *, runs: Sequence[MeasuredPlan]
) -> PlanFrontInfo:
    resource, signal = front.resource, report.output_mean_square
    line = _known(_dot("", "", point.totals, point.totals.sqnr_db, resource, "best plan") for point in front.points)
    chosen = _dot("", "", plan.totals, plan.totals.sqnr_db, resource, "chosen plan")
    if chosen is None or not line:
        nothing = _Dot("", "", 0.0, 0.0, "")
        reason = "No plan has an error and a cost."
        return PlanFrontInfo(resource, (), nothing, title="No plan to show", empty=reason)
    checks = {check.dtype: check for check in report.uniform}
    predicted, measured = [], []
    for each in plan.uniform:
        name, totals, check = each.dtype, each.totals, checks.get(each.dtype)
        error = check.predicted_squared_error if check else totals.squared_error
        predicted.append(_dot(name, name, totals, sqnr_db(signal, error), resource, f"all {name}, predicted"))
        if check:
            ran = sqnr_db(signal, check.measured_squared_error)
            measured.append(_dot(name, name, totals, ran, resource, f"all {name}, measured"))
    measured += [
        _dot(run.label, "", run.totals, sqnr_db(signal, run.squared_error), resource, f"{run.label}, measured")
        for run in runs
    ]
    return PlanFrontInfo(
        resource=resource,
        front=line,
        chosen=chosen,
        predicted=_known(predicted),
        measured=_known(measured),
        title=_title(plan, resource),
        detail=_detail(len(plan.uniform) - len(_known(predicted)), bool(_known(measured))),
    )


def _known(dots: Iterable[_Dot | None]) -> tuple[_Dot, ...]:
    return tuple(dot for dot in dots if dot is not None)


def _dot(label: str, dtype: str, totals: Totals, decibels: float | None, resource: Resource, what: str) -> _Dot | None:
    cost = totals.stored_bytes if resource == "bytes" else totals.time_s
    if decibels is None or decibels == -math.inf or not cost:
        return None
    error = "exact" if math.isinf(decibels) else f"SQNR {number_text(decibels)} dB"
    time = "" if totals.time_s is None else f", {seconds_text(totals.time_s)}"
    hover = f"{what}: {error}, {bytes_text(totals.stored_bytes)}{time}"
    return _Dot(label, dtype, cost, decibels, hover)


def _title(plan: Plan, resource: Resource) -> str:
    sides = [
        totals.stored_bytes if resource == "bytes" else totals.time_s
        for totals in (plan.totals, plan.uniform[0].totals)
    ]
    share = share_text(sides[0] / sides[1]) if sides[0] and sides[1] else "nothing"
    decibels = plan.totals.sqnr_db
    kept = "no error" if decibels == math.inf else f"an SQNR of {number_text(decibels)} dB"
    how = "measured" if plan.totals.is_measured else "predicted"
    return f"The chosen plan: {share} of the reference's {resource}, {kept} {how}"


def _detail(left_out: int, has_runs: bool) -> str:
    parts = (
        "line: no plan is better in both",
        "filled: predicted" + (", ringed crosses: measured" if has_runs else ""),
        "star: the chosen plan",
        f"{left_out} without a finite error or a cost left out" if left_out else "",
    )
    return "; ".join(filter(None, parts))


def _draw(figure: go.Figure, info: PlanFrontInfo) -> Space:
    dots = (*info.front, info.chosen, *info.predicted, *info.measured)
    top, axis = heights_of([dot.sqnr_db for dot in dots])
    figure.add_scatter(
        x=np.array([dot.cost for dot in info.front]),
        y=_heights(info.front, top),
        mode="lines+markers",
        name="best plans",
        line={"color": OUTLINE, "width": 1.5},
        marker={"size": 6, "color": OUTLINE},
        customdata=[[at, escape_plotly(dot.hover)] for at, dot in enumerate(info.front)],
        hovertemplate="%{customdata[1]}<extra></extra>",
    )
    _dots(figure, info.predicted, top, name="one format, predicted", symbol="circle", others=dots)
    _dots(figure, info.measured, top, name="measured", symbol="circle-x-open", others=())
    _dots(figure, (info.chosen,), top, name="chosen plan", symbol="star", others=(), size=18)
    costs = [dot.cost for dot in dots]
    figure.update_layout(
        xaxis={"title": "Time of all layers", **cost_axis(costs, of_bytes=info.resource == "bytes")},
        yaxis=axis,
    )
    return Space(360, footer=100, legend=None)


def _heights(dots: Sequence[_Dot], top: float) -> list[float]:
    return [top if math.isinf(dot.sqnr_db) else dot.sqnr_db for dot in dots]


def _dots(
    figure: go.Figure,
    dots: Sequence[_Dot],
    top: float,
    *,
    name: str,
    symbol: str,
    others: Sequence[_Dot],
    size: int = 11,
) -> None:
    """Dots; where `others` are given, with names beside them that keep clear of these."""
    if not dots:
        return
    hollow = symbol.endswith("-open")
    colours = [colour_of(dot.dtype) for dot in dots]
    figure.add_scatter(
        x=[dot.cost for dot in dots],
        y=_heights(dots, top),
        mode="markers+text" if others else "markers",
        name=name,
        text=[_label(dot) for dot in dots] if others else None,
        textposition=_sides(dots, others, top) if others else None,
        textfont={"size": 10},
        marker={
            "color": colours,
            "symbol": symbol,
            "size": size,
            "line": {"color": colours if hollow else OUTLINE, "width": 2 if hollow else 1.5},
        },
        customdata=[[None, escape_plotly(dot.hover)] for dot in dots],
        hovertemplate="%{customdata[1]}<extra></extra>",
        cliponaxis=False,
    )


def _label(dot: _Dot) -> str:
    return for_plotly(dot.label) + (" (exact)" if math.isinf(dot.sqnr_db) else "")


def _sides(dots: Sequence[_Dot], others: Sequence[_Dot], top: float) -> list[str]:
    """Where each name stands: left of dots in the right half, right of others; below a dot, so below the line.

    The name of an exact plan stands above its dot, since the line rises to it from the left.
    """
    costs = [dot.cost for dot in others]
    middle = (min(costs) + max(costs)) / 2
    heights = _heights(dots, top)
    spread = max(heights) - min(heights) or 1.0
    sides = []
    for at, dot in enumerate(dots):
        above = any(
            other != at
            and 0 <= heights[at] - heights[other] < _NEAR * spread / 2
            and abs(dots[other].cost - dot.cost) < _NEAR * (max(costs) - min(costs) or 1.0)
            and (heights[at], at) > (heights[other], other)
            for other in range(len(dots))
        )
        level = "top" if above or math.isinf(dot.sqnr_db) else "bottom"
        sides.append(f"{level} {'left' if dot.cost > middle else 'right'}")
    return sides
