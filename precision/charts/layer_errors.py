"""How the absolute errors of one layer's output are distributed, by octave."""

from dataclasses import dataclass

import plotly.graph_objects as go

from precision.charts.axes import log_axis
from precision.charts.frame import Info, Space, figure_of
from precision.charts.palette import OUTLINE, colour_of
from precision.results import LayerRow
from precision.text.units import count_text, number_text, share_text

_KIND = "Histogram of one layer's absolute error, an octave a bar, logarithmic axis"


@dataclass(frozen=True)
class OctavesInfo(Info):
    """The numbers drawn."""

    dtype: str
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


def plot_layer_errors(row: LayerRow, dtype: str) -> go.Figure:
    """Absolute errors of one layer's output, in the colour of `dtype`; exact elements are counted above the bars."""
    return figure_of(_KIND, _octaves_info(row, dtype), _draw)


def _octaves_info(row: LayerRow, dtype: str) -> OctavesInfo:
    octaves = row.octaves
    lost = row.errors.nonfinite_differ if row.errors else 0
    if octaves is None:
        return OctavesInfo(dtype, title="No errors to count", empty="No finite floating-point output was compared.")
    if not any(octaves.counts):
        reason = f"All {octaves.zeros:,} errors are zero." if octaves.zeros else "No element is finite on both sides."
        if lost:
            reason += f" {count_text(lost, 'element')} became infinite or NaN."
        return OctavesInfo(dtype, title="Exact" if octaves.zeros and not lost else "No errors to count", empty=reason)
    total = octaves.zeros + octaves.below + sum(octaves.counts)
    fullest = max(range(len(octaves.counts)), key=octaves.counts.__getitem__)
    parts = [count_text(total, "element")]
    if octaves.zeros:
        parts.append(f"{share_text(octaves.zeros / total)} exact, not drawn")
    if octaves.below:
        parts.append(f"{octaves.below:,} smaller ones not drawn")
    if lost:
        parts.append(f"{lost:,} infinite or NaN left out")
    low = octaves.edges[fullest]
    return OctavesInfo(
        dtype=dtype,
        edges=octaves.edges,
        counts=octaves.counts,
        title=f"Errors are most often between {number_text(low)} and {number_text(2 * low)}",
        detail="; ".join(parts),
    )


def _draw(figure: go.Figure, info: OctavesInfo) -> Space:
    low, high = info.edges[0], min(info.edges[-1], 1.7e308)
    widths = [min(right, 1.7e308) - left for left, right in zip(info.edges, info.edges[1:], strict=False)]
    figure.add_bar(
        x=list(info.edges[:-1]),
        width=widths,
        offset=0,
        y=list(info.counts),
        marker={"color": colour_of(info.dtype), "line": {"color": OUTLINE, "width": 1}},
        customdata=[(number_text(left), number_text(2 * left)) for left in info.edges[:-1]],
        hovertemplate="%{customdata[0]} to %{customdata[1]}: %{y:,} elements<extra></extra>",
    )
    figure.update_layout(
        xaxis={**log_axis(low, high), "title": "Absolute error (output units)"},
        yaxis={"title": "Number of elements", "rangemode": "tozero"},
    )
    return Space(220)
