"""Weights in a format that torch cannot store: rounded to it, and held in float32 or float64."""

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from precision.formats import AnyFormat, ScaledFormat
from precision.measure.rounding import holding_dtype, round_to
from precision.results import TensorKind
from precision.spec.cast_methods import TORCHAO_FORMATS, CastMethod

_CHECKPOINT: tuple[TensorKind, ...] = ("parameter", "buffer")
_ALL_REGISTERED: tuple[TensorKind, ...] = (*_CHECKPOINT, "non-persistent buffer")


def is_held(tensor: Tensor, kind: TensorKind, fmt: AnyFormat, method: CastMethod) -> bool:
    """Whether a cast by `method` rounds this tensor to `fmt` and holds it in a wider dtype.

    That is what becomes of floating-point tensors in formats without a dtype: by `TO` of parameters and buffers,
    weights-only of what a checkpoint holds. Scaled formats take parameters of two dimensions and more, as kernels
    for them do: biases, norms and buffers stay as they are. `LOAD_STATE_DICT` holds what a checkpoint does in the
    model's own dtype, whatever the format; torchao stores its formats.
    """
    if not tensor.is_floating_point() or method in TORCHAO_FORMATS:
        return False
    if method.row.keeps_dtype:
        return kind in _CHECKPOINT
    if fmt.has_dtype:
        return False
    if isinstance(fmt, ScaledFormat):
        return kind == "parameter" and tensor.dim() >= 2
    return kind in (_CHECKPOINT if method.row.of_checkpoint else _ALL_REGISTERED)


def round_and_hold(module: nn.Module, fmt: AnyFormat, method: CastMethod) -> None:
    """Round the weights of `module`, in place, to a format without a dtype; all floating tensors get a wider dtype.

    Complex, integer and boolean tensors stay as they are. A parameter or buffer that two modules share is rounded
    once and stays shared. What exceeds the range becomes the largest value.
    """
    done: set[int] = set()
    low: dict[int, Tensor] = {}
    for child in module.modules():
        for parameter in child.parameters(recurse=False):
            if id(parameter) not in done and is_held(parameter, "parameter", fmt, method):
                done.add(id(parameter))
                parameter.data = rounded_weight(parameter.data, fmt, child)
        for name, buffer in list(child.named_buffers(recurse=False, remove_duplicate=False)):
            kind: TensorKind = "non-persistent buffer" if name in child._non_persistent_buffers_set else "buffer"
            if is_held(buffer, kind, fmt, method):
                if id(buffer) not in low:
                    low[id(buffer)] = rounded_weight(buffer, fmt, child)
                setattr(child, name, low[id(buffer)])
    module.double() if holding_dtype(fmt) == torch.float64 else module.float()


def rounded_weight(tensor: Tensor, fmt: AnyFormat, module: nn.Module) -> Tensor:
    """`tensor`, a weight of `module`, rounded to `fmt`; held in float32 or float64.

    Values share scales along the dimensions that the module sums over: those of one output channel.
    """
    holding = holding_dtype(fmt)
    wide = tensor.detach().to(torch.promote_types(tensor.dtype, holding))
    return _from_rows(round_to(weight_rows(wide, module), fmt), wide, module).to(holding)


def estimated_bytes(tensor: Tensor, fmt: AnyFormat, module: nn.Module) -> int:
    """What `tensor`, a weight of `module`, would take if it were stored in `fmt`, scales included."""
    if isinstance(fmt, ScaledFormat):
        return fmt.stored_bytes(tuple(weight_rows(tensor, module).shape))
    return fmt.stored_bytes(tensor.numel())


def channel_axis(tensor: Tensor, module: nn.Module) -> int:
    """The dimension of an input `tensor` of `module` that the module sums over, along which values share scales."""
    if isinstance(module, _ConvNd):
        return max(tensor.dim() - len(module.kernel_size) - 1, 0)
    return -1


def weight_rows(tensor: Tensor, module: nn.Module) -> Tensor:
    """`tensor`, a weight of `module`, with what the module sums over as its last dimension; a view, where there is one.

    Tensors of fewer than two dimensions stay as they are.
    """
    if tensor.dim() < 2:
        return tensor
    if isinstance(module, _ConvTransposeNd):
        return tensor.transpose(0, 1).flatten(1)
    if isinstance(module, _ConvNd):
        return tensor.flatten(1)
    return tensor.mT if input_first(module) else tensor


def _from_rows(rows: Tensor, like: Tensor, module: nn.Module) -> Tensor:
    if like.dim() < 2:
        return rows
    if isinstance(module, _ConvTransposeNd):
        return rows.reshape(like.transpose(0, 1).shape).transpose(0, 1).contiguous()
    if isinstance(module, _ConvNd):
        return rows.reshape(like.shape)
    return rows.mT.contiguous() if input_first(module) else rows


def input_first(module: nn.Module) -> bool:
    """The linear layers of GPT-2, which multiply by their weight as it is and not by its transpose."""
    return type(module).__name__ == "Conv1D" and type(module).__module__.startswith("transformers.")
