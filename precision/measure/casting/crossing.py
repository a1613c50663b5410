"""Tensors that cross into a module of another precision, and what the module wrote to them, carried back."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from precision.measure.casting.forward import map_tensors, tensors_of
from precision.measure.casting.sides import Side
from precision.measure.rounding import dtype_name
from precision.results.flow import Dtypes

T = TypeVar("T")


def brought(structure: T, recorded: Dtypes | None, *, source: Side, target: Side, one: Callable[..., Tensor]) -> T:
    """A structure whose floating-point tensors are cast from one side to another by `one(tensor, dtype)`.

    Each gets the dtype that the target's own run has there. Where that run has no such call, or other tensors there,
    those in the dtype of `source` get that of `target`.
    """
    if recorded is not None and len(recorded) != len(dtypes_of(structure)):
        recorded = None
    wanted = map(_dtype, recorded or ())

    def change(tensor: Tensor) -> Tensor:
        dtype = next(wanted, None)
        if not tensor.is_floating_point():
            return tensor
        if dtype is None:
            dtype = target.dtype if tensor.dtype == source.dtype else tensor.dtype
        return one(tensor, dtype if dtype.is_floating_point else tensor.dtype)

    return map_tensors(structure, change)


def dtypes_of(structure: object) -> Dtypes:
    """The dtypes of the distinct tensors in a structure, in order."""
    found: list[str] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(dtype_name(tensor.dtype))
        return tensor

    map_tensors(structure, note)
    return tuple(found)


@cache
def _dtype(name: str) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, name)
    return dtype


class _Copy(NamedTuple):
    """One storage that was copied, as a row of numbers that begins somewhere in it."""

    # Of inputs, what is written to a copy is written back; of what modules inside return, it is not.

    original: Tensor
    """Any tensor that lies in it."""
    start: int
    """Place in the original's storage of the copy's first number."""
    copy: Tensor
    version: int | None = None
    """Of a copy of what a module inside returned, as it was made: written to, it is no copy any more."""


@dataclass
class Roundings:
    """What casting did to what modules inside return: noted in one run, and added again in another.

    Rounded anew, numbers that differ a little would be off by something else.
    """

    _errors: dict[tuple[str, int, int], Tensor] = field(default_factory=dict)
    """By fqn, call, and place among what the call returned."""
    _calls: Counter[str] = field(default_factory=Counter)
    _notes: bool = True

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Inside, they are noted."""
        yield from self._used(notes=True)

    @contextmanager
    def repeated(self) -> Iterator[None]:
        """Inside, they are those that were noted."""
        yield from self._used(notes=False)

    def next_call(self, fqn: str) -> Callable[[Tensor, Tensor], Tensor]:
        """Of the tensors that a call of a module returned, and their casts: what takes their places."""
        call = self._calls[fqn]
        self._calls[fqn] += 1
        places = itertools.count()

        def one(made: Tensor, low: Tensor) -> Tensor:
            key = fqn, call, next(places)
            if self._notes:
                self._errors[key] = (low.to(made.dtype) - made).nan_to_num(0.0, 0.0, 0.0)
                return low
            error = self._errors.get(key)
            return made if error is None or error.shape != made.shape else made + error.to(made.dtype)

        return one

    def _used(self, *, notes: bool) -> Iterator[None]:
        self._notes = notes
        self._calls.clear()
        token = _ROUNDINGS.set(self)
        try:
            yield
        finally:
            _ROUNDINGS.reset(token)


_ROUNDINGS: ContextVar[Roundings | None] = ContextVar("roundings", default=None)


