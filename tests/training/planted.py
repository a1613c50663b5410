"""Little models with something planted in their gradients or updates."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Scaled(nn.Module):
    """y = factor · w · x: gradients of the weights are `factor` times those of the output, whatever the weights."""

    def __init__(self, *factors: float, features: int = 64) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, generator=torch.Generator().manual_seed(0)))
        self._factors = factors

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.weight * x
        for factor in self._factors:
            y = y * factor
        return y


class Frozen(nn.Module):
    """All of its parameters need no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2).requires_grad_(requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.linear(x)
        return output


class Indices(nn.Module):
    """Returns integers alone."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.linear(x)
        return scores.argmax(dim=-1)


class Bare(nn.Module):
    """No parameters at all."""

    def forward(self, x: Tensor) -> Tensor:
        return x.tanh()


class HalfUsed(nn.Module):
    """One of its layers never runs, and dropout is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused, self.dropout = nn.Linear(4, 3), nn.Linear(4, 3), nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.dropout(self.used(x))
        return output


class Float32Only(nn.Module):
    """Raises in float16 where its input meets a tensor that forward makes."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.linear(x)
        return torch.eye(4) @ output.T


class Masked(nn.Module):
    """Every other score is minus infinity, in float32 too."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 8))

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight * x).masked_fill(torch.arange(8) % 2 == 1, -torch.inf)
