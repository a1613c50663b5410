"""What the analyses measure, again: plain torch with forward hooks, and sums in float64. It imports no product code."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode

from tests.oracles.structures import floating, tensors_of, with_tensors

Args = tuple[Any, ...]
Kwargs = Mapping[str, Any]
Select = Callable[[list[Tensor]], list[Tensor]]
"""What of each tensor counts."""


class _SameDraws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Random numbers are those of float32 in every precision."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.rand_like.default:
            return torch.rand(args[0].shape).to(args[0].dtype)
        return func(*args, **(kwargs or {}))


@contextmanager
def plain_run(*, fused: bool, shared: bool = True) -> Iterator[None]:
    """Inside, runs are seeded; `fused` kernels of encoders are used or not, and random numbers `shared` or not."""
    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(fused and was)
    try:
        draws = _SameDraws() if shared else nullcontext()  # type: ignore[no-untyped-call]
        with torch.random.fork_rng(devices=[]), torch.no_grad(), draws:
            torch.manual_seed(0)
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)


@contextmanager
def hooked(model: nn.Module, before: Any, after: Any, *, by_forward: bool = False) -> Iterator[None]:
    """Inside, these are called before and after every call of every module that takes hooks.

    `by_forward`: also where code calls a module's `forward` itself, which hooks do not see.
    """
    taking = [each for each in model.modules() if not isinstance(each, torch.jit.ScriptModule)]
    with ExitStack() as ends:
        for each in taking:
            if by_forward:
                vars(each)["forward"] = partial(_around, each, each.forward, before, after)
                ends.callback(vars(each).pop, "forward")
            else:
                ends.enter_context(each.register_forward_pre_hook(before, with_kwargs=True))
                ends.enter_context(each.register_forward_hook(after, with_kwargs=True))
        yield


def _around(each: nn.Module, forward: Any, before: Any, after: Any, /, *args: Any, **kwargs: Any) -> Any:
    args, kwargs = before(each, args, kwargs) or (args, kwargs)
    output = forward(*args, **kwargs)
    changed = after(each, args, kwargs, output)
    return output if changed is None else changed


def cast(structure: Any, dtype: torch.dtype) -> Any:
    """New tensors, the floating-point ones in the dtype."""
    return with_tensors(structure, lambda t: t.detach().clone().to(dtype if t.is_floating_point() else t.dtype))


def whole(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy of a module, in eval mode, by `.to(dtype)`; that in float32 stays as it is."""
    twin = copy.deepcopy(module).eval()
    return twin if dtype == torch.float32 else twin.to(dtype)


def outputs(
    module: nn.Module, args: Args, kwargs: Kwargs, dtype: torch.dtype, *, fused: bool = True, shared: bool = True
) -> Any:
    """What a module returns in a dtype, its inputs cast likewise."""
    with plain_run(fused=fused, shared=shared):
        return whole(module, dtype)(*cast(args, dtype), **cast(dict(kwargs), dtype))


@dataclass(frozen=True)
class Errors:
    """Of a candidate over the elements that are finite on both sides."""

    pairs: int
    mean_abs_error: float
    max_abs_error: float
    rmse: float
    sqnr_db: float


def errors(reference: Sequence[Tensor], candidate: Sequence[Tensor], among: Sequence[Tensor] = ()) -> Errors:
    """Of tensors in the same order; `among`, where it is given, says which elements count."""
    r, y = (torch.cat([t.double().reshape(-1) for t in side]) for side in (reference, candidate))
    counted = r.isfinite() & y.isfinite()
    if among:
        counted &= torch.cat([t.reshape(-1) for t in among])
    r, error = r[counted], (y - r)[counted].abs()
    signal, noise = float(r.square().sum()), float(error.square().sum())
    if not error.numel():
        return Errors(0, 0.0, 0.0, 0.0, math.nan)
    return Errors(
        pairs=error.numel(),
        mean_abs_error=float(error.mean()),
        max_abs_error=float(error.max()),
        rmse=math.sqrt(noise / error.numel()),
        sqnr_db=math.inf if not noise else 10 * math.log10(signal / noise) if signal else -math.inf,
    )


def squared_error(reference: Sequence[Tensor], candidate: Sequence[Tensor]) -> float | None:
    """The mean over what is finite in the reference; None where the candidate is not finite there."""
    r, y = (torch.cat([t.double().reshape(-1) for t in side]) for side in (reference, candidate))
    error = (y - r)[r.isfinite()]
    mean = float(error.square().sum()) / max(error.numel(), 1)
    return mean if math.isfinite(mean) else None


@dataclass(frozen=True)
class Call:
    """One call of one module; the tensors are copies."""

    fqn: str
    call: int
    module: nn.Module
    args: Args
    kwargs: dict[str, Any]
    output: Any


