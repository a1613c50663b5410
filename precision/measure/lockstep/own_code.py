"""A module's own code, run again without the modules that it calls: these return what they returned."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from precision.measure.casting.crossing import is_plain
from precision.measure.casting.forward import tensors_of
from precision.measure.lockstep.inner_calls import InnerCall, checksum
from precision.measure.lockstep.observer import Returned
from precision.measure.lockstep.pairs import same_outputs
from precision.measure.lockstep.replay import Inputs, NotSeparableError, inputs_of, require_plain
from precision.measure.lockstep.turns import RandomState
from precision.measure.lockstep.values import version_of

_OTHERWISE = "it calls its modules otherwise when it is evaluated again."
_RANKS = frozenset({"topk", "sort", "max", "min", "kthvalue", "median", "mode"})
"""Operators that return positions beside values, which their callers use."""
_MASKED = frozenset({"index", "index_put", "index_put_", "masked_select"})
"""Operators that choose rows by masks."""


class Given(NamedTuple):
    """All that a module's own code gets."""

    inputs: Inputs
    outputs: list[object]
    """Of the modules inside, call by call."""
    written: list[dict[int, Tensor]]
    """What they left in those of their inputs that they changed."""


def given_to(returned: Returned) -> Given:
    """What the own code of a call was given.

    Raises:
        NotSeparableError: that was not kept, or holds objects that may keep state.
    """
    inner = returned.frame.inner
    if inner is None or inner.missing:
        raise NotSeparableError(inner.missing if inner else "it is TorchScript.")
    given = Given(inputs_of(returned), inner.outputs, inner.written)
    require_plain(given.inputs)
    require_plain(given.outputs, "modules' outputs")
    return given


def calls_in(returned: Returned) -> Sequence[InnerCall]:
    """The calls that its own code made."""
    return returned.frame.inner.calls if returned.frame.inner else ()


@dataclass(eq=False)
class OwnRun:
    """One run of a module's own code, on what `given` has, which may be changed."""

    calls: Sequence[InnerCall]
    given: Given
    random: RandomState
    takes: Sequence[bool] | None = None
    """Which tensors count as made by it, in the order in which it hands them on; None to find out."""
    is_own: list[bool] = field(default_factory=list)
    """Of the tensors that it handed to the modules inside and returned: whether it made them itself (real numbers)."""
    made: list[Tensor] = field(default_factory=list)
    """These tensors, each once."""
    choices: list[Tensor] = field(default_factory=list)
    """Every whole-number result, and every mask that chooses rows."""
    _output: object = None
    _handed: list[int | None] = field(default_factory=list)
    _known: dict[int, tuple[Tensor, int | None]] = field(default_factory=dict)
    """The tensors that it was given, or that are taken already, by storage; kept, so that no other lies there."""
    _begun: int = 0
    _departed: bool = False
    is_inside: bool = False
    """Whether a module inside takes its turn."""

    def run(self, module: nn.Module) -> None:
        """Run it once.

        Raises:
            NotSeparableError: it calls other modules than it did.
        """
        self._know(self.given.inputs)
        args, kwargs = self.given.inputs
        with _instead_of({call.module for call in self.calls}, self._called), _Choices(self):
            self._output = module(*args, **kwargs)
        if self._departed or self._begun < len(self.calls):
            raise NotSeparableError(_OTHERWISE)
        self._take(self._output)

    def takes_the_path_of(self, other: OwnRun) -> bool:
        """Whether it handed on as many tensors, and chose the same positions."""
        pairs = zip(self.choices, other.choices, strict=False)
        is_alike = len(self.is_own) == len(other.is_own) and len(self.choices) == len(other.choices)
        return is_alike and all(torch.equal(one, another) for one, another in pairs)

    def require_as_it_was(self, output: object) -> None:
        """Check that it handed to the modules inside what it did, and that it returned `output`.

        Raises:
            NotSeparableError: it did not.
        """
        before = [each for call in self.calls for each in call.handed]
        is_same = len(before) == len(self._handed) and all(
            None in pair or pair[0] == pair[1] for pair in zip(before, self._handed, strict=True)
        )
        if not is_same or not same_outputs(self._output, output):
            raise NotSeparableError(
                "a second evaluation on the same input gave other values: it keeps state, changes its input, or is not "
                "deterministic."
            )

    def _called(self, module: nn.Module, *args: object, **kwargs: object) -> object:
        self.is_inside = True
        try:
            return self._returned(module, args, kwargs)
        finally:
            self.is_inside = False

    def _returned(self, module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        at = self._begun
        self._begun += 1
        if at >= len(self.calls) or self.calls[at].module is not module:
            self._departed = True  # its code may catch what is raised
            raise NotSeparableError(_OTHERWISE)
        self._handed += map(checksum, tensors_of((args, kwargs)))
        self._take((args, kwargs))
        inputs = tensors_of(args)
        for place, value in self.given.written[at].items():
            inputs[place].copy_(value)
        leaves, spec = pytree.tree_flatten(self.given.outputs[at])
        for leaf, place in self.calls[at].returned_inputs.items():
            leaves[leaf] = inputs[place]
        output = pytree.tree_unflatten(leaves, spec)
        self._know((inputs, output))
        self.random.restore(self.calls[at].random_state)
        return output

    def _take(self, structure: object) -> None:
        for tensor in tensors_of(structure):
            at = len(self.is_own)
            own = self._is_new(tensor) if self.takes is None else at < len(self.takes) and self.takes[at]
            self.is_own.append(own)
            if own:
                self.made.append(tensor.detach().clone())
        self._know(structure)

    def _know(self, structure: object) -> None:
        for tensor in filter(is_plain, tensors_of(structure)):
            self._known[tensor.untyped_storage()._cdata] = tensor, version_of(tensor)

    def _is_new(self, tensor: Tensor) -> bool:
        if not (tensor.is_floating_point() and is_plain(tensor) and tensor.numel()):
            return False
        known = self._known.get(tensor.untyped_storage()._cdata)
        return known is None or known[1] != version_of(tensor)


@contextmanager
def _instead_of(modules: Collection[nn.Module], called: Callable[..., object]) -> Iterator[None]:
    """Inside, calls of these modules, their hooks included, are calls of `called`, with the module in front."""
    with ExitStack() as stack:
        for module in modules:
            own = vars(module)
            before = {name: own[name] for name in ("_call_impl",) if name in own}
            own["_call_impl"] = partial(called, module)
            stack.callback(own.update, before)
            stack.callback(own.pop, "_call_impl")
        yield


class _Choices(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes whole numbers made of others: positions and routes, but not what kernels return besides, as in pooling."""

    def __init__(self, run: OwnRun) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._run = run

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if self._run.is_inside or func.is_view or all(map(_is_whole, tensors_of((args, kwargs or {})))):
            return result
        if func.overloadpacket.__name__ in _MASKED:
            masks = [each for each in tensors_of((args, kwargs or {})) if each.dtype == torch.bool]
            self._run.choices += [each.clone() for each in masks]
        is_asked_for = isinstance(result, Tensor) or func.overloadpacket.__name__ in _RANKS
        for tensor in tensors_of(result) if is_asked_for else ():
            if _is_whole(tensor):
                self._run.choices.append(tensor.clone())
        return result


def _is_whole(tensor: Tensor) -> bool:
    return not (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool)
