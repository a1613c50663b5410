"""Errors that go one way, and values that a format clips: nothing becomes infinite or NaN."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Scaled(nn.Module):
    """Scales its embeddings by a factor that bfloat16 rounds from 55.4256 to 55.5."""

    scale: Tensor

    def __init__(self, size: int = 192) -> None:
        super().__init__()
        self.emb = nn.Embedding(100, size)
        self.register_buffer("scale", torch.tensor(3072**0.5), persistent=False)
        self.lin = nn.Linear(size, size)

    def forward(self, ids: Tensor) -> Tensor:
        h = self.emb(ids) * self.scale.to(self.emb.weight.dtype)
        y: Tensor = h + self.lin(h)
        return y


def embed_scale() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Two texts of 32 tokens."""
    torch.manual_seed(32)
    return Scaled(), (torch.randint(0, 100, (2, 32)),)


class Large(nn.Module):
    """Activations of 900, which an unscaled float8_e4m3fn clips at 448."""

    def __init__(self) -> None:
        super().__init__()
        self.k = nn.Linear(32, 32)
        self.mid = nn.Linear(32, 32)
        self.out = nn.Linear(32, 8)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.out(torch.tanh(self.mid(self.k(x)) / 100))
        return y


def fp8_overflow() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Four of 32 features are large."""
    torch.manual_seed(24)
    model = Large()
    with torch.no_grad():
        model.k.weight[:4] *= 400
    return model, (torch.randn(64, 32) * 2,)
