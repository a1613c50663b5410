"""How many bytes a model stores in each dtype, before and after a cast."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal, NamedTuple

import plotly.graph_objects as go

from precision.charts.axes import bytes_axis
from precision.charts.frame import Info, Space, figure_of, marker
from precision.charts.palette import colour_of, text_on
from precision.findings.cast import changed_text, estimated_text
from precision.formats import FORMATS
from precision.results import CastAudit, TensorAudit
from precision.text.names import for_plotly, plain
from precision.text.units import bytes_text, change_text

Side = Literal["before", "after"]
SIDES: tuple[Side, Side] = ("before", "after")

_KIND = "Stacked bars of the stored bytes by dtype"
_LABELLED_SHARE = 0.2
"""Segments narrower than this share of the widest bar have no label: there is no room."""


class _Bytes(NamedTuple):
    dtype: str
    before: int
    after: int


@dataclass(frozen=True)
class StoredBytesInfo(Info):
    """The numbers drawn."""

    dtypes: tuple[_Bytes, ...] = ()


def counted_bytes(tensor: TensorAudit, side: Side) -> int:
    """Bytes that `tensor` adds to the model's total, before or after the cast; shared bytes count once."""
    return tensor.counted_bytes_before if side == "before" else tensor.counted_bytes_after


def dtype_on(tensor: TensorAudit, side: Side) -> str:
    """The tensor's dtype before or after the cast."""
    return tensor.dtype_before if side == "before" else tensor.dtype_after


def plot_stored_bytes(audit: CastAudit) -> go.Figure:
    """Bytes by dtype before and after, one bar each; tied tensors count once, tensors without elements not at all."""
    return figure_of(_KIND, _stored_bytes_info(audit), _draw)


def _stored_bytes_info(audit: CastAudit) -> StoredBytesInfo:
    totals: dict[Side, Counter[str]] = {side: Counter() for side in SIDES}
    for side, counter in totals.items():
        for tensor in audit.tensors:
            counter[plain(dtype_on(tensor, side))] += counted_bytes(tensor, side)
    dtypes = tuple(
        _Bytes(name, totals["before"][name], totals["after"][name])
        for name in _widest_first({*totals["before"], *totals["after"]})
        if totals["before"][name] or totals["after"][name]
    )
    if not dtypes:
        return StoredBytesInfo(title="Nothing stored", empty="The model stores no values: no parameters, no buffers.")
    return StoredBytesInfo(
        dtypes=dtypes,
        title=bytes_finding(audit),
        detail="; ".join(filter(None, (changed_text(audit), estimated_text(audit)))),
    )


def _widest_first(names: set[str]) -> list[str]:
    order = [row.name for row in FORMATS]
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def bytes_finding(audit: CastAudit) -> str:
    """What the cast did to the bytes, as a title."""
    before, after = audit.bytes_before, audit.bytes_after
    if before == after:
        return f"The model keeps its {bytes_text(before)}"
    return f"Stored bytes {change_text(before, after)}: {bytes_text(before)} → {bytes_text(after)}"


def _draw(figure: go.Figure, info: StoredBytesInfo) -> Space:
    widest = max(sum(row.before for row in info.dtypes), sum(row.after for row in info.dtypes))
    for row in info.dtypes:
        colour = colour_of(row.dtype)
        sizes = (row.before, row.after)
        figure.add_bar(
            name=for_plotly(row.dtype),
            orientation="h",
            y=list(SIDES),
            x=list(sizes),
            text=[
                f"{for_plotly(row.dtype).replace('_', '_<br>')}<br>{bytes_text(size)}"
                if size > _LABELLED_SHARE * widest
                else ""
                for size in sizes
            ],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="none",
            insidetextfont={"color": text_on(colour), "size": 12},
            customdata=[bytes_text(size) for size in sizes],
            marker=marker(row.dtype),
            hovertemplate="%{y}: %{customdata} of " + for_plotly(row.dtype) + "<extra></extra>",
        )
    figure.update_layout(
        barmode="stack",
        bargap=0.3,
        xaxis={**bytes_axis(widest), "title": "Stored bytes"},
        yaxis={"autorange": "reversed"},
    )
    return Space(160, footer=90, legend=True)
