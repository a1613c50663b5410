"""Values of formats that torch does not compute in: tensors rounded, and held in a wider dtype."""

import torch
from torch import Tensor, nn

from precision.formats import AnyFormat
from precision.measure.casting.forward import map_tensors
from precision.measure.casting.held_weights import channel_axis
from precision.measure.rounding import holding_dtype, round_to


def quantized_inputs(
    module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object], *, fmt: AnyFormat
) -> tuple[tuple[object, ...], dict[str, object]]:
    """The inputs of a call of `module` rounded to `fmt`, with scales along the dimension that it sums over.

    Those given by place; where there are none, those given by name. Masks are given by name.
    """

    def quantized(tensor: Tensor) -> Tensor:
        return rounded_tensor(tensor, fmt, axis=channel_axis(tensor, module))

    return (map_tensors(args, quantized), kwargs) if args else (args, map_tensors(kwargs, quantized))


def holds_matrix(module: nn.Module) -> bool:
    """Whether `module` itself has a parameter of two dimensions or more."""
    return any(weight.dim() >= 2 for weight in module.parameters(recurse=False))


def rounded_tensor(tensor: Tensor, fmt: AnyFormat, *, axis: int = -1) -> Tensor:
    """`tensor` rounded to `fmt` in its own dtype if it is floating-point, else as it is."""
    if not tensor.is_floating_point():
        return tensor
    wide = tensor.to(torch.promote_types(tensor.dtype, holding_dtype(fmt)))
    return round_to(wide, fmt, axis=axis).to(tensor.dtype)
