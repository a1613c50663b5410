"""A model of which some modules' own code runs in another dtype, by plain torch. It imports no product code.

Every call of a module runs in the dtype chosen for that module, and sees all tensors of the model in it; one whose own
code computes nothing, as that of a `Sequential`, in that of its caller. Where caller and callee have different dtypes,
tensors are cast between them: to the dtypes that they have there when the whole model runs in the one they come to.
What a module returns as it was given it, or as a module inside gave it, is its caller's as it was.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from tests.oracles.plain import Args, Call, Kwargs, calls, cast, hooked, plain_run, whole
from tests.oracles.structures import floating, tensors_of, with_tensors

WIDE = torch.float32
_MOVES = {"clone", "cat", "stack", "copy_", "detach", "_unsafe_view"}


@dataclass(frozen=True)
class Runs:
    """The whole model in float32 and in other dtypes."""

    calls: Mapping[torch.dtype, Mapping[tuple[str, int], Call]]
    computing: frozenset[str]
    """The modules whose own code makes values in one of these, or reads tensors of other modules."""


def runs_in(module: nn.Module, args: Args, kwargs: Kwargs, *dtypes: torch.dtype) -> Runs:
    """Runs of the whole model."""
    found = {dtype: calls(module, args, kwargs, dtype, by_forward=True) for dtype in (WIDE, *dtypes)}
    return Runs(found, frozenset().union(*(_computing(module, args, kwargs, dtype) for dtype in found)))


def places(module: nn.Module, runs: Runs) -> set[str]:
    """The modules that return floating-point tensors and have no modules inside, or code of their own that computes."""
    called = {fqn for (fqn, _), call in runs.calls[WIDE].items() if floating(call.output)}
    return {fqn for fqn in called if fqn in runs.computing or not list(module.get_submodule(fqn).children())}


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes in which modules' own code operators make or change floating-point values."""

    def __init__(self, running: list[str], computing: set[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._running, self._computing = running, computing

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given, made = ([t for _, t in tensors_of(each)] for each in ((args, kwargs or {}), result))
        is_new = func._schema.is_mutable or {_place(t) for t in made} - {_place(t) for t in given}
        is_about_values = any(t.is_floating_point() or t.is_complex() for t in (*given, *made))
        if is_new and is_about_values and self._running and func._schema.name.removeprefix("aten::") not in _MOVES:
            self._computing.add(self._running[-1])
        return result


class _Borrowed(TorchFunctionMode):
    """Notes the modules whose own code reads a tensor of another module, if only its dtype."""

    def __init__(self, model: nn.Module, running: list[str], computing: set[str]) -> None:
        super().__init__()
        self._running, self._computing = running, computing
        self._owners: dict[int, set[str]] = {}
        for fqn, each in model.named_modules():
            for tensor in (*each._parameters.values(), *each._buffers.values()):
                self._owners.setdefault(id(tensor), set()).add(fqn)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for _, tensor in tensors_of((args, kwargs or {})):
            if self._running and self._running[-1] not in self._owners.get(id(tensor), self._running):
                self._computing.add(self._running[-1])
        return func(*args, **(kwargs or {}))


def _computing(module: nn.Module, args: Args, kwargs: Kwargs, dtype: torch.dtype) -> set[str]:
    model, running, computing = whole(module, dtype), list[str](), set[str]()
    names = {id(each): fqn for fqn, each in model.named_modules()}

    def before(each: nn.Module, _args: Args, _kwargs: Kwargs) -> None:
        running.append(names[id(each)])

    def after(*_call: object) -> None:
        running.pop()

    noted = hooked(model, before, after, by_forward=True), plain_run(fused=False)
    with noted[0], noted[1], _Borrowed(model, running, computing), _Operators(running, computing):
        model(*cast(args, dtype), **cast(dict(kwargs), dtype))
    return computing


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
    tensors = _Tensors(model, set(chosen.values()))
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
        tensors.use(own)
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
        tensors.use(caller)
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

    with hooked(model, before, after, by_forward=True), plain_run(fused=False):
        return model(*cast(args, WIDE), **cast(dict(kwargs), WIDE))


class _Tensors:
    """All tensors of a model in each dtype: the code that runs sees those in its own, also of other modules."""

    def __init__(self, model: nn.Module, dtypes: Collection[torch.dtype]) -> None:
        self._modules = list(model.modules())
        self._tables = {dtype: self._cast(dtype) for dtype in dtypes if dtype != WIDE}
        self._tables[WIDE] = [(each._parameters, each._buffers) for each in self._modules]
        for place, each in enumerate(self._modules):
            if isinstance(each, torch.jit.ScriptModule):
                self._tables[WIDE][place] = dict(each._parameters.items()), dict(each._buffers.items())

    def _cast(self, dtype: torch.dtype) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        known: dict[int, Tensor] = {}  # weights that are tied stay so

        def turned(tensor: Tensor) -> Tensor:
            low = tensor.to(dtype) if tensor.is_floating_point() or tensor.is_complex() else tensor  # as `.to` does
            return nn.Parameter(low.detach(), requires_grad=False) if isinstance(tensor, nn.Parameter) else low

        tables = [(dict(each._parameters.items()), dict(each._buffers.items())) for each in self._modules]
        return [with_tensors(each, turned, known) for each in tables]

    def use(self, dtype: torch.dtype) -> None:
        for each, (parameters, buffers) in zip(self._modules, self._tables[dtype], strict=True):
            if not isinstance(each, torch.jit.ScriptModule):
                vars(each).update(_parameters=parameters, _buffers=buffers)
                continue
            for table, values in ((each._parameters, parameters), (each._buffers, buffers)):
                for name, value in values.items():
                    table[name] = value


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
