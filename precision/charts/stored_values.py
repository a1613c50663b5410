"""What a cast did to the stored values: in which tensors they overflowed, became zero or became subnormal."""

from dataclasses import dataclass
from typing import NamedTuple

import plotly.graph_objects as go

from precision.charts.axes import log_axis, rows_axis
from precision.charts.frame import Info, Space, dot_marker, figure_of
from precision.charts.palette import colour_of
from precision.results import CastAudit, StoredValues, TensorAudit
from precision.text.names import escape_plotly, for_plotly, plain
from precision.text.units import count_text, share_text

MAX_TENSORS = 30
_LINE_CHARACTERS = 28
"""Length of each of a name's two lines beside the axis; the whole name is in the hover text."""
_ROW_PX = 30

_KIND = "Counts of damaged stored values by tensor, logarithmic axis"
DAMAGE = (
    ("became infinite or NaN", "x", "became_nonfinite"),
    ("saturated", "triangle-up", "saturated"),
    ("became zero", "circle", "became_zero"),
    ("became subnormal", "diamond-open", "became_subnormal"),
)
"""(label, plotly symbol, field of `StoredValues`), the worst first."""


class DamagedTensor(NamedTuple):
    """One row: counts in the order of `DAMAGE`."""

    fqn: str
    elements: int
    counts: tuple[int, ...]


@dataclass(frozen=True)
class StoredValuesInfo(Info):
    """The numbers drawn."""

    dtype: str
    tensors: tuple[DamagedTensor, ...] = ()


def plot_stored_values(audit: CastAudit, dtype: str) -> go.Figure:
    """Per affected tensor, how many stored values became non-finite, saturated, zero or subnormal.

    The `MAX_TENSORS` worst are drawn: overflow first, then what became zero. A tensor that is still tied to another is
    counted there. The colour is that of `dtype`, the candidate's format.
    """
    return figure_of(_KIND, _stored_values_info(audit, dtype), _draw)


def _stored_values_info(audit: CastAudit, dtype: str) -> StoredValuesInfo:
    affected = [row for row in map(_damage, audit.tensors) if row and any(row.counts)]
    if not affected:
        rounded = sum(tensor.stored is not None for tensor in audit.tensors)
        none = "overflowed, became zero or became subnormal" if rounded else "was rounded"
        return StoredValuesInfo(dtype, title="Stored values: none lost", empty=f"No stored value {none}.")
    affected.sort(key=lambda row: (-(row.counts[0] + row.counts[1]), -row.counts[2], -row.counts[3], row.fqn))
    shown = affected[:MAX_TENSORS]
    detail = count_text(len(affected), "affected tensor")
    if len(shown) < len(affected):
        detail = f"the worst {len(shown)} of {detail}"
    return StoredValuesInfo(dtype, tuple(shown), title=_finding(affected), detail=detail)


def _damage(tensor: TensorAudit) -> DamagedTensor | None:
    stored: StoredValues | None = tensor.stored
    if stored is None or tensor.tie_kept:
        return None
    return DamagedTensor(tensor.fqn, stored.elements, tuple(getattr(stored, field) or 0 for _, _, field in DAMAGE))


def _finding(affected: list[DamagedTensor]) -> str:
    totals = [sum(row.counts[kind] for row in affected) for kind in range(len(DAMAGE))]
    said = [f"{total:,} {label}" for total, (label, _, _) in zip(totals, DAMAGE, strict=True) if total]
    return f"Stored values: {', '.join(said)}"


def _two_lines(fqn: str) -> str:
    name = plain(fqn, limit=2 * _LINE_CHARACTERS)
    if len(name) <= _LINE_CHARACTERS:
        return escape_plotly(name)
    # Break after a dot where both parts then fit.
    at = name.rfind(".", len(name) - _LINE_CHARACTERS - 1, _LINE_CHARACTERS) + 1 or _LINE_CHARACTERS
    return f"{escape_plotly(name[:at])}<br>{escape_plotly(name[at:])}"


def _draw(figure: go.Figure, info: StoredValuesInfo) -> Space:
    for kind, (label, symbol, _) in enumerate(DAMAGE):
        rows = [(at, row) for at, row in enumerate(info.tensors) if row.counts[kind]]
        if not rows:
            continue
        figure.add_scatter(
            x=[row.counts[kind] for _, row in rows],
            y=[at for at, _ in rows],
            mode="markers",
            name=label,
            marker=dot_marker(colour_of(info.dtype), symbol, size=11),
            customdata=[
                (for_plotly(row.fqn), escape_plotly(share_text(row.counts[kind] / row.elements))) for _, row in rows
            ],
            hovertemplate="%{customdata[0]}<br>%{x:,} " + label + ", %{customdata[1]} of its elements<extra></extra>",
        )
    largest = max(max(row.counts) for row in info.tensors)
    figure.update_layout(
        xaxis={**log_axis(0.7, max(largest, 10) * 1.5), "title": "Elements"},
        yaxis=rows_axis([_two_lines(row.fqn) for row in info.tensors], letters=10),
    )
    return Space(max(_ROW_PX * len(info.tensors), 48), footer=110, legend=True)
