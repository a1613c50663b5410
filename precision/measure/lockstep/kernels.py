"""What is known of operators and kernels from their names and schemas."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from precision.measure.lockstep.values import tensors_in
from precision.measure.rounding import dtype_name

_SETS = frozenset(["copy_", "fill_", "zero_", "set_", "resize_"])
_COPIES = frozenset(["_to_copy", "copy", "clone", "_unsafe_view", "_reshape_alias", "_local_scalar_dense"])
_MOVES = _SETS | _COPIES | {"lift", "lift_fresh"}
_CREATIONS = ("empty", "new_", "zeros", "ones", "full", "arange", "scalar_tensor", "rand", "eye", "linspace")
"""Names of kernels that move, convert or make values start so: nothing is computed in a dtype."""
_OVERWRITES = _SETS | {"normal_", "uniform_", "random_", "bernoulli_", "exponential_"}
"""In-place kernels that do not read what they overwrite."""


def written(func: Any, args: tuple[object, ...], kwargs: Mapping[str, object]) -> list[tuple[Tensor, bool]]:
    """The tensors that a kernel writes to, and whether their values are read before."""
    schema = func._schema
    if not schema.is_mutable:
        return []
    name = schema.name.rpartition("::")[2]
    written: list[tuple[Tensor, bool]] = []
    for place, argument in enumerate(schema.arguments):
        if argument.alias_info is None or not argument.alias_info.is_write:
            continue
        value = args[place] if place < len(args) else kwargs.get(argument.name)
        is_read = name.endswith("_") and name not in _OVERWRITES and not argument.is_out
        written += [(tensor, is_read) for tensor in tensors_in(value)]
    return written


def computed(func: Any, given: object, result: object) -> str | None:
    """The floating-point dtype that a kernel computed in, after promotion; None where it only moved or made values."""
    name = func._schema.name.rpartition("::")[2]
    if name in _MOVES or name.startswith(_CREATIONS):
        return None
    tensors = [tensor for tensor in tensors_in(given) if tensor.is_floating_point() or tensor.is_complex()]
    # Tensors without dimensions do not take part in the promotion of those with some.
    dtypes = [tensor.dtype for tensor in tensors if tensor.dim()] or [tensor.dtype for tensor in tensors]
    dtypes += [tensor.dtype for tensor in tensors_in(result) if tensor.is_floating_point() or tensor.is_complex()][:1]
    if not tensors:
        return None
    widest = dtypes[0]
    for dtype in dtypes[1:]:
        widest = _wider(widest, dtype)
    return dtype_name(widest)


def _wider(one: torch.dtype, other: torch.dtype) -> torch.dtype:
    try:
        return torch.promote_types(one, other)
    except RuntimeError:  # float8 has no promotion rules
        return max(one, other, key=lambda dtype: dtype.itemsize)
