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


class Float64Raises(nn.Module):
    """Fails in float64."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self._error = error

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.float64:
            raise self._error
        output: Tensor = self.linear(x)
        return output


class Cancelling(nn.Module):
    """y = w, as the difference of two products that float32 cannot tell apart: its gradient there is zero."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 8))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * 100_000_001.0 * x - self.weight * 100_000_000.0 * x


class Attention(nn.Module):
    """One head. A bias of the keys adds the same to all scores of a query, which softmax does not see."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.query(x) @ self.key(x).transpose(-2, -1)
        output: Tensor = scores.softmax(dim=-1) @ self.value(x)
        return output


class Masked(nn.Module):
    """Every other score is minus infinity, in float32 too."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 8))

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight * x).masked_fill(torch.arange(8) % 2 == 1, -torch.inf)
