"""Where the values of every tensor lie, by power of two, with a format's window drawn over them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from precision.charts.axes import colour_axis, power_text, rows_axis
from precision.charts.frame import Info, Space, figure_of
from precision.charts.palette import OUTLINE, WORST, colour_of_fit, translucent
from precision.charts.row_groups import group_label, neighbours, row_name, shared_text, without_shared
from precision.findings.fit.rounding import window_of
from precision.formats import AnyFormat, NumericFormat, ScaledFormat
from precision.results.ranges import Ranges, TensorRange
from precision.text.names import plain
from precision.text.units import count_text, share_text

MAX_ROWS = 60
MAX_COLUMNS = 160

_KIND = "Heatmap of the values of each tensor by power of two, logarithmic colours"
_ROW_PX = 14
_NEARBY = 12
"""An end of the format's window is drawn up to this many powers of two beyond the data."""
_LEAST_SHARE = 1e-6
"""Smaller shares have the colour of this one."""
_LABELLED = 0.1
"""Parts of the window narrower than this share of the width have no name: there is no room."""


class WindowPart(NamedTuple):
    """A part of the axis whose values all overflow, are normal, are subnormal or become zero; in powers of two."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class HeatmapInfo(Info):
    """The numbers drawn."""

    rows: tuple[tuple[int, ...], ...] = ()
    """Of each tensor, or of neighbours drawn together: how many values are in each column."""
    labels: tuple[str, ...] = ()
    """Of the rows, without the path that all share."""
    edges: tuple[int, ...] = ()
    """Exponents at which the columns begin, and the end of the last."""
    window: tuple[WindowPart, ...] = ()
    """From zero upwards; empty for formats whose window depends on the values."""


def plot_exponent_heatmap(ranges: Ranges, tensors: Sequence[TensorRange], fmt: AnyFormat) -> go.Figure:
    """Share of each tensor's non-zero values per power of two; zeros, infinities and NaNs are not drawn.

    Another format only moves the window. Where there are more than `MAX_ROWS` tensors, neighbours share a row.
    """
    return figure_of(_KIND, _heatmap_info(ranges, tensors, fmt), _draw)


def _heatmap_info(ranges: Ranges, tensors: Sequence[TensorRange], fmt: AnyFormat) -> HeatmapInfo:
    drawn = [tensor for tensor in tensors if ranges.histogram_of(tensor).counts]
    if not drawn:
        reason = "None of the tensors has a finite value other than zero." if tensors else "No tensor to show."
        return HeatmapInfo(title="No values to place", empty=reason)
    histograms = ranges.histograms_of(drawn)
    edges = _edges(min(each.first_exponent for each in histograms), max(each.last_exponent for each in histograms), fmt)
    groups = neighbours(drawn, MAX_ROWS)
    rows = tuple(_row(ranges, group, edges) for group in groups)
    shared, names = without_shared([tensor.label for tensor in drawn])
    parts = [f"shade: share of a {'tensor' if len(groups) == len(drawn) else 'row'}'s non-zero values"]
    if isinstance(fmt, NumericFormat):
        parts.append("red overflows or becomes zero, orange is subnormal")
    if len(groups) < len(drawn):
        parts.insert(0, f"{count_text(len(drawn), 'tensor')} in {len(groups)} rows of neighbours")
    if len(drawn) < len(tensors):
        parts.append(f"{count_text(len(tensors) - len(drawn), 'tensor')} with no finite value but zero not drawn")
    if shared:
        parts.insert(0, shared_text(shared))
    if isinstance(fmt, ScaledFormat):
        parts.insert(0, f"no window: {plain(fmt.name)} scales every {fmt.granularity} to its largest value")
    return HeatmapInfo(
        rows=rows,
        labels=tuple(map(group_label, neighbours(names, MAX_ROWS))),
        edges=edges,
        window=_window(edges, fmt),
        title=_finding(ranges, drawn, fmt),
        detail="; ".join(parts),
    )


def _edges(first: int, last: int, fmt: AnyFormat) -> tuple[int, ...]:
    low, high = first, last + 1
    if isinstance(fmt, NumericFormat):
        for end in (window_of(fmt).vanish_exponent - 1, fmt.max_exponent + 2):
            if first - _NEARBY <= end <= last + _NEARBY:
                low, high = min(low, end), max(high, end)
    step = 1
    while (high - low) / step > MAX_COLUMNS:
        step *= 2
    return tuple(range(low, low + step * math.ceil((high - low) / step) + 1, step))


def _row(ranges: Ranges, group: Sequence[TensorRange], edges: tuple[int, ...]) -> tuple[int, ...]:
    step = edges[1] - edges[0]
    counts = [0] * (len(edges) - 1)
    for histogram in ranges.histograms_of(group):
        for exponent, count in enumerate(histogram.counts, histogram.first_exponent):
            counts[(exponent - edges[0]) // step] += count
    return tuple(counts)


def _window(edges: tuple[int, ...], fmt: AnyFormat) -> tuple[WindowPart, ...]:
    if not isinstance(fmt, NumericFormat):
        return ()
    window = window_of(fmt)
    ends = (-math.inf, window.vanish_exponent, fmt.min_exponent, math.log2(fmt.max), math.inf)
    names = ("becomes zero", "subnormal", "normal", "overflows")
    parts = (
        WindowPart(name, max(start, edges[0]), min(end, edges[-1]))
        for name, start, end in zip(names, ends[:-1], ends[1:], strict=True)
    )
    return tuple(part for part in parts if part.start < part.end)


def _finding(ranges: Ranges, drawn: Sequence[TensorRange], fmt: AnyFormat) -> str:
    histograms = ranges.histograms_of(drawn)
    if not isinstance(fmt, NumericFormat):
        widest = max(len(each.counts) for each in histograms)
        return f"The values of one tensor span up to {count_text(widest, 'power')} of two"
    beyond = sum(window_of(fmt).overflows(each.largest or 0.0) for each in histograms)
    below = sum((each.smallest or math.inf) < fmt.smallest_normal for each in histograms)
    name, of = plain(fmt.name), f"of {count_text(len(drawn), 'tensor')}"
    if beyond:
        return f"{beyond:,} {of} reach beyond the range of {name}"
    if below:
        return f"None {of} overflows in {name}; {below:,} reach below its normal range"
    if any(each.infinite or each.nan for each in histograms):
        return f"All finite values lie in the normal range of {name}; there are infinities or NaNs"
    return f"All values lie in the normal range of {name}"


def _draw(figure: go.Figure, info: HeatmapInfo) -> Space:
    counts = np.asarray(info.rows, dtype=np.float64)
    shares = counts / counts.sum(axis=1, keepdims=True)
    decades = np.log10(np.where(counts > 0, np.maximum(shares, _LEAST_SHARE), np.nan)).astype(np.float32)
    parts = _parts(info)
    for names, look in _LOOKS.items():
        here = np.isin(parts, names)
        if not here.any():
            continue
        figure.add_heatmap(
            x=np.asarray(info.edges, dtype=np.float32),
            y=np.arange(len(info.rows)),
            z=np.where(here, decades, np.float32(np.nan)),
            customdata=counts,
            hoverongaps=False,
            hovertemplate="%{y}<br>about 2<sup>%{x:.1f}</sup>: %{customdata:,} values<extra></extra>",
            **({"coloraxis": "coloraxis"} if "normal" in names else _colours(look)),
        )
    bottom, top = len(info.rows) - 0.5, -0.5
    for part in info.window:
        _add_part(figure, part, (bottom, top), width=info.edges[-1] - info.edges[0])
    figure.update_layout(
        xaxis={"title": "Magnitude", **_axis(info.edges), "showgrid": False, "zeroline": False},
        yaxis={**rows_axis([row_name(label) for label in info.labels], letters=9), "showgrid": False},
        coloraxis=_colour_axis(),
    )
    return Space(max(_ROW_PX * len(info.rows), 60) + 16, footer=96, above=16)


_HATCHING = {"subnormal": "/", "becomes zero": "x", "overflows": "x", "normal": ""}
_LOOKS = {
    ("normal",): (OUTLINE, 0.05, 0.75),
    ("subnormal",): (colour_of_fit("underflows"), 0.4, 1.0),
    ("becomes zero", "overflows"): (WORST, 0.6, 1.0),
}
"""Colour, and its opacity for the smallest and the largest share: what fits recedes, a single lost value is seen."""


def _parts(info: HeatmapInfo) -> list[str]:
    """The part of the window in which the middle of each column lies; without a window, all is normal."""
    middles = [(start + end) / 2 for start, end in pairwise(info.edges)]
    return [
        next((part.name for part in info.window if part.start <= middle < part.end), "normal") for middle in middles
    ]


def _scale(look: tuple[str, float, float]) -> list[list[object]]:
    colour, least, most = look
    return [[0, translucent(colour, least)], [1, translucent(colour, most)]]


def _colours(look: tuple[str, float, float]) -> dict[str, Any]:
    """The colour scale of shares that are not those of the colour bar."""
    return {"colorscale": _scale(look), "zmin": math.log10(_LEAST_SHARE), "zmax": 0, "showscale": False}


def _add_part(figure: go.Figure, part: WindowPart, rows: tuple[float, float], *, width: float) -> None:
    bottom, top = rows
    if _HATCHING[part.name]:
        figure.add_scatter(
            x=[part.start, part.end, part.end, part.start],
            y=[bottom, bottom, top, top],
            mode="none",
            fill="toself",
            fillcolor=translucent(OUTLINE, 0.08),
            fillpattern={
                "shape": _HATCHING[part.name],
                "fgcolor": OUTLINE,
                "fgopacity": 0.35,
                "size": 7,
                "solidity": 0.15,
            },
            hoverinfo="skip",
        )
    else:
        figure.add_shape(
            type="rect",
            x0=part.start, x1=part.end, y0=bottom, y1=top,
            line={"color": OUTLINE, "width": 2},
        )  # fmt: skip
    if part.end - part.start >= _LABELLED * width:
        figure.add_annotation(
            text=part.name,
            x=(part.start + part.end) / 2, y=1, yref="paper", yanchor="bottom", showarrow=False, font={"size": 11},
        )  # fmt: skip


def _axis(edges: tuple[int, ...]) -> dict[str, Any]:
    step = max(1, math.ceil((edges[-1] - edges[0]) / 8))
    ticks = [edge for edge in range(edges[0], edges[-1] + 1) if edge % step == 0]
    return {
        "range": [edges[0], edges[-1]],
        "tickvals": ticks,
        "ticktext": [power_text(2, tick) for tick in ticks],
    }


def _colour_axis() -> dict[str, Any]:
    decades = math.log10(_LEAST_SHARE)
    ticks = range(round(decades), 1, 2)
    texts = [share_text(10.0**tick) if tick > -3 else f"{10.0 ** (tick + 2):g} %" for tick in ticks]
    scale = _scale(_LOOKS["normal",])
    return colour_axis(decades, 0, title="Share", ticks=ticks, texts=texts, scale=scale)