@dataclass
class Crossing:
    """One call of a module of `target` by code of `source`."""

    source: Side
    target: Side
    _copies: dict[int, _Copy] = field(default_factory=dict)
    """By the storage of the copy."""
    _written: list[Tensor] = field(default_factory=list)

    def into(self, structure: T, recorded: Dtypes | None, *, writes: bool, uncast: Collection[int] = frozenset()) -> T:
        """The inputs as the target takes them. With `writes`, tensors that share memory go on sharing it.

        Tensors whose `id` is in `uncast` stay as they are.
        """
        spans = _spans(structure) if writes else {}
        shared: dict[tuple[int, torch.dtype], _Copy] = {}

        def one(tensor: Tensor, dtype: torch.dtype) -> Tensor:
            if id(tensor) in uncast or (tensor.dtype == dtype and self.target.rounded_to is None):
                return tensor
            low = self.target.rounded(tensor.to(dtype))
            key = _storage(tensor), dtype
            is_alone = key[0] not in spans or spans[key[0]].tensors == 1
            if low is tensor or not is_plain(tensor) or tensor.requires_grad or not tensor.numel():
                return low
            if is_alone and low.stride() == tensor.stride():
                self._copies[_storage(low)] = _Copy(tensor, int(tensor.storage_offset() - low.storage_offset()), low)
                return low
            if not writes:
                return low
            if key not in shared:
                span = spans[key[0]]
                row = tensor.as_strided((span.end - span.start,), (1,), span.start)
                copy = self.target.rounded(row.to(dtype))
                shared[key] = _Copy(tensor, span.start, copy)
                self._copies[_storage(copy)] = shared[key]
            return shared[key].copy.as_strided(
                tensor.size(), tensor.stride(), tensor.storage_offset() - shared[key].start
            )

        return brought(structure, recorded, source=self.source, target=self.target, one=one)

    def watching(self, *, writes: bool) -> AbstractContextManager[object]:
        """Notes, inside, what kernels write to the copies."""
        return _WriteWatch(self._copies, self._written) if writes and self._copies else nullcontext()

    def write_back(self) -> None:
        """Carry what was written to the copies to the caller's tensors; what was not written stays as it is."""
        with torch.no_grad():
            for view in self._written:
                part = self._part_of_original(view)
                if part is not None:
                    part.copy_(self.source.rounded(self._made(view).to(part.dtype)))

    def out_of(self, structure: T, recorded: Dtypes | None, *, fqn: str, around: Crossing | None) -> T:
        """The outputs of the module as the source takes them.

        An output that lies in a copied input is a part of the input itself; so it is with what a module inside
        returned. But nobody outside of the model, "", shares its inputs.

        `around` is the crossing into the source: what it hands on unchanged is not rounded either.
        """
        roundings = _ROUNDINGS.get()
        taken = roundings.next_call(fqn) if roundings and around else None

        def one(tensor: Tensor, dtype: torch.dtype) -> Tensor:
            part = self._part_of_original(tensor) if fqn else None
            if part is not None:
                # A module inside may be in a third precision.
                return part if part.dtype in (self.source.dtype, dtype) else self.source.rounded(part.to(dtype))
            made = self._made(tensor)
            low = self.source.rounded(made.to(dtype))
            if taken is not None:
                low = taken(made, low)
            if around is not None and low is not made:
                around.remember(made, low)
            return low

        return brought(structure, recorded, source=self.target, target=self.source, one=one)

    def remember(self, made: Tensor, low: Tensor) -> None:
        """A module inside returned `made`, and the code of this crossing's module sees `low`."""
        is_copy = is_plain(made) and is_plain(low) and made.stride() == low.stride() and not low.requires_grad
        if is_copy and made.numel() and not low.is_inference():
            start = int(made.storage_offset() - low.storage_offset())
            self._copies[_storage(low)] = _Copy(made, start, low, low._version)

    def _made(self, tensor: Tensor) -> Tensor:
        return self.target.rounded(tensor) if self.target.rounds_outputs else tensor

    def _part_of_original(self, tensor: Tensor) -> Tensor | None:
        if not is_plain(tensor):
            return None
        found = self._copies.get(_storage(tensor))
        if found is None or found.version not in (None, found.copy._version):
            return None
        return found.original.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset() + found.start)


class _Span(NamedTuple):
    start: int
    end: int
    tensors: int


def _spans(structure: object) -> dict[int, _Span]:
    """The part of each storage in which the tensors of a structure lie."""
    found: dict[int, _Span] = {}

    def note(tensor: Tensor) -> Tensor:
        if is_plain(tensor) and tensor.numel():
            start = int(tensor.storage_offset())
            last = sum((size - 1) * stride for size, stride in zip(tensor.size(), tensor.stride(), strict=True))
            end = int(start + last + 1)
            known = found.get(_storage(tensor), _Span(start, end, 0))
            found[_storage(tensor)] = _Span(min(start, known.start), max(end, known.end), known.tensors + 1)
        return tensor

    map_tensors(structure, note)
    return found


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is a view of one row of numbers: not where it is sparse or nested."""
    return tensor.layout == torch.strided and not tensor.is_nested


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata if is_plain(tensor) else id(tensor)


class _WriteWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the tensors that operators write to, where they lie in one of the copies."""

    def __init__(self, copies: dict[int, _Copy], written: list[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._copies, self._written = copies, written

    def __torch_dispatch__(
        self, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in written_tensors(func, args, kwargs or {}):
            if is_plain(tensor) and _storage(tensor) in self._copies:
                self._written.append(tensor)
        return result


def written_tensors(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Tensor]:
    """The arguments of an operator that it writes to, by its schema."""
    if not func._schema.is_mutable:
        return
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is None or not argument.alias_info.is_write:
            continue
        value = args[place] if place < len(args) and not argument.kwarg_only else kwargs.get(argument.name)
        yield from tensors_of(value)