def calls(
    module: nn.Module, args: Args, kwargs: Kwargs, dtype: torch.dtype, *, by_forward: bool = False
) -> dict[tuple[str, int], Call]:
    """Every call of every module in one pass in a dtype, by the module's first name and the call's number."""
    model = whole(module, dtype)
    names = {id(each): fqn for fqn, each in model.named_modules()}
    counts, found, begun = Counter[str](), dict[tuple[str, int], Call](), list[Any]()

    def keep(structure: Any) -> Any:
        return with_tensors(structure, lambda t: t.detach().clone())

    def before(each: nn.Module, args: Args, kwargs: dict[str, Any]) -> None:
        counts[names[id(each)]] += 1
        begun.append((counts[names[id(each)]], *keep((args, kwargs))))

    def after(each: nn.Module, _args: Args, _kwargs: dict[str, Any], output: Any) -> None:
        fqn, (call, args, kwargs) = names[id(each)], begun.pop()
        found[fqn, call] = Call(fqn, call, each, args, kwargs, keep(output))

    with hooked(model, before, after, by_forward=by_forward), plain_run(fused=False):
        model(*cast(args, dtype), **cast(dict(kwargs), dtype))
    return found


def _again(call: Call, given: Call, like: Call) -> Any:
    """The module of `call` on the inputs of `given`, in the dtypes of the inputs of `like`."""
    dtypes = [tensor.dtype for _, tensor in tensors_of((like.args, like.kwargs))]
    at = {id(tensor): dtype for (_, tensor), dtype in zip(tensors_of((given.args, given.kwargs)), dtypes, strict=True)}
    args, kwargs = with_tensors((given.args, given.kwargs), lambda t: t.clone().to(at[id(t)]))
    with plain_run(fused=False):
        return copy.deepcopy(call.module)(*args, **kwargs)


def local_and_inherited(exact: Call, low: Call, select: Select) -> tuple[Errors, Errors]:
    """A call's own error, f~(x) - f(x), and that of its input, f(x~) - f(x), where all four corners are finite."""
    sides = [exact.output, low.output, _again(low, exact, low), _again(exact, low, exact)]
    corners = [select(floating(side)) for side in sides]
    among = [torch.stack([t.isfinite() for t in four]).all(0) for four in zip(*corners, strict=True)]
    return errors(corners[0], corners[2], among), errors(corners[0], corners[3], among)


@dataclass
class Range:
    """The values of one tensor, over all calls."""

    elements: int = 0
    zeros: int = 0
    infinite: int = 0
    nan: int = 0
    largest: float = 0.0
    smallest: float = math.inf
    exponents: Counter[int] = field(default_factory=Counter)
    """How many values are in [2^k, 2^(k+1)), by k."""

    @property
    def counts(self) -> tuple[int, int, int, int]:
        return self.elements, self.zeros, self.infinite, self.nan

    def add(self, tensor: Tensor) -> None:
        values = (torch.view_as_real(tensor) if tensor.is_complex() else tensor.to_dense()).detach().double().abs()
        real = values[values.isfinite() & (values != 0)]
        self.elements += values.numel()
        self.zeros += int((values == 0).sum())
        self.infinite += int(values.isinf().sum())
        self.nan += int(values.isnan().sum())
        self.exponents.update((torch.frexp(real).exponent - 1).tolist())
        if real.numel():
            self.largest, self.smallest = max(self.largest, float(real.max())), min(self.smallest, float(real.min()))


def ranges(module: nn.Module, args: Args, kwargs: Kwargs) -> dict[tuple[str, str], Range]:
    """Of every parameter, buffer, input and output of one pass in float32, by module and name; without padding."""
    model, found = whole(module, torch.float32), dict[tuple[str, str], Range]()
    mask: Any = kwargs.get("attention_mask")
    parameters = {id(each) for each in model.parameters()}
    names = {id(each): fqn for fqn, each in model.named_modules()}

    def add(fqn: str, name: str, structure: object) -> None:
        for path, tensor in tensors_of(structure):
            if tensor.is_floating_point() or tensor.is_complex():
                is_text = mask is not None and tensor.dim() in (2, 3) and tensor.shape[:2] == mask.shape
                kept = tensor[mask.bool()] if is_text and id(tensor) not in parameters else tensor
                found.setdefault((fqn, name + path), Range()).add(kept)

    stored = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
    for fqn, each in model.named_modules():
        for name, tensor in (*each.named_parameters(recurse=False), *each.named_buffers(recurse=False)):
            if id(tensor) in stored:  # once, where modules share it
                stored.remove(id(tensor))
                add(fqn, f"{fqn}.{name}".removeprefix("."), tensor)

    def before(each: nn.Module, args: Args) -> None:
        if id(each) in names:
            add(names[id(each)], "input", args)

    def after(each: nn.Module, _args: Args, kwargs: dict[str, Any], output: Any) -> None:
        if id(each) in names:
            add(names[id(each)], "input", kwargs)
            add(names[id(each)], "output", output)

    hooks = register_module_forward_pre_hook(before), register_module_forward_hook(after, with_kwargs=True)
    with hooks[0], hooks[1], plain_run(fused=True):
        model(*cast(args, torch.float32), **cast(dict(kwargs), torch.float32))
    return found
