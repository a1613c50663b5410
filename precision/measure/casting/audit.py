"""The cast audit: every tensor that a model stores, before and after a cast."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from precision.errors import InputError
from precision.formats import AnyFormat, ScaledFormat
from precision.measure.casting.audit_warnings import audit_warnings
from precision.measure.casting.frames import frame_of, side_of
from precision.measure.casting.held_weights import estimated_bytes, is_held
from precision.measure.casting.memory_spans import MemorySpans
from precision.measure.casting.sides import Side
from precision.measure.casting.stored_tensors import StoredTensor, stored_tensors
from precision.measure.casting.stored_values import stored_values
from precision.measure.casting.wrapped_tensors import parts_text, plain_values, stored_dtype
from precision.measure.rounding import dtype_name
from precision.results import CastAudit, ModuleNode, StoredValues, TensorAudit
from precision.spec.cast_methods import TORCHAO_FORMATS, CastMethod
from precision.spec.weights import StoredIn
from precision.text.units import bytes_text


def audit(
    before: nn.Module,
    after: nn.Module,
    *,
    fmt: AnyFormat,
    method: CastMethod,
    own: Mapping[str, StoredIn] = MappingProxyType({}),
) -> CastAudit:
    """Compare every tensor that `before` stores with the one that its cast copy `after` stores.

    Every byte of memory counts once, under the first tensor that covers it: ties and views add nothing to the
    totals. A model without tensors has totals of 0 and a warning that says so.

    With `own`, the tensors of these names are in formats of their own, and no other was cast.

    Raises:
        InputError: `after` lacks a tensor of `before`, so it is not a copy of it.
    """
    old, new = _by_name(before), _by_name(after)
    if missing := [name for name in old if name not in new]:
        raise InputError(f"{missing[0]} is missing after the cast: audit a model and a cast copy of that same model.")
    apart = {id(module): side for module in after.modules() if (side := side_of(module)) is not None}
    lowered = {key: side for key, side in apart.items() if not side.is_reference}
    pairs = _Pairs(
        owners=dict(after.named_modules(remove_duplicate=False)),
        kept=frozenset(map(id, after.modules())) - lowered.keys() if lowered else frozenset(apart),
        lowered=lowered,
        old=old,
        new=new,
        spans_before=MemorySpans((name, held.tensor) for name, held in old.items()),
        spans_after=MemorySpans((name, held.tensor) for name, held in new.items()),
        fmt=fmt,
        method=method,
        own=own,
    )
    rows = pairs.rows()
    return CastAudit(
        tensors=rows,
        modules=pairs.modules(before),
        bytes_before=pairs.spans_before.total,
        bytes_after=pairs.spans_after.total,
        estimated_bytes_after=pairs.estimated_total(rows),
        warnings=audit_warnings(rows, fmt=_surrounding(after, fmt), method=method),
    )


def _surrounding(after: nn.Module, fmt: AnyFormat) -> AnyFormat:
    """What the model's own code computes in: the reference's format in a plan that does not name it."""
    frames = [frame for module in after.modules() if (frame := frame_of(module)) is not None]
    if not frames or not frames[0].base.is_reference:
        return fmt
    root = frame_of(after)
    return root.side.fmt if root else frames[0].base.fmt


def _by_name(module: nn.Module) -> dict[str, StoredTensor]:
    return {held.fqn: held for held in stored_tensors(module)}


@dataclass(frozen=True, kw_only=True)
class _Pairs:
    owners: dict[str, nn.Module]
    """The modules of the cast copy."""
    kept: frozenset[int]
    """`id` of those that stay in the reference's precision."""
    lowered: Mapping[int, Side]
    """By `id`, those that have a format of their own."""
    old: dict[str, StoredTensor]
    new: dict[str, StoredTensor]
    spans_before: MemorySpans
    spans_after: MemorySpans
    fmt: AnyFormat
    method: CastMethod
    own: Mapping[str, StoredIn] = field(default_factory=dict)

    def rows(self) -> tuple[TensorAudit, ...]:
        compared: dict[tuple[int, int], StoredValues | None] = {}
        return tuple(self._row(name, compared) for name in self.old)

    def _row(self, name: str, compared: dict[tuple[int, int], StoredValues | None]) -> TensorAudit:
        before = self.old[name]
        old, new = before.tensor, self.new[name].tensor
        tied_to = self.spans_before.tied_to(name)
        owner = self.owners[before.module]
        how = self.lowered.get(id(owner))
        fmt, method = (how.fmt, how.method) if how else (self.fmt, self.method)
        held = id(owner) not in self.kept and is_held(old, before.kind, fmt, method)
        scale = 0
        if self.own:
            way = self.own.get(name)
            fmt, scale = (way.fmt, way.exponent) if way else (fmt, 0)
            held = way is not None and not way.is_stored
        estimate = estimated_bytes(new, fmt, owner) if held and not method.row.keeps_dtype else None
        quantized = is_traceable_wrapper_subclass(new)
        changed = held or quantized or old.dtype != new.dtype
        same = (id(old), id(new))
        if changed and same not in compared:
            compared[same] = _compared(
                old, new, fmt=fmt if held or quantized else None, scaled=quantized or bool(scale)
            )
        return TensorAudit(
            fqn=name,
            kind=self.old[name].kind,
            shape=tuple(old.shape),
            dtype_before=dtype_name(old.dtype),
            dtype_after=dtype_name(stored_dtype(new)),
            bytes_before=self.spans_before.size(name),
            bytes_after=self.spans_after.size(name),
            counted_bytes_before=self.spans_before.owned(name),
            counted_bytes_after=self.spans_after.owned(name),
            tied_to=tied_to,
            tie_kept=self.spans_after.overlap(name, tied_to) if tied_to is not None else None,
            changed=changed,
            reason=(f"multiplied by 2^{scale}, " if scale else "")
            + _why_changed(old, new, estimate, fmt=fmt, method=method)
            if changed
            else self._why_not(self.old[name], new, fmt=fmt, method=method),
            stored=compared[same] if changed else None,
            rounded_to=fmt.name if held or quantized else None,
            estimated_bytes_after=estimate,
        )

    def estimated_total(self, rows: tuple[TensorAudit, ...]) -> int | None:
        """Bytes of the copy if every held tensor were stored in the format, what two tensors share once."""
        stores = self.fmt.has_dtype or self.method in TORCHAO_FORMATS
        if stores and all(row.estimated_bytes_after is None for row in rows):
            return None
        saved = sum(
            row.counted_bytes_after - round(row.estimated_bytes_after * row.counted_bytes_after / row.bytes_after)
            for row in rows
            if row.estimated_bytes_after is not None and row.bytes_after
        )
        return self.spans_after.total - saved

    def _why_not(self, held: StoredTensor, new: Tensor, *, fmt: AnyFormat, method: CastMethod) -> str:
        casting = method.call(fmt)
        if held.kind == "attribute":
            return f"a plain attribute, which {casting} does not see"
        if new.dtype.is_complex:
            return f"complex: {casting} leaves it as it is"
        if not new.dtype.is_floating_point:
            return f"{dtype_name(new.dtype)}: only floating-point tensors are cast"
        if id(self.owners[held.module]) in self.kept or (self.own and held.fqn not in self.own):
            return f"kept in {dtype_name(new.dtype)}, as asked for"
        if method.row.unchanged:
            return method.row.unchanged
        if isinstance(fmt, ScaledFormat):
            return f"only weight matrices are cast to {fmt.name}"
        if dtype_name(new.dtype) == fmt.name:
            return f"already {fmt.name}"
        if method.row.of_checkpoint and held.kind == "non-persistent buffer":
            return f"not part of a checkpoint, so {method.row.of_checkpoint} leaves it as it is"
        return f"kept in {dtype_name(new.dtype)} by the model's own code"

    def modules(self, before: nn.Module) -> tuple[ModuleNode, ...]:
        old_bytes: defaultdict[str, int] = defaultdict(int)
        new_bytes: defaultdict[str, int] = defaultdict(int)
        for name, held in self.old.items():
            old_bytes[held.module] += self.spans_before.owned(name)
        for name, held in self.new.items():
            new_bytes[held.module] += self.spans_after.owned(name)
        return tuple(
            ModuleNode(fqn=name, type=type(child).__name__, bytes_before=old_bytes[name], bytes_after=new_bytes[name])
            for name, child in before.named_modules()
        )


