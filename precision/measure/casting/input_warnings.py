"""What casting a model's inputs did to their values, where that matters."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from precision.formats import NumericFormat, format_named
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.stored_values import stored_values
from precision.measure.rounding import dtype_name, round_to
from precision.text.names import plain
from precision.text.units import number_text

_HIDES = -1000.0
"""Added to the score of a key, its weight is 0 in every format."""


def input_warnings(model: CastModel, args: tuple[object, ...], kwargs: Mapping[str, object]) -> tuple[str, ...]:
    """A sentence for each floating-point input of `model` with values beyond the range of what it is cast to.

    And one for each input of whole numbers of which some become others.

    Such an input makes outputs infinite or NaN (or merely wrong, where the cast saturates) although no weight is at
    fault. Inputs that are not cast give no warning. Infinities that were there before give one only if the cast makes
    them finite.
    """
    target = _target(model)
    told = (_beyond, _changed_whole_numbers)
    sentences = (
        tell(name, leaf, model, target) for _, name, leaf in _cast_leaves(model, args, kwargs) for tell in told
    )
    return tuple(sentence for sentence in sentences if sentence is not None)


def damaged_inputs(model: CastModel, args: tuple[object, ...], kwargs: Mapping[str, object]) -> tuple[str | int, ...]:
    """Places and names of the arguments with values beyond the range, or with whole numbers that the cast changes."""
    target = _target(model)
    leaves = _cast_leaves(model, args, kwargs)
    told = (_beyond, _changed_whole_numbers)
    return tuple(
        dict.fromkeys(key for key, name, leaf in leaves if any(tell(name, leaf, model, target) for tell in told))
    )


def inexact_inputs(model: CastModel, args: tuple[object, ...], kwargs: Mapping[str, object]) -> tuple[str | int, ...]:
    """Places and names of the arguments of which the cast changes a value."""
    leaves = _cast_leaves(model, args, kwargs)
    return tuple(
        dict.fromkeys(key for key, _, leaf in leaves if not torch.equal(_cast(leaf, model).to(leaf.dtype), leaf))
    )


def _target(model: CastModel) -> NumericFormat:
    return model.rounded_to or format_named(dtype_name(model.input_dtype))


def _cast_leaves(
    model: CastModel, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> Iterator[tuple[str | int, str, Tensor]]:
    """Place or name of the argument, path in it, and every floating-point tensor that is cast."""
    named: list[tuple[str | int, object]] = [*enumerate(args), *kwargs.items()]
    for key, value in named:
        if key in model.wide_inputs:
            continue
        for path, leaf in pytree.tree_flatten_with_path(value)[0]:
            if isinstance(leaf, Tensor) and leaf.is_floating_point():
                yield key, (f"[{key}]" if isinstance(key, int) else key) + pytree.keystr(path), leaf


def _beyond(name: str, tensor: Tensor, model: CastModel, target: NumericFormat) -> str | None:
    if dtype_name(tensor.dtype) == target.name or not tensor.numel():
        return None
    cast = _cast(tensor, model)
    did = stored_values(tensor, cast, fmt=target)
    beyond = did.became_nonfinite + (did.saturated or 0)
    if not beyond:
        return None
    became = f"±{number_text(target.max)}" if did.saturated else "infinite"
    seen = "" if did.max_absolute_value is None else f" (largest {number_text(did.max_absolute_value)})"
    return (
        f"Input {plain(name, limit=None)}: {beyond:,} of {did.elements:,} values are beyond the range of "
        f"{target.name} and become {became}{seen}."
    )


def _changed_whole_numbers(name: str, tensor: Tensor, model: CastModel, target: NumericFormat) -> str | None:
    """Of an input of nothing but whole numbers, such as time steps or positions, those that the cast makes others."""
    if dtype_name(tensor.dtype) == target.name or not tensor.numel() or not bool((tensor == tensor.round()).all()):
        return None
    if _is_added_mask(tensor):
        return None
    cast = _cast(tensor, model).to(tensor.dtype)
    changed = (cast != tensor) & (tensor.abs() <= target.max)
    if not bool(changed.any()):
        return None
    before, after = tensor[changed][0].item(), cast[changed][0].item()
    return (
        f"Input {plain(name, limit=None)}: {int(changed.sum()):,} of {tensor.numel():,} whole numbers are others in "
        f"{target.name}: {before:g} becomes {after:g}. No weight is at fault for what that changes; "
        "wide_inputs can leave it uncast, if the model casts it itself."
    )


def _is_added_mask(tensor: Tensor) -> bool:
    """Whether it is 0 and one large negative number throughout, which hides as much when it is another."""
    low = tensor.amin()
    return bool(low <= _HIDES) and bool((tensor == 0).any()) and bool(((tensor == 0) | (tensor == low)).all())


def _cast(tensor: Tensor, model: CastModel) -> Tensor:
    """The input as the model gets it."""
    if model.rounded_to is None:
        return tensor.to(model.input_dtype)
    return round_to(tensor.to(torch.promote_types(tensor.dtype, model.input_dtype)), model.rounded_to)
