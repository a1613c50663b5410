"""How far each tensor's largest value is from the largest of a format."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import plotly.graph_objects as go

from precision.charts.axes import evenly_spaced, rows_axis
from precision.charts.frame import Info, Space, figure_of, marker
from precision.charts.palette import OUTLINE
from precision.charts.row_groups import row_name, shared_text, without_shared
from precision.findings.fit.rounding import window_of
from precision.formats import AnyFormat, NumericFormat
from precision.results.ranges import Ranges, TensorRange
from precision.text.names import for_plotly, plain
from precision.text.units import count_text, number_text

MAX_TENSORS = 20

_KIND = "Bars of the headroom of tensors, in powers of two"
_ROW_PX = 22


class _Bar(NamedTuple):
    label: str
    headroom_bits: float
    largest: float
    overflows: bool


@dataclass(frozen=True)
class HeadroomInfo(Info):
    """The numbers drawn, least headroom first."""

    format: str
    rows: tuple[_Bar, ...] = ()
    labels: tuple[str, ...] = ()
    """Of the rows, without the path that all share."""


def plot_headroom(ranges: Ranges, tensors: Sequence[TensorRange], fmt: AnyFormat) -> go.Figure:
    """log2(format's largest value / tensor's largest), of the `MAX_TENSORS` tensors with the least headroom.

    Tensors without finite non-zero values are left out, and so are tensors that repeat the values of another one.
    For formats with scales there is nothing to draw.
    """
    return figure_of(_KIND, _headroom_info(ranges, tensors, fmt), _draw)


def _headroom_info(ranges: Ranges, tensors: Sequence[TensorRange], fmt: AnyFormat) -> HeadroomInfo:
    if not isinstance(fmt, NumericFormat):
        reason = f"{fmt.name} scales its values to its range: they always fit."
        return HeadroomInfo(fmt.name, title="No headroom to measure", empty=reason)
    first_of = {tensor.histogram: tensor for tensor in reversed(tensors)}
    window = window_of(fmt)
    rows = [
        _Bar(tensor.label, _headroom(fmt, largest), largest, window.overflows(largest))
        for tensor in first_of.values()
        if (largest := ranges.histogram_of(tensor).largest)
    ]
    rows.sort(key=lambda row: row.headroom_bits)
    if not rows:
        reason = "None of the tensors has a finite value other than zero." if tensors else "No tensor to show."
        return HeadroomInfo(fmt.name, title="No headroom to measure", empty=reason)
    shown = tuple(rows[:MAX_TENSORS])
    beyond = sum(row.overflows for row in rows)
    least, distinct = rows[0], count_text(len(rows), "distinct tensor")
    if beyond:
        title = f"{beyond:,} of {distinct} exceed {plain(fmt.name)}, {_name(least)} the most"
    else:
        title = f"{_name(least)} has the least headroom in {plain(fmt.name)}: {least.headroom_bits:.1f} powers of two"
    shared, names = without_shared([row.label for row in shown])
    few = (
        f"the {len(shown)} tensors with the least headroom, of {len(rows):,} distinct ones"
        if len(shown) < len(rows)
        else ""
    )
    detail = "; ".join(filter(None, (few, shared_text(shared))))
    return HeadroomInfo(fmt.name, shown, tuple(names), title=title, detail=detail)


def _headroom(fmt: NumericFormat, largest: float) -> float:
    return math.log2(fmt.max) - math.log2(largest)


def _name(row: _Bar) -> str:
    return plain(row.label, limit=40)


def _draw(figure: go.Figure, info: HeadroomInfo) -> Space:
    fill = marker(info.format)
    shapes = ["x" if row.overflows else fill["pattern"]["shape"] for row in info.rows]
    figure.add_bar(
        orientation="h",
        y=list(range(len(info.rows))),
        x=[row.headroom_bits for row in info.rows],
        text=["overflow" if row.overflows else "" for row in info.rows],
        textposition="auto",
        marker={**fill, "pattern": {**fill["pattern"], "shape": shapes}},
        customdata=[(for_plotly(row.label), number_text(row.largest)) for row in info.rows],
        hovertemplate="%{customdata[0]}<br>largest value %{customdata[1]}, "
        "headroom %{x:.2f} powers of two<extra></extra>",
    )
    low = min(0.0, info.rows[0].headroom_bits)
    high = max(0.0, info.rows[-1].headroom_bits)
    spread = high - low or 1.0
    figure.add_vline(x=0, line={"color": OUTLINE, "width": 2})
    figure.update_layout(
        bargap=0.3,
        xaxis={
            "title": f"Headroom in {for_plotly(info.format)} (powers of two)",
            "range": [low - 0.05 * spread, high + 0.05 * spread],
            "tickvals": evenly_spaced(low, low + spread),
            "zeroline": False,
        },
        yaxis=rows_axis([row_name(label) for label in info.labels], letters=10),
    )
    return Space(max(_ROW_PX * len(info.rows), 48))
