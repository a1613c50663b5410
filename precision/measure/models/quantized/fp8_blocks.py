"""The layout of DeepSeek-V3: float8 with a scale for each block of a weight, called `weight_scale_inv`.

Source: https://github.com/deepseek-ai/DeepSeek-V3, `inference/fp8_cast_bf16.py`.
"""

from collections.abc import Mapping

from torch import Tensor

from precision.measure.models.quantized.declared import Declared
from precision.measure.models.quantized.packing import spread

PARTS = ("weight", "weight_scale_inv")
MARK = "weight_scale_inv"


def dequantized(parts: Mapping[str, Tensor], how: Declared) -> tuple[Tensor, str]:
    """`value × scale` in float32 (the scale is no inverse, whatever its name says), and the dtype it is stored as.

    Raises:
        ValueError, KeyError: the parts do not belong together.
    """
    weight = parts["weight"]
    if not weight.is_floating_point() or weight.itemsize != 1 or weight.dim() != 2:
        raise ValueError(f"a weight of {weight.dtype} in {weight.dim()} dimensions has scales")
    rows, columns = weight.shape
    scale = spread(parts["weight_scale_inv"].float(), (rows, columns), block=how.block)
    return weight.float() * scale, str(weight.dtype).removeprefix("torch.")
