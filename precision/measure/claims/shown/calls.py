"""Both calls."""

from collections.abc import Callable

import torch
from torch import nn

Call = Callable[[nn.Module], object]

CALLS: dict[str, Call] = {
    "half()": lambda module: module.half(),
    "to(torch.float16)": lambda module: module.to(torch.float16),
}
