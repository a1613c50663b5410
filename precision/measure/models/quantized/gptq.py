"""The layouts of GPTQ and AWQ: weights transposed, packed into words, with packed zero points and scales by group.

Sources: https://github.com/ModelCloud/GPTQModel, https://github.com/casper-hansen/AutoAWQ.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from precision.measure.models.quantized.declared import Declared
from precision.measure.models.quantized.packing import checked_groups, unpacked

PARTS = ("qweight", "qzeros", "scales", "g_idx")
MARK = "qweight"

_AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)
"""Where in a word each of eight neighbours lies."""


def dequantized(parts: Mapping[str, Tensor], how: Declared) -> tuple[Tensor, str]:
    """`(value - zero point) × scale` in float32, `(outputs, inputs)`, and what it is stored as, such as `int4`.

    Raises:
        ValueError, KeyError: the parts do not belong together.
    """
    bits, scales = how.bits[0], parts["scales"].float()
    groups, outputs = scales.shape
    zeros = unpacked(parts["qzeros"], bits, outputs)
    if how.layout == "awq":
        values, zeros = _in_order(unpacked(parts["qweight"], bits, outputs)), _in_order(zeros)
    else:
        inputs = parts["qweight"].shape[0] * (32 // bits)
        values = unpacked(parts["qweight"].T.contiguous(), bits, inputs).T
        if how.zeros_less_one:
            zeros = (zeros + 1) & (2**bits - 1)
    inputs = values.shape[0]
    if values.shape[1] != outputs or zeros.shape[0] != groups or groups != -(-inputs // (how.group or inputs)):
        raise ValueError(f"{tuple(values.shape)} values do not belong to {tuple(scales.shape)} scales")
    in_order = torch.arange(inputs) // (how.group or inputs)
    group = checked_groups(parts["g_idx"], inputs) if "g_idx" in parts else in_order
    weight = values.T.contiguous().float()
    return weight.sub_(zeros.T.float()[:, group]).mul_(scales.T[:, group]), f"int{bits}"


def _in_order(values: Tensor) -> Tensor:
    words = values.reshape(values.shape[0], -1, len(_AWQ_ORDER))
    return words[:, :, list(_AWQ_ORDER)].flatten(1)
