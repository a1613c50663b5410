"""Where one layer's error comes from: the layer itself, its input, or both together."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import plotly.graph_objects as go

from precision.charts.axes import log_axis
from precision.charts.frame import Info, Space, dot_marker, figure_of
from precision.charts.palette import colour_of
from precision.results import LayerRow
from precision.text.units import number_text

_KIND = "Dots of one layer's error by where it comes from, logarithmic axis"
_PARTS = (
    ("propagated", "propagated: f~(x~) − f(x)", "The error of this layer's output."),
    ("inherited", "inherited: f(x~) − f(x)", "What the exact layer makes of the candidate's input."),
    ("local", "local: f~(x) − f(x)", "Added here, on the reference's own input."),
    (
        "interaction",
        "interaction: the rest",
        "What neither local nor inherited error explains alone:<br>f~(x~) − f(x~) − f~(x) + f(x).",
    ),
    ("weights_only", "of local: weights rounded", "The reference's layer with the candidate's weights."),
    ("activations_only", "of local: inputs rounded", "The reference's layer on inputs rounded to the format."),
)
"""(field of `Corners`, label, what it is)."""
_BEYOND_DECADES = 0.5
"""How far outside the others an error of 0 and an infinite error are drawn."""
_NUMBER_DECADES = 0.3
"""Room right of the last dot, as a share of the axis, for its number."""
_DRAWABLE = (1e-290, 1e290)
"""Errors beyond are drawn at the ends, so that the ends of the axis are floats too."""
_ROW_PX = 32
_NOTHING = "No floating-point value that this module's own code makes was compared."


class _Part(NamedTuple):
    label: str
    about: str
    """What it is; with plotly's line breaks."""
    normalized_l2: float


@dataclass(frozen=True)
class CornersInfo(Info):
    """The numbers drawn: the parts that were measured."""

    dtype: str
    parts: tuple[_Part, ...] = ()


def plot_layer_corners(row: LayerRow, dtype: str) -> go.Figure:
    """The propagated error of a layer, or of a module's own code, and its parts.

    Zero is at the left end, what is not finite at the right. The colour is that of `dtype`, the candidate's format.
    """
    return figure_of(_KIND, _corners_info(row, dtype), _draw)


def _corners_info(row: LayerRow, dtype: str) -> CornersInfo:
    corners = row.own
    if corners is None:
        reason = row.corners_missing or row.own_code_missing or _NOTHING
        return CornersInfo(dtype, title="Local and inherited error not measured", empty=reason)
    sizes = [(label, about, getattr(corners, name)) for name, label, about in _PARTS]
    parts = tuple(_Part(label, about, size.normalized_l2) for label, about, size in sizes if size is not None)
    details = []
    if corners.gain is not None:
        details.append(f"gain {number_text(corners.gain)}: the relative error of the input is multiplied by this")
    if corners.excluded_elements:
        details.append(f"{corners.excluded_elements:,} elements left out: infinite or NaN")
    return CornersInfo(dtype, parts, title=_finding(row), detail="; ".join(details))


def _finding(row: LayerRow) -> str:
    if row.own is None:
        return ""
    layer = "its own code" if row.has_own_code else "this layer"
    local, inherited = row.own.local.rmse, row.own.inherited.rmse
    if not local and not inherited:
        if row.own.excluded_elements:
            return "No error among the elements that stay finite"
        return f"Exact: {layer} adds no error and gets none"
    if not inherited:
        return f"{layer.capitalize()} adds all of the error"
    if not local:
        return "All of the error comes with the input"
    ratio = local / inherited
    if 0.5 <= ratio <= 2:
        return "About as much error is added here as comes with the input"
    if ratio > 1:
        return f"{layer.capitalize()} adds most of it: local is {number_text(ratio)} × inherited"
    return f"Most comes with the input: inherited is {number_text(1 / ratio)} × local"


def _draw(figure: go.Figure, info: CornersInfo) -> Space:
    drawn = [part.normalized_l2 for part in info.parts if 0 < part.normalized_l2 < math.inf] or [1e-3]
    smallest, largest = (min(max(end, _DRAWABLE[0]), _DRAWABLE[1]) for end in (min(drawn), max(drawn)))
    low, high = smallest / 10**_BEYOND_DECADES, largest * 10**_BEYOND_DECADES
    room = 10 ** (_NUMBER_DECADES * math.log10(high / low))
    figure.add_scatter(
        x=[_place(part.normalized_l2, low, high) for part in info.parts],
        y=[part.label for part in info.parts],
        mode="markers+text",
        text=[number_text(part.normalized_l2) for part in info.parts],
        textposition="middle right",
        cliponaxis=False,
        marker=dot_marker(colour_of(info.dtype), [_symbol(part.normalized_l2) for part in info.parts], size=12),
        customdata=[part.about for part in info.parts],
        hovertemplate="%{y}<br>%{customdata}<br>Relative error %{text}<extra></extra>",
    )
    figure.update_layout(
        xaxis={
            **log_axis(low, high * room, margin_decades=0.1),
            "title": "Normalized L2 (zero is drawn at the left edge)",
            "zeroline": False,
        },
        yaxis={"range": [len(info.parts) - 0.5, -0.5], "zeroline": False, "showgrid": False},
    )
    return Space(_ROW_PX * len(info.parts), right=48)


def _place(value: float, low: float, high: float) -> float:
    return min(max(value, low), high) if math.isfinite(value) else high


def _symbol(value: float) -> str:
    return "star" if value <= 0 else "circle" if value < math.inf else "x"
