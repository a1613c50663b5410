"""The layouts of bitsandbytes: int8 with a scale a row, and four bits that look up a table of values, by block.

Source: https://github.com/bitsandbytes-foundation/bitsandbytes.
"""

import json
import math
from collections.abc import Mapping

import torch
from torch import Tensor

from precision.measure.models.quantized.declared import Declared

_STATES = ("nf4", "fp4")
PARTS = (
    *("weight", "SCB", "weight_format", "weight.absmax", "weight.quant_map"),
    *("weight.nested_absmax", "weight.nested_quant_map"),
    *(f"weight.quant_state.bitsandbytes__{kind}" for kind in _STATES),
)
MARKS = ("SCB", "weight.absmax")
_TO_UNIT = 1 / 127
_STATE_LIMIT_BYTES = 10_000


def dequantized(parts: Mapping[str, Tensor], _how: Declared) -> tuple[Tensor, str]:
    """The weight in float32, and what it is stored as: `int8`, `nf4` or `fp4`.

    Raises:
        ValueError, KeyError: the parts do not belong together.
    """
    if "SCB" in parts:
        weight, row_maximum = parts["weight"], parts["SCB"].float()
        if weight.dtype != torch.int8 or weight.dim() != 2 or row_maximum.shape != (weight.shape[0],):
            raise ValueError(f"a weight of {weight.dtype} {tuple(weight.shape)} has {tuple(row_maximum.shape)} scales")
        return weight.float() * row_maximum.unsqueeze(1) * _TO_UNIT, "int8"
    kind = next((kind for kind in _STATES if f"weight.quant_state.bitsandbytes__{kind}" in parts), _STATES[0])
    state = json.loads(bytes(parts[f"weight.quant_state.bitsandbytes__{kind}"][:_STATE_LIMIT_BYTES].tolist()))
    shape, count = tuple(state["shape"]), math.prod(state["shape"])
    packed, table = parts["weight"].flatten(), parts["weight.quant_map"].float()
    if packed.dtype != torch.uint8 or packed.numel() != (count + 1) // 2 or table.shape != (16,):
        raise ValueError(f"{packed.numel()} bytes are stored, for a weight of shape {shape}")
    places = torch.stack((packed >> 4, packed & 0xF), 1).flatten()[:count]
    return (table[places.long()] * _by_block(_maxima(parts, state), state["blocksize"], count)).reshape(shape), kind


def _maxima(parts: Mapping[str, Tensor], state: Mapping[str, object]) -> Tensor:
    """The largest magnitude of each block; stored in eight bits themselves where they are nested."""
    maxima = parts["weight.absmax"]
    if "weight.nested_absmax" not in parts:
        return maxima.float()
    table, outer = parts["weight.nested_quant_map"].float(), parts["weight.nested_absmax"].float()
    if maxima.dtype != torch.uint8 or table.shape != (256,):
        raise ValueError(f"nested scales are {maxima.dtype}, with a table of {tuple(table.shape)}")
    inner = table[maxima.long()] * _by_block(outer, state["nested_blocksize"], maxima.numel())
    return inner + float(str(state["nested_offset"]))


def _by_block(scales: Tensor, size: object, count: int) -> Tensor:
    """One for each of `count` elements, of which each `size` share one."""
    if not isinstance(size, int) or size < 1 or scales.numel() != -(-count // size):
        raise ValueError(f"{scales.numel()} scales do not belong to {count} elements in blocks of {size}")
    return scales.flatten().repeat_interleave(size)[:count]
