"""Weights that are stored each in its own format, in a model that computes in the reference's precision."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from precision.errors import InputError
from precision.measure.casting import castable
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.held_weights import rounded_weight
from precision.measure.casting.methods import copied
from precision.measure.casting.stored_tensors import StoredTensor, stored_tensors
from precision.measure.rounding import dtype_name, storage_dtype
from precision.results import Execution
from precision.spec.weights import StoredIn, counted_text
from precision.text.names import plain
from precision.text.units import count_text


def own_formats(module: nn.Module, weights: Mapping[str, StoredIn]) -> dict[str, StoredIn]:
    """How each of `weights` is stored, under every name that the parameter has in `module`.

    Raises:
        InputError: no floating-point parameter of that name, or one parameter has two formats under two names.
    """
    held = {each.fqn: each for each in stored_tensors(module)}
    ways: dict[int, tuple[str, StoredIn]] = {}
    for name, way in weights.items():
        found = _parameter(held, name)
        first, chosen = ways.setdefault(id(found), (name, way))
        if chosen != way:
            raise InputError(
                f"{plain(first)} and {plain(name)} are one parameter, and weights give it two formats: {chosen} and "
                f"{way}. Give it one."
            )
    return {name: ways[id(each.tensor)][1] for name, each in held.items() if id(each.tensor) in ways}


def in_own_formats(reference: CastModel, weights: Mapping[str, StoredIn]) -> CastModel:
    """The reference with `weights` rounded to their formats, as the method weights-only does it.

    A weight is stored in its format where torch has a dtype for it, and widened at the start of every run. Others, and
    those with a scale, are rounded and held in float32 or float64; values beyond the range become the largest value.
    Tied weights stay tied. Buffers, integer and complex parameters stay as they are.

    Raises:
        InputError: see `own_formats`.
        UnsupportedError: a part of the model is TorchScript, or the device cannot store a format.
    """
    castable.require_unscripted(reference.stored)
    for dtype in {storage_dtype(way.fmt) for way in weights.values() if way.is_stored}:
        castable.require_device(reference.device, dtype)
    stored = copied(reference.stored)
    ways = own_formats(stored, weights)
    done: set[int] = set()
    for held in stored_tensors(stored):
        if held.fqn in ways and id(held.tensor) not in done:
            done.add(id(held.tensor))
            held.tensor.data = _stored(held.tensor.data, ways[held.fqn], stored.get_submodule(held.module))
    return replace(
        reference, stored=stored, widened=True, execution=_execution(weights, dtype_name(reference.input_dtype))
    )


def _parameter(held: Mapping[str, StoredTensor], name: str) -> Tensor:
    if name not in held:
        raise castable.no_such_weight(name, (each.fqn for each in held.values() if each.kind == "parameter"))
    found = held[name]
    if found.kind != "parameter":
        raise InputError(f"{plain(name)} is a {found.kind}: only parameters have formats of their own. Leave it out.")
    if not found.tensor.is_floating_point():
        raise InputError(
            f"{plain(name)} is {dtype_name(found.tensor.dtype)}: only floating-point parameters have formats of their "
            "own. Leave it out."
        )
    return found.tensor


def _stored(values: Tensor, way: StoredIn, owner: nn.Module) -> Tensor:
    if way.is_stored:
        return values.to(storage_dtype(way.fmt))
    if not way.exponent:
        return rounded_weight(values, way.fmt, owner)
    wide = (values.cpu() if values.device.type == "mps" else values).double()  # there is no float64 on mps
    rounded = rounded_weight(torch.ldexp(wide, torch.tensor(way.exponent)), way.fmt, owner)
    return torch.ldexp(rounded.double(), torch.tensor(-way.exponent)).to(values)


def _execution(weights: Mapping[str, StoredIn], computing: str) -> Execution:
    held = dict.fromkeys(str(way) for way in weights.values() if not way.is_stored)
    explanation = (
        f"Stored each in its own format: {count_text(len(weights), 'weight')} "
        f"({counted_text([str(way) for way in weights.values()])}). They are widened to {computing} at the start of "
        f"every run: all arithmetic is {computing}."
    )
    if not held:
        return Execution(label="upcast", explanation=explanation)
    return Execution(
        label="simulated",
        explanation=f"{explanation} torch does not store {', '.join(held)}: such weights are rounded, and held in a "
        "wider dtype.",
    )
