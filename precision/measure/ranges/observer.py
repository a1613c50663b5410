"""Watching one forward pass: the values that every module takes and returns, counted by exponent."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from precision.measure.casting.forward import is_leaf
from precision.measure.casting.held_weights import channel_axis
from precision.measure.metrics.outputs import Leaf, flatten
from precision.measure.ranges.counts import ValueCounts, counts_of
from precision.measure.ranges.exponents import exponents_of
from precision.measure.ranges.groups import groups_of
from precision.results.ranges import RangeKind

_REMEMBERED = 128


@dataclass(kw_only=True)
class Observed:
    """One weight, or one input or output of a module over the calls so far."""

    module: str
    module_type: str
    kind: RangeKind
    name: str
    dtype: str
    calls: int = 0
    counts: ValueCounts = field(default_factory=ValueCounts)


class RangeObserver:
    """Counts the inputs and outputs of all modules of a model, over one or several passes.

    The hooks are global ones: hooks on the modules themselves would switch off the fast path of
    `nn.TransformerEncoder` and so change what is measured; what it computes without calling its submodules stays
    unseen. Positional inputs are read before the call. Inputs by keyword, which global hooks see only then, are read
    when the call ends, so that one that the call itself overwrites counts with its new values. Integer and boolean
    tensors have no exponents and are skipped. Nothing but counts is kept. What one module hands to the next unchanged
    is read once; a change made through `.data`, which tensors do not record, goes unseen until then.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, RangeKind, str], Observed] = {}
        self._names: dict[int, str] | None = None
        self._called: set[str] = set()
        self._leaves: tuple[str, ...] = ()
        self._measured = _Measured()
        self._data: Tensor | None = None

    @property
    def rows(self) -> tuple[Observed, ...]:
        """What was seen so far, in the order in which it first was."""
        return tuple(self._rows.values())

    @property
    def not_called(self) -> tuple[str, ...]:
        """fqns of modules without submodules that have not run so far."""
        return tuple(name for name in self._leaves if name not in self._called)

    @contextmanager
    def observing(self, data: Tensor | None = None) -> Iterator[None]:
        """Observe one pass: of the model that is called first inside. Another copy of it needs another turn.

        `data` says which positions `(texts, positions)` are no padding: padding is not counted.
        """
        self._names, self._data = None, data
        after = register_module_forward_hook(self._after, with_kwargs=True)
        with register_module_forward_pre_hook(self._before), after:
            yield

    def _before(self, module: nn.Module, args: tuple[object, ...]) -> None:
        if self._names is None:
            self._names = {id(child): name for name, child in module.named_modules()}
            self._leaves = tuple(name for name, child in module.named_modules() if is_leaf(child))
        if (name := self._names.get(id(module))) is not None:
            self._called.add(name)
            self._read(module, name, "input", {str(at): value for at, value in enumerate(args)})

    def _after(self, module: nn.Module, _args: object, kwargs: dict[str, object], output: object) -> None:
        if self._names is not None and (name := self._names.get(id(module))) is not None:
            self._read(module, name, "input", kwargs)
            self._read(module, name, "output", {"": output})

    def _read(self, module: nn.Module, fqn: str, kind: RangeKind, values: Mapping[str, object]) -> None:
        for place, value in values.items():
            for leaf in flatten(value).leaves:
                if leaf.has_magnitudes:
                    row = self._row(module, fqn, kind, _name(kind, place, leaf), leaf.dtype)
                    row.calls += 1
                    row.counts.merge(self._measured.counts_of(leaf, _axis(leaf.tensor, module, kind), self._data))

    def _row(self, module: nn.Module, fqn: str, kind: RangeKind, name: str, dtype: str) -> Observed:
        if (row := self._rows.get((fqn, kind, name))) is None:
            row = Observed(module=fqn, module_type=type(module).__name__, kind=kind, name=name, dtype=dtype)
            self._rows[fqn, kind, name] = row
        elif dtype not in row.dtype.split(", "):
            row.dtype += f", {dtype}"
        return row


def _name(kind: RangeKind, place: str, leaf: Leaf) -> str:
    """Such as `input[0]`, `input.mask`, `output`, `output[1]` or `output.logits`."""
    step = f"[{place}]" if place.isdecimal() else f".{place}" if place else ""
    path = "" if leaf.path == "output" else leaf.path
    return f"{kind}{step}{path if not path or path.startswith('[') else f'.{path}'}"


def _axis(tensor: Tensor, module: nn.Module, kind: RangeKind) -> int:
    """The dimension along which values would share scales: of inputs what the module sums over, else the last."""
    return channel_axis(tensor, module) % max(tensor.dim(), 1) if kind == "input" else max(tensor.dim() - 1, 0)


class _Measured:
    """Counts of tensors that still exist and are unchanged, so that what one module hands to the next is read once."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, ...], tuple[StorageWeakRef, ValueCounts]] = OrderedDict()

    def counts_of(self, leaf: Leaf, axis: int, data: Tensor | None) -> ValueCounts:
        tensor = leaf.tensor

        def kept() -> tuple[Tensor, int]:
            """The tensor without padding, and the axis in it: texts and positions are then one dimension."""
            found = leaf.without(data)
            return found.tensor, axis if found is leaf else max(axis - 1, 0)

        if tensor.is_inference():  # carries no version that would tell whether it was changed since
            values, along = kept()
            return counts_of(values, axis=along)
        # The weak reference keeps the storage's address from being given to another while it is remembered.
        storage = StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
        key = (
            *(storage.cdata, tensor._version, tensor.dtype, tensor.is_neg()),
            *(tensor.storage_offset(), tuple(tensor.shape), tensor.stride()),
        )
        if (found := self._found((*key, axis))) is None:
            # Along another dimension only the neighbours are others.
            same = self._found(key)
            values, along = kept()
            found = ValueCounts(same.exponents if same else exponents_of(values), groups_of(values, axis=along))
            self._known[(*key, axis)] = self._known[key] = storage, found
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found

    def _found(self, key: tuple[object, ...]) -> ValueCounts | None:
        known = self._known.get(key)
        return known[1] if known and not known[0].expired() else None  # type: ignore[no-untyped-call]