def _compared(old: Tensor, new: Tensor, *, fmt: AnyFormat | None, scaled: bool) -> StoredValues | None:
    """What was lost of the values; None where whole numbers or booleans were cast, which have no rounding."""
    if not (old.is_floating_point() or old.is_complex()):
        return None
    return stored_values(old, plain_values(new), fmt=fmt, scaled=scaled)


def _why_changed(old: Tensor, new: Tensor, estimate: int | None, *, fmt: AnyFormat, method: CastMethod) -> str:
    if is_traceable_wrapper_subclass(new):
        return f"quantized by torchao: {parts_text(new)}"
    if estimate is not None:
        return (
            f"rounded to {fmt.name} and held in {dtype_name(new.dtype)}; stored in the format it would take "
            f"{bytes_text(estimate)} (estimated)"
        )
    if method.row.changed:
        return method.row.changed.format(fmt=fmt.name, dtype=dtype_name(new.dtype))
    if not fmt.has_dtype:
        return f"cast to {dtype_name(new.dtype)}, in which everything is computed"
    if old.is_complex():
        return f"cast by {method.call(fmt)}, which also casts complex tensors and drops their imaginary part"
    whole = "" if old.is_floating_point() else f", which also casts {dtype_name(old.dtype)} tensors"
    return f"cast by {method.call(fmt)}{whole}"
