"""The dtypes of what every layer stores, before and after a cast, in the model's order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import plotly.graph_objects as go

from precision.charts.frame import Info, Space, figure_of
from precision.charts.row_groups import neighbours
from precision.charts.strip import MAX_BARS, StripBar, add_strip, strip_bar
from precision.results import CastAudit, TensorAudit
from precision.text.names import plain
from precision.text.units import count_text

_KIND = "Two strips of the dtypes that every layer stores, before above after, in the model's order"
_NAMED = 3
"""Exceptions that are named."""


class StoringLayer(NamedTuple):
    """The tensors that one module holds itself."""

    fqn: str
    tensors: tuple[TensorAudit, ...]


@dataclass(frozen=True)
class DtypeStripInfo(Info):
    """The numbers drawn."""

    dtypes: tuple[str, ...] = ()
    """The most frequent first."""
    rows: tuple[int, ...] = ()
    """Of each bar, its first layer."""
    before: tuple[StripBar, ...] = ()
    after: tuple[StripBar, ...] = ()


def storing_layers(audit: CastAudit) -> tuple[StoringLayer, ...]:
    """The modules that hold tensors themselves, in the order of the model."""
    held: dict[str, list[TensorAudit]] = {}
    for tensor in audit.tensors:
        held.setdefault(tensor.fqn.rpartition(".")[0], []).append(tensor)
    return tuple(StoringLayer(fqn, tuple(tensors)) for fqn, tensors in held.items())


def plot_dtype_strip(audit: CastAudit) -> go.Figure:
    """A bar for each layer that stores tensors, in the colours of their dtypes, each as high as its share of them.

    A click gives the place of the layer in `storing_layers`. Where there are many, neighbours share a bar.
    """
    return figure_of(_KIND, _dtype_strip_info(audit), _draw)


def after_text(tensor: TensorAudit) -> str:
    """The format of a tensor's values after the cast: that to which they were rounded, whatever holds them."""
    return plain(tensor.rounded_to or tensor.dtype_after)


def _dtype_strip_info(audit: CastAudit) -> DtypeStripInfo:
    layers = storing_layers(audit)
    if not layers:
        return DtypeStripInfo(title="Nothing stored", empty="The model stores no parameters and no buffers.")
    groups = neighbours(layers, MAX_BARS)
    before = tuple(_bar(group, [plain(each.dtype_before) for each in _tensors(group)]) for group in groups)
    after = tuple(_bar(group, [after_text(each) for each in _tensors(group)]) for group in groups)
    counts = Counter[str]()
    for bar in (*after, *before):
        counts.update(dict(bar.formats))
    together = f"; {count_text(len(layers), 'layer')} in {len(groups)} bars" if len(groups) < len(layers) else ""
    size = len(groups[0])
    return DtypeStripInfo(
        dtypes=tuple(name for name, _ in counts.most_common()),
        rows=tuple(size * at for at in range(len(groups))),
        before=before,
        after=after,
        title=_finding(layers),
        detail=f"what each layer stores, from the first to the last{together}. {_exceptions(layers)}".rstrip(" ."),
    )


def _bar(group: Sequence[StoringLayer], dtypes: Sequence[str]) -> StripBar:
    return strip_bar([layer.fqn or "(model)" for layer in group], dtypes)


def _tensors(group: Sequence[StoringLayer]) -> list[TensorAudit]:
    return [tensor for layer in group for tensor in layer.tensors]


def _finding(layers: Sequence[StoringLayer]) -> str:
    changed = [layer for layer in layers if any(map(_is_changed, layer.tensors))]
    if not changed:
        return f"No layer changes: {count_text(len(layers), 'layer')}"
    tensors = [tensor for layer in changed for tensor in layer.tensors if _is_changed(tensor)]
    names = " and ".join(name for name, _ in Counter(map(after_text, tensors)).most_common(2))
    verb = "hold values of" if any(tensor.rounded_to for tensor in tensors) else "store"
    if len(changed) == 1:
        verb = {"store": "stores"}.get(verb, "holds values of")
    which = f"{len(changed):,} of {count_text(len(layers), 'layer')}"
    if len(changed) == len(layers):
        which = "The only layer" if len(layers) == 1 else f"All {len(layers):,} layers"
    return f"{which} {verb} {names} after the cast"


def _exceptions(layers: Sequence[StoringLayer]) -> str:
    """The layers whose floating-point tensors are all as they were, and those that hold other numbers, by name."""
    alone = [layer.fqn for layer in layers if not any(map(_is_floating, layer.tensors))]
    kept = [layer.fqn for layer in layers if layer.fqn not in alone and not any(map(_is_changed, layer.tensors))]
    whole = [layer.fqn for layer in layers if layer.fqn not in alone and not all(map(_is_floating, layer.tensors))]
    said = ((kept, "Unchanged"), (alone, "Whole numbers alone"), (whole, "With whole numbers"))
    return ". ".join(f"{what}: {_some(names)}" for names, what in said if names and len(names) < len(layers))


def _some(fqns: Sequence[str]) -> str:
    named = ", ".join(plain(fqn) if fqn else "(model)" for fqn in fqns[:_NAMED])
    return named if len(fqns) <= _NAMED else f"{named} and {len(fqns) - _NAMED:,} more"


def _is_changed(tensor: TensorAudit) -> bool:
    return after_text(tensor) != plain(tensor.dtype_before)


def _is_floating(tensor: TensorAudit) -> bool:
    return tensor.dtype_before.startswith(("float", "bfloat", "complex"))


def _draw(figure: go.Figure, info: DtypeStripInfo) -> Space:
    add_strip(figure, info.after, info.dtypes, rows=info.rows, top=0.47)
    add_strip(figure, info.before, info.dtypes, rows=info.rows, bottom=0.53, named="before")
    figure.update_yaxes(
        visible=True, tickvals=[0.235, 0.765], ticktext=["after", "before"], showgrid=False, zeroline=False
    )
    return Space(96, footer=48, legend=True)
