"""Where dtypes meet: code that leaves the format, and code that autocast lowers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SIZE = 32


class Norm32(nn.Module):
    """Returns float32, whatever it is given."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.g


def float_in_forward() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The last layer refuses what the norm made float32."""
    torch.manual_seed(17)
    layers = {"inp": nn.Linear(8, 8), "norm": Norm32(8), "act": nn.GELU(), "out": nn.Linear(8, 4)}
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model, (torch.randn(3, 8),)


class Rotary(nn.Module):
    """Angles of positions; autocast lowers the product although it is written in float32."""

    inv_freq: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("inv_freq", 1.0 / 10000 ** (torch.arange(0, SIZE, 2).float() / SIZE), persistent=False)

    def forward(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        angles = positions.float()[:, :, None] @ self.inv_freq.float()[None, None]
        return angles.cos(), angles.sin()


class Block(nn.Module):
    """Turns its input by the angles."""

    def __init__(self) -> None:
        super().__init__()
        self.rope = Rotary()
        self.inp = nn.Linear(SIZE, SIZE)
        self.out = nn.Linear(SIZE, SIZE)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        cos, sin = self.rope(positions)
        a, b = self.inp(x).chunk(2, -1)
        y: Tensor = self.out(torch.cat((a * cos - b * sin, a * sin + b * cos), -1))
        return y


def rope_autocast() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Positions from 65,536 on, where bfloat16 has steps of 512."""
    torch.manual_seed(2)
    return Block(), (torch.randn(1, 64, SIZE), 65536 + torch.arange(64)[None])
