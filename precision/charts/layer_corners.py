"""Where one layer's error comes from: born in it, handed to it, or both together."""

from __future__ import annotations

import math
from typing import NamedTuple

import plotly.graph_objects as go

from precision.charts.axes import log_axis
from precision.charts.frame import empty_figure, frame
from precision.charts.palette import OUTLINE, colour_of
from precision.results import LayerRow
from precision.units import number_text

_KIND = "Bars of one layer's error by where it comes from, logarithmic axis"
_PARTS = (
    ("propagated", "propagated: f~(x~) − f(x)"),
    ("inherited", "inherited: f(x~) − f(x)"),
    ("local", "local: f~(x) − f(x)"),
    ("interaction", "interaction: the rest"),
    ("weights_only", "of local: weights rounded"),
    ("activations_only", "of local: inputs rounded"),
)
_FLOOR_DECADES = 1.0
"""Room left of the smallest bar, so that it can be seen."""


class CornersInfo(NamedTuple):
    """The numbers drawn: (label, normalized L2) of the parts that were measured. `empty` says why there are none."""

    dtype: str
    parts: tuple[tuple[str, float], ...]
    title: str
    detail: str
    empty: str | None


def plot_layer_corners(row: LayerRow, dtype: str) -> go.Figure:
    """A layer's propagated error and its parts; parts of zero have a label and no bar.

    Args:
        row: one call of a lockstep run.
        dtype: the candidate's format, which gives the colour.
    """
    return _corners_figure(_corners_info(row, dtype))


def _corners_info(row: LayerRow, dtype: str) -> CornersInfo:
    corners = row.corners
    if corners is None:
        reason = row.corners_missing or "Only modules without modules inside are taken apart."
        return CornersInfo(dtype, (), "Local and inherited error not measured", "", reason)
    sizes = [(label, getattr(corners, name)) for name, label in _PARTS]
    parts = tuple((label, size.normalized_l2) for label, size in sizes if size is not None)
    details = []
    if corners.gain is not None:
        details.append(f"gain {number_text(corners.gain)}: so many times is the relative error of the input amplified")
    if corners.excluded_elements:
        details.append(f"{corners.excluded_elements:,} elements left out: infinite or NaN")
    return CornersInfo(dtype, parts, _finding(row), "; ".join(details), None)


def _finding(row: LayerRow) -> str:
    if row.corners is None:
        return ""
    local, inherited = row.corners.local.rmse, row.corners.inherited.rmse
    if not local and not inherited:
        if row.corners.excluded_elements:
            return "No error among the elements that stay finite"
        return "Exact: nothing is born here and nothing handed on"
    if not inherited:
        return "All of the error is born in this layer"
    if not local:
        return "All of the error is handed to this layer"
    ratio = local / inherited
    if 0.5 <= ratio <= 2:
        return "About as much error is born here as is handed in"
    if ratio > 1:
        return f"Most is born here: local is {number_text(ratio)} × inherited"
    return f"Most is handed in: inherited is {number_text(1 / ratio)} × local"


def _corners_figure(info: CornersInfo) -> go.Figure:
    if info.empty:
        return empty_figure(kind=_KIND, title=info.title, reason=info.empty)
    drawn = [value for _, value in info.parts if 0 < value < math.inf]
    low, high = (min(drawn), max(drawn)) if drawn else (1e-3, 1.0)
    axis = log_axis(low / 10**_FLOOR_DECADES, high * 4)
    base = 10 ** axis["range"][0]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=[label for label, _ in info.parts],
            x=[value - base if 0 < value < math.inf else 0 for _, value in info.parts],
            base=base,
            text=[number_text(value) for _, value in info.parts],
            textposition="outside",
            cliponaxis=False,
            marker={"color": colour_of(info.dtype), "line": {"color": OUTLINE, "width": 1}},
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_layout(
        showlegend=False,
        bargap=0.35,
        xaxis={**axis, "title": "Relative error, normalized L2"},
        yaxis={"autorange": "reversed"},
    )
    return frame(figure, kind=_KIND, title=info.title, detail=info.detail, plot_height=36 * len(info.parts), right=48)
