"""A model of which some modules' own code runs in another dtype, by forward hooks alone. It imports no product code.

Every call of a module runs in the dtype chosen for that module; one whose own code computes nothing, as that of a
`Sequential`, in that of its caller. Where caller and callee have different dtypes, tensors are cast between them: to
the dtypes that they have there when the whole model runs in the one they come to. What a module returns as it was given
it, or as a module inside gave it, is its caller's as it was.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.oracles.plain import Args, Call, Kwargs, calls, cast, hooked, plain_run
from tests.oracles.structures import tensors_of, with_tensors

WIDE = torch.float32
_MOVES = {"clone", "cat", "stack", "copy_", "detach", "_unsafe_view"}


@dataclass(frozen=True)
class Runs:
    """The whole model in float32 and in other dtypes."""

    calls: Mapping[torch.dtype, Mapping[tuple[str, int], Call]]
    computing: frozenset[str]
    """The modules whose own code makes values."""


def runs_in(module: nn.Module, args: Args, kwargs: Kwargs, *dtypes: torch.dtype) -> Runs:
    """Runs of the whole model."""
    found = {dtype: calls(module, args, kwargs, dtype) for dtype in (WIDE, *dtypes)}
    return Runs(found, _computing(module, args, kwargs))


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes in which modules' own code operators make or change values."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.running: list[str] = []
        self.computing: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {_place(tensor) for _, tensor in tensors_of((args, kwargs or {}))}
        is_new = func._schema.is_mutable or any(_place(tensor) not in given for _, tensor in tensors_of(result))
        if is_new and self.running and func._schema.name.removeprefix("aten::") not in _MOVES:
            self.computing.add(self.running[-1])
        return result


def _computing(module: nn.Module, args: Args, kwargs: Kwargs) -> frozenset[str]:
    model, operators = copy.deepcopy(module).eval(), _Operators()
    names = {id(each): fqn for fqn, each in model.named_modules()}
    before = lambda each, _args, _kwargs: operators.running.append(names[id(each)])  # noqa: E731
    with hooked(model, before, lambda *_: operators.running.pop() and None), plain_run(fused=False), operators:
        model(*cast(args, WIDE), **cast(dict(kwargs), WIDE))
    return frozenset(operators.computing)


class _Copy(NamedTuple):
    original: Tensor
    copy: Tensor
    version: int | None
    """As it was made; None where it stands for the original even when it was written to."""

    @property
    def still_stands(self) -> bool:
        return self.version in (None, self.copy._version)

    def part(self, view: Tensor) -> Tensor:
        """What lies in the original where a view lies in the copy."""
        offset = view.storage_offset() - self.copy.storage_offset() + self.original.storage_offset()
        return self.original.as_strided(view.size(), view.stride(), int(offset))


@dataclass
class _Door:
    """One call of a module by code of another dtype."""

    call: int
    copies: dict[int, _Copy] | None
    """By storage: what it was given, and what modules inside returned; None where the caller has the same dtype."""
    given: tuple[tuple[_Copy, int], ...] = ()
    """Of its inputs, with their versions before the call."""


def lowered(module: nn.Module, args: Args, kwargs: Kwargs, chosen: Mapping[str, torch.dtype], *, runs: Runs) -> Any:
    """What the model returns where the modules in `chosen` have their own dtype, and all others float32."""
    model = copy.deepcopy(module).eval()
    names = {id(each): fqn for fqn, each in model.named_modules()}
    _store(model, chosen, runs)
    frames, counts, doors = [WIDE], Counter[str](), list[_Door]()

    def before(each: nn.Module, args: Args, kwargs: dict[str, Any]) -> Any:
        fqn = names[id(each)]
        counts[fqn] += 1
        caller, own = frames[-1], frames[-1]
        if fqn in chosen or fqn in runs.computing:
            own = chosen.get(fqn, WIDE)
        frames.append(own)
        door = _Door(counts[fqn], {} if own != caller else None)
        doors.append(door)
        if own == caller:
            return None
        seen = _at(runs.calls[own], fqn, counts[fqn])
        given = (args, kwargs)
        cast_args, cast_kwargs = _cast_like(given, seen and (seen.args, seen.kwargs))
        pairs = zip(tensors_of(given), tensors_of((cast_args, cast_kwargs)), strict=True)
        made = [_Copy(old, new, None) for (_, old), (_, new) in pairs if new is not old and not old.requires_grad]
        door.copies = {_place(each.copy): each for each in made if each.original.stride() == each.copy.stride()}
        door.given = tuple((each, _version(each.copy)) for each in made)
        return cast_args, cast_kwargs

    def after(each: nn.Module, _args: Args, _kwargs: dict[str, Any], output: Any) -> Any:
        frames.pop()
        fqn, door, caller = names[id(each)], doors.pop(), frames[-1]
        if door.copies is None:
            return output
        for copied, version in door.given:
            if _version(copied.copy) != version:  # what the module wrote into its input is its caller's too
                copied.original.copy_(copied.copy)
        seen = _at(runs.calls[caller], fqn, door.call)
        dtypes = _dtypes(output, seen and seen.output)
        around = doors[-1].copies if doors else None

        def out(tensor: Tensor) -> Tensor:
            known, dtype = door.copies.get(_place(tensor)) if door.copies else None, dtypes[id(tensor)]
            if fqn and known is not None and known.still_stands and known.original.dtype in (caller, dtype):
                return known.part(tensor)
            low = tensor.to(dtype)
            if around is not None and low is not tensor and low.stride() == tensor.stride() and not low.requires_grad:
                around[_place(low)] = _Copy(tensor, low, _version(low))
            return low

        return with_tensors(output, out)

    with hooked(model, before, after), plain_run(fused=False):
        return model(*cast(args, WIDE), **cast(dict(kwargs), WIDE))


def _store(model: nn.Module, chosen: Mapping[str, torch.dtype], runs: Runs) -> None:
    """Every module's own tensors in its dtype; those of one that is never called belong to the one that it lies in."""
    called = {fqn for fqn, _ in runs.calls[WIDE]}
    for fqn, each in model.named_modules():
        owner = fqn
        while owner and owner not in called:
            owner = owner.rpartition(".")[0]
        if (dtype := chosen.get(owner)) is not None:
            for name, tensor in each._parameters.items():
                if tensor is not None and tensor.is_floating_point():
                    each._parameters[name] = nn.Parameter(tensor.detach().to(dtype), requires_grad=False)
            for name, tensor in each._buffers.items():
                if tensor is not None and (tensor.is_floating_point() or tensor.is_complex()):  # as `.to(dtype)` does
                    each._buffers[name] = tensor.to(dtype)


def _at(run: Mapping[tuple[str, int], Call], fqn: str, call: int) -> Call | None:
    """That call, or the last one of the module where the run had fewer."""
    while call and (fqn, call) not in run:
        call -= 1
    return run.get((fqn, call))


def _dtypes(structure: Any, seen: Any) -> dict[int, torch.dtype]:
    """The dtype of every tensor: of a floating-point one, that of the tensor seen in its place."""
    there = {path: tensor.dtype for path, tensor in tensors_of(seen) if tensor.is_floating_point()}
    return {
        id(tensor): there.get(path, tensor.dtype) if tensor.is_floating_point() else tensor.dtype
        for path, tensor in tensors_of(structure)
    }


def _cast_like(structure: Any, seen: Any) -> Any:
    dtypes = _dtypes(structure, seen)
    return with_tensors(structure, lambda tensor: tensor.to(dtypes[id(tensor)]))


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata if tensor.layout == torch.strided else id(tensor)


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version
