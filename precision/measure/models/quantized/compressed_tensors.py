"""The layout of compressed-tensors: integers packed into words, or int8 and float8 as they are, with scales.

Source: https://github.com/vllm-project/compressed-tensors.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from precision.measure.models.quantized.declared import Declared
from precision.measure.models.quantized.packing import checked_groups, spread, unpacked

PARTS = ("weight", "weight_packed", "weight_scale", "weight_shape", "weight_zero_point", "weight_g_idx")
MARK = "weight_scale"


def dequantized(parts: Mapping[str, Tensor], how: Declared) -> tuple[Tensor, str]:
    """`(value - zero point) × scale` in float32, and what it is stored as, such as `int4`.

    Raises:
        ValueError, KeyError: the parts do not belong together.
    """
    if "weight_packed" in parts:
        rows, columns = (int(size) for size in parts["weight_shape"][:2])
        bits = _bits(parts["weight_packed"], columns, how)
        values = unpacked(parts["weight_packed"], bits, columns)
        if values.shape[0] != rows:
            raise ValueError(f"{values.shape[0]} rows are stored, where weight_shape says {rows}")
        name, middle = f"int{bits}", 2 ** (bits - 1)
    else:
        values, bits, middle = parts["weight"], 8, 0
        name = str(values.dtype).removeprefix("torch.")
        if values.dim() != 2 or values.itemsize != 1:
            raise ValueError(f"a weight of {values.dtype} in {values.dim()} dimensions has scales")
        rows, columns = values.shape
    shape = (rows, columns)
    weight = values.float() - middle
    if "weight_zero_point" in parts:
        weight -= _spread(_zeros(parts, rows, bits).float(), shape, parts, how)
    return weight.mul_(_spread(parts["weight_scale"].float(), shape, parts, how)), name


def _bits(packed: Tensor, columns: int, how: Declared) -> int:
    fitting = [bits for bits in how.bits if packed.shape[-1] == -(-columns * bits // 32)]
    if len(fitting) != 1:
        raise ValueError(f"{packed.shape[-1]} words a row do not hold {columns} integers of {how.bits} bits")
    return fitting[0]


def _zeros(parts: Mapping[str, Tensor], rows: int, bits: int) -> Tensor:
    """Signed, `(rows, groups)`; packed by column where the weight is packed."""
    zeros = parts["weight_zero_point"]
    if zeros.dtype != torch.int32 or "weight_packed" not in parts:
        return zeros
    values: Tensor = unpacked(zeros.T.contiguous(), bits, rows).T.float() - 2 ** (bits - 1)
    return values


def _spread(scale: Tensor, shape: tuple[int, int], parts: Mapping[str, Tensor], how: Declared) -> Tensor:
    groups = parts.get("weight_g_idx")
    if groups is None or bool((groups < 0).all()):  # -1: the columns are in order
        return spread(scale, shape, block=how.block)
    return scale[:, checked_groups(groups, shape[1])]
