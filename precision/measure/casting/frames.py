"""Frames: every call of a module whose precision differs from its caller's casts what crosses, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.stateless import _reparametrize_module

from precision.measure.casting.crossing import Crossing
from precision.measure.casting.forward import arguments_named, map_tensors
from precision.measure.casting.mixins import mix_in, require_forward
from precision.measure.casting.sides import Side
from precision.measure.casting.simulation import holds_matrix, quantized_inputs
from precision.results.flow import ModuleFlow

Forward = Callable[..., object]

_CALLER: ContextVar[nn.Module | None] = ContextVar("caller", default=None)
"""The innermost framed module that is running; None in code of the base's side."""
_CROSSING: ContextVar[Crossing | None] = ContextVar("crossing", default=None)
"""The way into that module; None where its caller is in the same precision."""


class Framed:
    """Runs its module in the precision of its frame.

    Mixed into the class of a module, rather than wrapped around it, so that its name stays what it is and copies of
    the model keep it.
    """

    _frame: Callable[[Any, Forward, tuple[object, ...], dict[str, object]], object]

    def forward(self, *args: object, **kwargs: object) -> object:
        """The module's output, in the precision of the code that called it."""
        return self._frame(self, super().forward, args, kwargs)  # type: ignore[misc]


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """The precision of one module; called in place of its forward."""

    fqn: str
    side: Side
    base: Side
    """The precision of all code without a frame."""
    writes: bool = False
    """Whether the module writes to its inputs."""
    stays_wide: bool = False
    """Whether its outputs are left in its own dtype."""
    wide_inputs: frozenset[str | int] = frozenset()
    """Places and names of the arguments that are not cast."""

    def __deepcopy__(self, _memo: object) -> Frame:
        return self

    @property
    def is_apart(self) -> bool:
        """Whether the module is in another precision than the code without a frame."""
        return self.side is not self.base

    def __call__(self, module: Any, forward: Forward, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        """What `forward` returns, as the caller's precision has it."""
        source = _side_of_caller(self.base)
        call = vars(module).get("_calls", 0)
        vars(module)["_calls"] = call + 1
        if source is self.side:
            output = self._run(module, forward, args, kwargs, None)
            return output if source.rounded_to is None else map_tensors(output, source.rounded)
        crossing = Crossing(source, self.side)
        recorded = _module(self.side, self.fqn).inputs_of(call)
        if self.side.rounds_inputs:
            uncast = arguments_named(self.wide_inputs, args, kwargs)
            args, kwargs = crossing.into((args, kwargs), recorded, writes=self.writes, uncast=uncast)
        with crossing.watching(writes=self.writes):
            output = self._run(module, forward, args, kwargs, crossing)
        crossing.write_back()
        if self.stays_wide:
            return output
        recorded = None if source.flow.raised else _module(source, self.fqn).outputs_of(call)
        return crossing.out_of(output, recorded, fqn=self.fqn, around=_CROSSING.get())

    def _run(
        self,
        module: Any,
        forward: Forward,
        args: tuple[object, ...],
        kwargs: dict[str, object],
        crossing: Crossing | None,
    ) -> object:
        side = self.side
        if side.quantized_to is not None and holds_matrix(module):
            args, kwargs = quantized_inputs(module, args, kwargs, fmt=side.quantized_to)
        with _entered(module, crossing), self._autocasting():
            if not side.widened:
                return forward(*args, **kwargs)
            with _reparametrize_module(module, _widened(module, side.dtype)):
                return forward(*args, **kwargs)

    def _autocasting(self) -> AbstractContextManager[object]:
        """Autocast is off in what is kept, and as the cast has it in what the kept code calls."""
        device, dtype = self.base.device.type, self.base.autocast_dtype
        if self.is_apart:
            return torch.autocast(device, enabled=False) if self.side.is_reference else nullcontext()
        return nullcontext() if dtype is None else torch.autocast(device, dtype)


@dataclass(eq=False)
class Borrowed:
    """A tensor of another module, as a module's own code sees it while it runs."""

    owner: nn.Module
    table: str
    """`_parameters` or `_buffers`."""
    name: str
    tensor: Tensor

    def __deepcopy__(self, memo: dict[int, object]) -> Borrowed:
        return Borrowed(copy.deepcopy(self.owner, memo), self.table, self.name, self.tensor)

    def swap(self) -> None:
        """Put the tensor in the place of the other module's, and keep that one."""
        held = vars(self.owner)[self.table]
        held[self.name], self.tensor = self.tensor, held[self.name]


def put_in_frame(module: nn.Module, frame: Callable[..., object]) -> None:
    """Have `module` run in a frame; whatever frame it had is replaced."""
    if not isinstance(module, Framed):
        mix_in(module, Framed)
        require_forward(module)
    vars(module)["_frame"] = frame


def lend(module: nn.Module, borrowed: list[Borrowed]) -> None:
    """Have the code of `module` see these tensors in other modules."""
    vars(module)["_borrowed"] = borrowed


def frame_of(module: nn.Module) -> Frame | None:
    """The frame of a module that has one, also of one whose calls are recorded."""
    frame = vars(module).get("_frame") if isinstance(module, Framed) else None
    frame = getattr(frame, "inner", frame)
    return frame if isinstance(frame, Frame) else None


def side_of(module: nn.Module) -> Side | None:
    """The precision in which a module's own tensors are stored, where it is another than the base's."""
    side = vars(module).get("_side")
    return side if isinstance(side, Side) else None


def store_on(module: nn.Module, side: Side) -> None:
    """Note in which precision the tensors of a module are."""
    vars(module)["_side"] = side


def is_apart(module: nn.Module) -> bool:
    """Whether a module computes in another precision than the model's code without a frame."""
    frame = frame_of(module)
    return frame is not None and frame.is_apart


def _module(side: Side, fqn: str) -> ModuleFlow:
    return side.flow.by_name.get(fqn) or ModuleFlow(fqn=fqn)


def _side_of_caller(base: Side) -> Side:
    caller = _CALLER.get()
    frame = None if caller is None else frame_of(caller)
    return base if frame is None else frame.side


@contextmanager
def _entered(module: nn.Module, crossing: Crossing | None) -> Iterator[None]:
    """`module` is the one that runs, and sees the tensors that it borrows; the caller's are back in place."""
    caller = _CALLER.get()
    borrowed = [lent for each in (caller, module) if each is not None for lent in vars(each).get("_borrowed", ())]
    if caller is module:
        borrowed = []
    token, way = _CALLER.set(module), _CROSSING.set(crossing)
    for lent in borrowed:
        lent.swap()
    try:
        yield
    finally:
        for lent in reversed(borrowed):
            lent.swap()
        _CROSSING.reset(way)
        _CALLER.reset(token)


def _widened(module: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    tensors = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    return {name: tensor.to(dtype) for name, tensor in tensors if tensor.is_floating_point()}
