"""What casting a model's inputs did to their values, where that matters."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from precision.formats import NumericFormat, format_named
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.stored_values import stored_values
from precision.measure.rounding import dtype_name, round_to
from precision.text.names import plain
from precision.text.units import number_text


def input_warnings(model: CastModel, args: tuple[object, ...], kwargs: Mapping[str, object]) -> tuple[str, ...]:
    """One sentence for each floating-point input of `model` with values beyond the range of what it is cast to.

    Such an input makes outputs infinite or NaN (or merely wrong, where the cast saturates) although no weight is at
    fault. Inputs that are not cast give no warning. Infinities that were there before give one only if the cast makes
    them finite.
    """
    named = {**{f"[{index}]": value for index, value in enumerate(args)}, **kwargs}
    target = model.rounded_to or format_named(dtype_name(model.input_dtype))
    leaves = [
        (name + pytree.keystr(path), leaf)
        for name, value in named.items()
        for path, leaf in pytree.tree_flatten_with_path(value)[0]
        if isinstance(leaf, Tensor) and leaf.is_floating_point()
    ]
    sentences = (_beyond(name, tensor, model, target) for name, tensor in leaves)
    return tuple(sentence for sentence in sentences if sentence is not None)


def _beyond(name: str, tensor: Tensor, model: CastModel, target: NumericFormat) -> str | None:
    if dtype_name(tensor.dtype) == target.name or not tensor.numel():
        return None
    cast = tensor.to(model.input_dtype)
    if model.rounded_to is not None:
        cast = round_to(tensor.to(torch.promote_types(tensor.dtype, model.input_dtype)), model.rounded_to)
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
