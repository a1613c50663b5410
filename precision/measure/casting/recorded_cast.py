"""One recorded run of a model: the dtypes at every call of a module, and what its own code does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.crossing import dtypes_of, is_plain, written_tensors
from precision.measure.casting.forward import is_leaf, map_tensors, raised_in, seeded, tensors_of
from precision.measure.casting.frames import Frame, frame_of, put_in_frame
from precision.results.flow import Dtypes, Flow, ModuleFlow

_ATTEMPTS = 12
"""So many modules that raise are gone around, one after the other, before the recording is given up."""
_MOST_CALLS = 1000
"""Of a module whose calls differ: later ones are taken to be as the last of these."""
_MOVES = frozenset({"aten::clone", "aten::cat", "aten::stack", "aten::copy_", "aten::detach", "aten::_unsafe_view"})
"""Operators that only put values elsewhere."""


def recorded(
    model: CastModel,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    *,
    kept: Callable[[list[str]], CastModel],
) -> Flow:
    """What a run of `model` shows.

    Where a module raises, the run is tried again with all that this module is handed cast to the model's dtype, and
    where that does not help, with the module's own code kept in the reference's precision: `kept` makes that model.
    Where nothing helps, the flow holds what was seen until then.
    """
    forced: list[str] = []
    wide: list[str] = []
    flow = Flow()
    for _ in range(_ATTEMPTS):
        recording = _Recording(kept(wide) if wide else model, frozenset(forced))
        raised = recording.run(args, kwargs)
        flow = recording.flow((*forced, *wide))
        if raised is None or raised in wide:
            break
        if raised in forced:
            forced.remove(raised)
            wide.append(raised)
        else:
            forced.append(raised)
    return flow


@dataclass(eq=False)
class _Recording:
    """One run, recorded."""

    model: CastModel
    forced: frozenset[str]
    """Modules that are handed nothing but the model's dtype."""
    inputs: defaultdict[str, list[Dtypes]] = field(default_factory=lambda: defaultdict(list))
    outputs: defaultdict[str, list[Dtypes]] = field(default_factory=lambda: defaultdict(list))
    computes: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    borrows: defaultdict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    callers: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    running: list[tuple[str, frozenset[int]]] = field(default_factory=list)
    """The modules that run, the innermost last, and the storages of their inputs."""
    owners: dict[int, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    """The modules that hold a tensor, and its names there, by `id`."""

    def run(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> str | None:
        """Run the model; the fqn of the module that raised, if one did."""
        with seeded(self.model.device):
            run = self.model.prepared(args, kwargs)
            for fqn, module in run.module.named_modules():
                if isinstance(module, torch.jit.ScriptModule):
                    continue
                for name, tensor in (*module._parameters.items(), *module._buffers.items()):
                    if tensor is not None:
                        self.owners[id(tensor)].append((fqn, name))
                put_in_frame(module, _Noting(self, fqn, frame_of(module)))
            try:
                with _FunctionWatch(self), _OperatorWatch(self):
                    run()
            except (MemoryError, torch.OutOfMemoryError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it raises is gone around
                return raised_in(error, run.module)
        return None

    def flow(self, raised: Iterable[str]) -> Flow:
        """What was seen."""
        return Flow(
            modules=tuple(
                ModuleFlow(
                    fqn=fqn,
                    inputs=_together(self.inputs[fqn]),
                    outputs=_together(self.outputs[fqn]),
                    computes=fqn in self.computes,
                    writes=fqn in self.writes,
                    borrows=tuple(sorted(self.borrows[fqn])),
                    callers=tuple(sorted(self.callers[fqn])),
                    is_leaf=is_leaf(module),
                    is_scripted=isinstance(module, torch.jit.ScriptModule),
                )
                for fqn, module in self.model.stored.named_modules()
            ),
            raised=tuple(raised),
        )

    @property
    def top(self) -> str:
        return self.running[-1][0] if self.running else ""

    @contextmanager
    def entered(self, fqn: str, structure: object) -> Iterator[None]:
        self.inputs[fqn].append(dtypes_of(structure))
        if self.running:
            self.callers[fqn].add(self.top)
        self.running.append((fqn, frozenset(_storages(tensors_of(structure)))))
        try:
            yield
        finally:
            self.running.pop()

    def used(self, tensor: Tensor) -> None:
        """A function of the module that runs was given a tensor, which may be another module's."""
        held = self.owners.get(id(tensor), [])
        if self.running and held and all(fqn != self.top for fqn, _ in held):
            self.borrows[self.top].add(held[0])

    def operated(self, func: Any, args: Any, kwargs: Any, result: object) -> None:
        """An operator ran in the module's own code."""
        written = _storages(written_tensors(func, args, kwargs))
        for fqn, storages in self.running:
            if storages & written:
                self.writes.add(fqn)
        if not self.running or func._schema.name in _MOVES:
            return
        given, made = tensors_of((args, kwargs)), tensors_of(result)
        is_new = bool(_storages(made) - _storages(given) or written)
        if is_new and any(tensor.is_floating_point() or tensor.is_complex() for tensor in (*given, *made)):
            self.computes.add(self.top)


def _together(calls: list[Dtypes]) -> tuple[Dtypes, ...]:
    """One for all where all agree, and no more than can matter."""
    return tuple(calls[:1]) if len(set(calls)) == 1 else tuple(calls[:_MOST_CALLS])


@dataclass(frozen=True, eq=False)
class _Noting:
    """Takes the place of a module's frame while a run is recorded."""

    recording: _Recording
    fqn: str
    inner: Frame | None

    def __call__(
        self, module: Any, forward: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> object:
        inner = self.inner
        if inner is None:
            return self._noted(forward, args, kwargs)
        if inner.is_apart:
            return self._noted(lambda *a, **k: inner(module, forward, a, k), args, kwargs)
        # What crosses its border counts as the code inside has it.
        return inner(module, lambda *a, **k: self._noted(forward, a, k), args, kwargs)

    def _noted(self, forward: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        if self.fqn in self.recording.forced:
            dtype = self.recording.model.input_dtype
            args, kwargs = map_tensors((args, kwargs), lambda x: x.to(dtype) if x.is_floating_point() else x)
        with self.recording.entered(self.fqn, (args, kwargs)):
            output = forward(*args, **kwargs)
        self.recording.outputs[self.fqn].append(dtypes_of(output))
        return output


class _FunctionWatch(TorchFunctionMode):
    """Notes which tensors functions of torch are given, attributes such as a dtype included."""

    def __init__(self, recording: _Recording) -> None:
        super().__init__()
        self._recording = recording

    def __torch_function__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for tensor in tensors_of((args, kwargs or {})):
            self._recording.used(tensor)
        return func(*args, **(kwargs or {}))


class _OperatorWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes what operators make and write."""

    def __init__(self, recording: _Recording) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._recording = recording

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self._recording.operated(func, args, kwargs or {}, result)
        return result


def _storages(tensors: Iterable[Tensor]) -> set[int]:
    return {tensor.untyped_storage()._cdata for tensor in tensors if is_plain(tensor) and tensor.numel()}
