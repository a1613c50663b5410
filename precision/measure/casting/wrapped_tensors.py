"""Tensors that wrap others, as torchao's weights do: a narrow one, and its scales."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from precision.measure.rounding import dtype_name


def inner_tensors(tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The plain tensors that hold what `tensor` stores, by attribute; itself, without a name, where it is plain."""
    if not is_traceable_wrapper_subclass(tensor):
        yield "", tensor
        return
    for name in tensor.__tensor_flatten__()[0]:
        for inner_name, inner in inner_tensors(getattr(tensor, name)):
            yield f"{name}.{inner_name}" if inner_name else name, inner


def stored_dtype(tensor: Tensor) -> torch.dtype:
    """The dtype that the values of `tensor` are stored in: of a wrapping one, that of its largest part."""
    return max((inner for _, inner in inner_tensors(tensor)), key=lambda inner: inner.numel()).dtype


def parts_text(tensor: Tensor) -> str:
    """What a wrapping tensor consists of, such as `qdata int8 (64, 64), scale float32 (64, 1)`."""
    return ", ".join(f"{name} {dtype_name(inner.dtype)} {tuple(inner.shape)}" for name, inner in inner_tensors(tensor))


def plain_values(tensor: Tensor) -> Tensor:
    """The values of `tensor`, plain or a wrapping matrix `(out, in)`, as a plain tensor.

    A packed weight that cannot be unpacked is multiplied by the identity.
    """
    if not is_traceable_wrapper_subclass(tensor):
        return tensor
    try:
        values: Tensor = tensor.dequantize()
    except NotImplementedError:
        identity = torch.eye(tensor.shape[-1], dtype=tensor.dtype, device=tensor.device)
        with torch.no_grad():
            values = nn.functional.linear(identity, tensor).mT
    return values


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same dtype, shape and bits, NaN and the sign of zero included."""
    first, second = dict(inner_tensors(one)), dict(inner_tensors(other))
    return first.keys() == second.keys() and all(_same_plain(first[name], second[name]) for name in first)


def _same_plain(one: Tensor, other: Tensor) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return torch.equal(_bytes(one), _bytes(other))


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.detach().resolve_conj().resolve_neg().cpu().contiguous().reshape(-1).view(torch.uint8)
