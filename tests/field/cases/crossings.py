"""Models in which it matters where a tensor is cast: inputs, outputs that stay wide, what is written in place."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class InPlaceFeature(nn.Module):
    """A feature is kept, then an in-place ReLU changes it."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.relu = nn.Linear(16, 16), nn.ReLU(inplace=True)
        self.b, self.head = nn.Linear(16, 16), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        kept = self.a(x)
        y: Tensor = self.head(torch.cat([kept, self.b(self.relu(kept))], 1))
        return y


class Denoiser(nn.Module):
    """A time step of up to a thousand is an input, and turns into angles."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self._half = width // 2
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.x = nn.Linear(width, width)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        speeds = torch.exp(-math.log(10000) * torch.arange(self._half).float() / self._half)
        angles = t.float()[:, None] * speeds
        y: Tensor = self.x(x) + self.time(torch.cat((angles.cos(), angles.sin()), -1).to(x.dtype))
        return y


class FloatNorm(nn.Module):
    """A norm that returns float32 whatever it is given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + 1e-6) * self.gain


class MeetsFloat(nn.Module):
    """A linear layer that the float32 of a norm meets."""

    def __init__(self) -> None:
        super().__init__()
        self.inp, self.norm, self.out = nn.Linear(8, 8), FloatNorm(8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.out(self.norm(self.inp(x)))
        return y


def inplace_relu() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """46.4 dB in bfloat16, however it is lowered."""
    torch.manual_seed(0)
    return InPlaceFeature(), (torch.randn(200, 16),)


def denoiser() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """22.4 dB in bfloat16; with the time steps uncast 48.8 dB."""
    torch.manual_seed(18)
    return Denoiser(), (torch.randn(6, 32), torch.tensor([999.0, 937.0, 833.0, 625.0, 411.0, 301.0]))


def meets_float() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Raises in 16 bits, unless the norm is kept and its output cast back."""
    torch.manual_seed(17)
    return MeetsFloat(), (torch.randn(3, 8),)
