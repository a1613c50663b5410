"""The errors of modules' own code again: the modules inside are replaced by what they returned. No product code."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tests.oracles.plain import Args, Errors, Kwargs, Select, cast, errors, hooked, plain_run, whole
from tests.oracles.structures import tensors_of, with_tensors


@dataclass
class Given:
    """One call, and what its own code was given: copies."""

    module: nn.Module
    args: Args
    kwargs: dict[str, Any]
    inside: list[tuple[nn.Module, Any]] = field(default_factory=list)
    """The modules that its code called, in order, and what they returned."""
    output: Any = None


def calls(module: nn.Module, args: Args, kwargs: Kwargs, dtype: torch.dtype) -> dict[tuple[str, int], Given]:
    """Every call in one pass in a dtype, by the module's first name and the call's number."""
    model = whole(module, dtype)
    names = {id(each): fqn for fqn, each in model.named_modules()}
    counts, found, running = Counter[str](), dict[tuple[str, int], Given](), list[Given]()

    def before(each: nn.Module, args: Args, kwargs: dict[str, Any]) -> None:
        fqn = names[id(each)]
        counts[fqn] += 1
        running.append(Given(each, *_copied((args, kwargs))))
        found[fqn, counts[fqn]] = running[-1]

    def after(each: nn.Module, _args: Args, _kwargs: dict[str, Any], output: Any) -> None:
        running.pop().output = _copied(output)
        if running:
            running[-1].inside.append((each, _copied(output)))

    with hooked(model, before, after), plain_run(fused=False):
        model(*cast(args, dtype), **cast(dict(kwargs), dtype))
    return found


def local_and_inherited(exact: Given, low: Given, select: Select) -> tuple[Errors, Errors] | None:
    """Of all that the code makes itself, to return it or to hand it on; None where it makes nothing."""
    is_new: list[bool] = []
    sides = [
        _made(low, low, low, None),
        _made(exact, exact, exact, is_new),
        _made(low, exact, low, None),
        _made(exact, low, exact, None),
    ]
    low_own, exact_own, low_on_exact, exact_on_low = (
        select([tensor for tensor, new in zip(side, is_new, strict=True) if new]) for side in sides
    )
    if not exact_own:
        return None
    four = (exact_own, low_own, low_on_exact, exact_on_low)
    among = [torch.stack([tensor.isfinite() for tensor in each]).all(0) for each in zip(*four, strict=True)]
    return errors(exact_own, low_on_exact, among), errors(exact_own, exact_on_low, among)


def _copied(structure: Any) -> Any:
    return with_tensors(structure, lambda tensor: tensor.detach().clone())


def _made(call: Given, given: Given, like: Given, is_new: list[bool] | None) -> list[Tensor]:
    """All real tensors that the code of `call` hands on and returns, on what `given` has in the dtypes of `like`.

    `is_new` is told of each whether it is one that the code was not given, and has not handed on before.
    """
    wanted, got = ((each.args, each.kwargs, [out for _, out in each.inside]) for each in (like, given))
    dtypes = {id(b): a.dtype for (_, a), (_, b) in zip(tensors_of(wanted), tensors_of(got), strict=True)}
    args, kwargs, outputs = with_tensors(
        got, lambda t: t.clone().to(dtypes[id(t)]) if t.is_floating_point() else t.clone()
    )
    seen: list[Tensor] = []
    known: dict[int, tuple[Tensor, int]] = {}

    def know(structure: Any) -> None:
        for _, tensor in tensors_of(structure):
            known[tensor.untyped_storage().data_ptr()] = tensor, tensor._version

    def note(structure: Any) -> None:
        for _, tensor in tensors_of(structure):
            before = known.get(tensor.untyped_storage().data_ptr())
            if is_new is not None:
                changed = before is None or before[1] != tensor._version
                is_new.append(changed and tensor.is_floating_point() and tensor.numel() > 0)
            seen.append(tensor.detach().clone())
        know(structure)

    turns = iter(range(len(outputs)))
    paths = {id(each): path for path, each in call.module.named_modules()}
    twin = copy.deepcopy(call.module)

    def instead(module: nn.Module, path: str) -> Any:
        def forward(*args: Any, **kwargs: Any) -> Any:
            at = next(turns)
            assert paths[id(call.inside[at][0])] == path
            note((args, kwargs))
            output = outputs[at]
            if getattr(module, "inplace", False):
                output = args[0].copy_(output)
            know(output)
            return output

        return forward

    for path in {paths[id(each)] for each, _ in call.inside}:
        inner = twin.get_submodule(path)
        vars(inner)["forward"] = instead(inner, path)
    know((args, kwargs))
    with plain_run(fused=False):
        note(twin(*args, **kwargs))
    return seen
