"""A model that Precision Explorer finds once this package is installed beside it."""

import torch
from torch import nn


def two_layers() -> tuple[nn.Module, torch.Tensor]:
    """The module and what it is called with; torch is seeded with the run's seed before."""
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4)), torch.randn(64, 16)
