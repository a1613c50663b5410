"""How large the error is after each module, from the input to the output, and how much each module adds."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from precision.charts.axes import log_axis
from precision.charts.frame import Info, Space, dot_marker, figure_of
from precision.charts.palette import OUTLINE, colour_of
from precision.formats import any_format_named, ulp_format
from precision.results import LayersReport
from precision.text.names import for_plotly, plain
from precision.text.units import count_text, number_text

MAX_LAYERS = 1_500
"""More points would overlap, and each costs some 150 bytes."""
_KIND = "Relative error of every layer along the depth of the model, logarithmic axis"
_MARGIN_DECADES = 0.2


class LayerPoint(NamedTuple):
    """One layer call. Errors are normalized L2: norm(error) / norm(reference's output)."""

    row: int
    name: str
    propagated: float | None
    local: float | None
    broken: bool
    """Elements are infinite or NaN in the candidate only."""


@dataclass(frozen=True)
class DepthInfo(Info):
    """The numbers drawn."""

    dtype: str
    points: tuple[LayerPoint, ...] = ()
    limit: float | None = None
    rounding: float | None = None
    """The relative error of merely rounding to the format: half its epsilon at most."""


def plot_error_along_depth(report: LayersReport, dtype: str, *, limit: float | None = None) -> go.Figure:
    """The propagated and the local error of each module that computes something itself, in the order of the run.

    Those are modules without modules inside, and modules that do not just return what the last module inside returned,
    such as one with a residual add; and, as `NAME:code`, what a module's own code makes. A point's `customdata` is its
    row in the report. Exact layers have no place on the logarithmic axis and are counted; calls with new infinities or
    NaNs are marked at the top.

    Args:
        report: of a lockstep run.
        dtype: the candidate's format, which gives the colour and the line of its rounding.
        limit: where to draw a line, a relative error.

    Raises:
        InputError: no such format.
    """
    return figure_of(_KIND, _depth_info(report, dtype, limit=limit), _draw)


def layer_points(report: LayersReport) -> tuple[LayerPoint, ...]:
    """Every call that computed its output itself, in the order in which they returned; own code before its module."""
    points = []
    returned = [(row.finished, at) for at, row in enumerate(report.rows) if row.finished is not None]
    for _, at in sorted(returned):
        row, errors = report.rows[at], report.errors_of(at)
        again = "" if row.call == 1 else f", call {row.call}"
        if row.own_code is not None:
            propagated, local = row.own_code.propagated.normalized_l2, row.own_code.local.normalized_l2
            points.append(LayerPoint(at, f"{row.fqn or 'the model'}:code{again}", propagated, local, broken=False))
        if not row.is_leaf and (row.same_as is not None or errors is None):
            continue
        points.append(
            LayerPoint(
                row=at,
                name=(row.fqn or "the model's output") + again,
                propagated=errors.normalized_l2 if errors else None,
                local=row.corners.local.normalized_l2 if row.corners else None,
                broken=bool(errors and errors.cand_only_nonfinite),
            )
        )
    return tuple(points)


def _depth_info(report: LayersReport, dtype: str, *, limit: float | None) -> DepthInfo:
    fmt = ulp_format(any_format_named(dtype))
    points = layer_points(report)
    if not points:
        return DepthInfo(dtype, title="No layer to show", empty="No layer returned before the run ended.")
    drawn = _largest(points)
    values = [error for point in points for error in (point.propagated, point.local) if error]
    if not any(map(math.isfinite, values)) and not any(point.broken for point in points):
        if report.is_exact:
            reason = "Every layer's output is exactly the reference's."
            return DepthInfo(dtype, title=f"All {count_text(len(points), 'layer call')} exact", empty=reason)
        reason = "No layer has a finite error that is not zero."
        return DepthInfo(dtype, title="No error to draw", empty=reason)
    return DepthInfo(
        dtype=dtype,
        points=drawn,
        limit=limit,
        rounding=fmt.epsilon / 2 if fmt else None,
        title=_finding(points, limit),
        detail=_detail(points, len(drawn)),
    )


def _largest(points: tuple[LayerPoint, ...]) -> tuple[LayerPoint, ...]:
    if len(points) <= MAX_LAYERS:
        return points
    ranked = sorted(points, key=lambda point: (not point.broken, -max(point.propagated or 0, point.local or 0)))
    kept = {point.row for point in ranked[:MAX_LAYERS]}
    return tuple(point for point in points if point.row in kept)


def _finding(points: tuple[LayerPoint, ...], limit: float | None) -> str:
    broken = [point for point in points if point.broken]
    if broken:
        more = f" and {count_text(len(broken) - 1, 'later layer call')}" if len(broken) > 1 else ""
        return f"Infinite or NaN in {plain(broken[0].name)}{more}"
    over = [point for point in points if limit is not None and (point.propagated or 0) > limit]
    if over and limit is not None:
        return f"The error first passes {number_text(limit)} in {plain(over[0].name)}"
    worst = max(points, key=lambda point: point.propagated or 0)
    return f"The relative error is {number_text(worst.propagated)} at most, in {plain(worst.name)}"


def _detail(points: tuple[LayerPoint, ...], drawn: int) -> str:
    parts = [count_text(len(points), "layer call")]
    if drawn < len(points):
        parts = [f"the {drawn:,} of {parts[0]} with the largest errors"]
    if exact := sum(point.propagated == 0 for point in points):
        parts.append(f"{exact:,} exact, not drawn")
    if uncompared := sum(point.propagated is None for point in points):
        parts.append(f"{uncompared:,} without an error to compare")
    parts.append("click a point to open its layer")
    return "; ".join(parts)


def _draw(figure: go.Figure, info: DepthInfo) -> Space:
    top, axis = _axis(info)
    for name, errors, symbol in (
        ("propagated: this far", [point.propagated for point in info.points], "circle"),
        ("local: added by this layer", [point.local for point in info.points], "diamond-open"),
    ):
        _add_errors(figure, info, name, errors, symbol)
    broken = [(at, point) for at, point in enumerate(info.points) if point.broken]
    if broken:
        figure.add_scatter(
            x=[at for at, _ in broken],
            y=[top] * len(broken),
            mode="markers",
            name="infinite or NaN in the candidate",
            marker={"symbol": "x", "size": 9, "color": OUTLINE},
            customdata=[(point.row, for_plotly(point.name)) for _, point in broken],
            hovertemplate="%{customdata[1]}<br>infinite or NaN<extra></extra>",
        )
    for label, value, dash in (("limit", info.limit, "dash"), ("half an epsilon of the format", info.rounding, "dot")):
        if value:
            figure.add_scatter(
                x=[-0.5, len(info.points) - 0.5],
                y=[value, value],
                mode="lines",
                name=f"{label}: {number_text(value)}",
                line={"color": OUTLINE, "dash": dash, "width": 1.5},
                hoverinfo="skip",
            )
    figure.update_layout(
        clickmode="event+select",
        xaxis={"title": "Layer calls in the order of the run", "range": [-0.7, len(info.points) - 0.3], "nticks": 8},
        yaxis={**axis, "title": "Relative error, normalized L2"},
    )
    return Space(360, footer=130, legend=True)


def _axis(info: DepthInfo) -> tuple[float, dict[str, object]]:
    errors = [error for point in info.points for error in (point.propagated, point.local) if error]
    lines = [line for line in (info.limit, info.rounding) if line]
    drawn = [value for value in (*errors, *lines) if 0 < value < math.inf]
    if not drawn:
        return 1.0, log_axis(0.1, 1.0, margin_decades=_MARGIN_DECADES)
    top = max(drawn) * (2 if any(point.broken for point in info.points) else 1)
    return top, log_axis(min(drawn), top, margin_decades=_MARGIN_DECADES)


def _add_errors(figure: go.Figure, info: DepthInfo, name: str, errors: list[float | None], symbol: str) -> None:
    drawn = [
        (at, point, error)
        for at, (point, error) in enumerate(zip(info.points, errors, strict=True))
        if error and math.isfinite(error)
    ]
    if not drawn:
        return
    figure.add_scatter(
        x=np.asarray([at for at, _, _ in drawn], dtype=np.float32),
        y=np.asarray([error for _, _, error in drawn], dtype=np.float32),
        mode="lines+markers" if symbol == "circle" else "markers",
        name=name,
        line={"color": OUTLINE, "width": 1},
        marker=dot_marker(colour_of(info.dtype), symbol, size=8 if len(info.points) <= 200 else 5),
        customdata=[(point.row, for_plotly(point.name)) for _, point, _ in drawn],
        hovertemplate="%{customdata[1]}<br>%{y:.3g}<extra>" + name + "</extra>",
    )
