"""Modules of PyTorch to cast."""

import torch
from torch import nn

from precision.measure.claims.shown.calls import Call


def cast_modules(call: Call, **more: nn.Module) -> dict[str, bool]:
    """Whether all parameters are float16 after a call: of modules of `torch.nn`, and of `more`, which is cast too."""
    modules = {
        "Linear": nn.Linear(2, 2),
        "Conv2d": nn.Conv2d(2, 2, 1),
        "LSTM": nn.LSTM(2, 2),
        "Sequential": nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)),
        **more,
    }
    return {name: _all_float16(module, call) for name, module in modules.items()}


def _all_float16(module: nn.Module, call: Call) -> bool:
    try:
        call(module)
    except (AttributeError, TypeError, ValueError):
        return False
    return all(tensor.dtype == torch.float16 for tensor in module.parameters() if tensor.is_floating_point())
