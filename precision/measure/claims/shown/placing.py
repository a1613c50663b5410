"""The device of a model that was not moved to one."""

import torch
from torch import nn


def placed_unasked() -> dict[str, torch.device]:
    """Make a float16 layer and an input, run them, and see where they are."""
    layer = nn.Linear(2, 2).half()
    with torch.no_grad():
        output = layer(torch.zeros(1, 2).half())
    return {"Weight": layer.weight.device, "Output": output.device}
