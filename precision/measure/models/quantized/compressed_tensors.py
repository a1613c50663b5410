"""The layout of compressed-tensors: integers or e2m1 packed into words or bytes, int8 and float8, with scales.

Source: https://github.com/vllm-project/compressed-tensors.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from precision.measure.models.quantized.declared import Declared
from precision.measure.models.quantized.packing import checked_groups, spread, unpacked

PARTS = (
    *("weight", "weight_packed", "weight_scale", "weight_global_scale"),
    *("weight_shape", "weight_zero_point", "weight_g_idx"),
)
MARK = "weight_scale"
_E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0)
"""What four bits mean: a sign, two bits of exponent, one of mantissa."""
_E8M0_BIAS = 127


def dequantized(parts: Mapping[str, Tensor], how: Declared) -> tuple[Tensor, str]:
    """`(value - zero point) × scale` in float32, and what it is stored as, such as `int4` or `nvfp4`.

    Raises:
        ValueError, KeyError: the parts do not belong together.
    """
    packed, stored_scale = parts.get("weight_packed"), parts["weight_scale"]
    is_mx = stored_scale.dtype == torch.uint8  # a scale that is a power of two
    if packed is None:
        weight = _of_a_byte(parts["weight"])
        kind = "mxfp8_e4m3" if is_mx else str(parts["weight"].dtype).removeprefix("torch.")
    elif packed.dtype == torch.uint8:
        weight, kind = _of_four_bits(packed), "mxfp4_e2m1" if is_mx else "nvfp4"
    else:
        rows, columns = (int(size) for size in parts["weight_shape"][:2])
        bits = _bits(packed, columns, how)
        weight, kind = unpacked(packed, bits, columns).float() - 2 ** (bits - 1), f"int{bits}"
        if weight.shape[0] != rows:
            raise ValueError(f"{weight.shape[0]} rows are stored, where weight_shape says {rows}")
    if "weight_zero_point" in parts:
        weight -= _spread(_zeros(parts, weight.shape[0], how), weight, parts, how)
    scale = (stored_scale.float() - _E8M0_BIAS).exp2() if is_mx else stored_scale.float()
    if "weight_global_scale" in parts:
        if parts["weight_global_scale"].numel() != 1:
            raise ValueError("its weight_global_scale is not one number")
        scale = scale / parts["weight_global_scale"].float()
    return weight.mul_(_spread(scale, weight, parts, how)), kind


def _of_a_byte(weight: Tensor) -> Tensor:
    if weight.dim() != 2 or weight.itemsize != 1:
        raise ValueError(f"a weight of {weight.dtype} in {weight.dim()} dimensions has scales")
    return weight.float()


def _of_four_bits(packed: Tensor) -> Tensor:
    if packed.dim() != 2:
        raise ValueError(f"a weight of four bits has {packed.dim()} dimensions")
    places = torch.stack((packed & 0xF, packed >> 4), -1).flatten(1)
    return torch.tensor(_E2M1)[places.long()]


def _bits(packed: Tensor, columns: int, how: Declared) -> int:
    fitting = [bits for bits in how.bits if packed.shape[-1] == -(-columns * bits // 32)]
    if len(fitting) != 1:
        raise ValueError(f"{packed.shape[-1]} words a row do not hold {columns} integers of {how.bits} bits")
    return fitting[0]


def _zeros(parts: Mapping[str, Tensor], rows: int, how: Declared) -> Tensor:
    """Signed, float32, `(rows, groups)`; packed by column where the weight is packed."""
    zeros = parts["weight_zero_point"]
    if zeros.dtype != torch.int32 or "weight_packed" not in parts:
        return zeros.float()
    bits = _bits(parts["weight_packed"], int(parts["weight_shape"][1]), how)
    values: Tensor = unpacked(zeros.T.contiguous(), bits, rows).T.float() - 2 ** (bits - 1)
    return values


def _spread(scale: Tensor, weight: Tensor, parts: Mapping[str, Tensor], how: Declared) -> Tensor:
    groups, shape = parts.get("weight_g_idx"), (weight.shape[0], weight.shape[1])
    if groups is None or bool((groups < 0).all()):  # -1: the columns are in order
        return spread(scale, shape, block=how.block)
    return scale[:, checked_groups(groups, shape[1])]
