"""Where each tensor of one side comes from: the operators, inputs and stored tensors whose values are in it."""

import inspect
import weakref
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from precision.measure.casting.memory_spans import storage_of
from precision.measure.casting.stored_tensors import stored_tensors
from precision.measure.metrics.outputs import flatten
from precision.results.layers import UNKNOWN, Source

Names = tuple[Source, ...]
"""Sources of a tensor, each once: numbers of this side's operators, and names. None of what the model stores."""

_MANY = 4096
"""From this many entries on, a table drops those of tensors that are gone."""


class _Known(NamedTuple):
    tensor: weakref.ref[Tensor]
    sources: Names
    tick: int


class _Memory(NamedTuple):
    storage: StorageWeakRef
    sources: Names
    tick: int
    """When it was last written to."""

    @property
    def is_gone(self) -> bool:
        """Whether it was freed; something else may have its address."""
        return bool(self.storage.expired())  # type: ignore[no-untyped-call]


class Sources:
    """Follows the tensors of one run, by what is told of it.

    A tensor is known as the object that an operator returned. A write in place makes the writer the source of all that
    shares its memory; views have the sources of what they look at. A tensor that was never seen has those of the
    memory that it shares with one that was.
    """

    def __init__(self) -> None:
        self._tensors: dict[int, _Known] = {}
        self._memory: dict[int, _Memory] = {}
        self._stored: frozenset[int] = frozenset()
        self._tick = 0

    def begin(self, module: nn.Module, args: tuple[object, ...], kwargs: Mapping[str, object]) -> None:
        """The model and what it is given; inputs are called as its forward calls them."""
        self._stored = frozenset(storage_of(each.tensor) for each in stored_tensors(module) if each.tensor.numel())
        for leaf in flatten(_arguments(module, args, kwargs), detached=False).leaves:
            self._know(leaf.tensor, (leaf.path,))

    def made(self, number: int, outputs: Iterable[Tensor], written: Iterable[Tensor]) -> None:
        """An operator returned `outputs` and changed `written`."""
        self._tell((number,), outputs, written)

    def handed_on(self, inputs: Iterable[Tensor], outputs: Iterable[Tensor], written: Iterable[Tensor] = ()) -> None:
        """What has no number returned, or wrote, what it was given: a view, or code that is not recorded."""
        known = {id(each): self._own(each) for each in inputs}
        whole = tuple(dict.fromkeys(source for sources in known.values() for source in sources))
        for tensor in outputs:
            if id(tensor) not in known:
                memory = self._alive(tensor)
                self._know(tensor, memory.sources if memory and memory.sources else whole)
        self._tell(whole, (), written)

    def of(self, tensors: Iterable[Tensor]) -> Names:
        """The sources of what several tensors hold, each once."""
        return tuple(dict.fromkeys(source for tensor in tensors for source in self._own(tensor)))

    def _tell(self, sources: Names, outputs: Iterable[Tensor], written: Iterable[Tensor]) -> None:
        self._tick += 1
        for tensor in written:
            self._remember_memory(tensor, sources)
        for tensor in outputs:
            self._know(tensor, sources)

    def _know(self, tensor: Tensor, sources: Names) -> None:
        if len(self._tensors) + len(self._memory) >= _MANY:
            self._forget_the_gone()
        self._tick += 1
        self._tensors[id(tensor)] = _Known(weakref.ref(tensor), sources, self._tick)
        if self._alive(tensor) is None:
            self._remember_memory(tensor, sources)

    def _remember_memory(self, tensor: Tensor, sources: Names) -> None:
        if address := storage_of(tensor):
            storage = StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
            self._memory[address] = _Memory(storage, sources, self._tick)

    def _own(self, tensor: Tensor) -> Names:
        known, memory = self._tensors.get(id(tensor)), self._alive(tensor)
        if known is not None and known.tensor() is tensor:
            return memory.sources if memory is not None and memory.tick > known.tick else known.sources
        if memory is not None:
            return memory.sources
        return () if isinstance(tensor, nn.Parameter) or storage_of(tensor) in self._stored else (UNKNOWN,)

    def _alive(self, tensor: Tensor) -> _Memory | None:
        """What is known of its memory; None where nothing is."""
        memory = self._memory.get(storage_of(tensor))
        return None if memory is None or memory.is_gone else memory

    def _forget_the_gone(self) -> None:
        self._tensors = {key: each for key, each in self._tensors.items() if each.tensor() is not None}
        self._memory = {key: each for key, each in self._memory.items() if not each.is_gone}


def _arguments(module: nn.Module, args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, object]:
    """What it is given, by the names in its forward's signature."""
    try:
        bound = inspect.signature(module.forward).bind_partial(*args, **kwargs)
    except (TypeError, ValueError):
        return {f"input {place}": each for place, each in enumerate(args, 1)} | dict(kwargs)
    named = dict(bound.arguments)
    for name, parameter in bound.signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            named |= named.pop(name, {})
    return named
