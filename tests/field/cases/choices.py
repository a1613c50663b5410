"""Integers computed from floating-point values: routes and positions that a format changes."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Embed(nn.Module):
    """Counts positions in the dtype of its embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.tok = nn.Embedding(50, 16)
        self.pos = nn.Embedding(1024, 16)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        h: Tensor = self.tok(ids)
        positions = mask.to(h.dtype).cumsum(-1).long() - 1
        y: Tensor = h + self.pos(positions)
        return y


class Positions(nn.Module):
    """Above 256 in bfloat16, tokens share positions."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = Embed()
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 7)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        y: Tensor = self.head(self.norm(self.embed(ids, mask)))
        return y


def cumsum_positions() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Two texts of 600 tokens."""
    torch.manual_seed(11)
    return Positions(), (torch.randint(0, 50, (2, 600)), torch.ones(2, 600, dtype=torch.long))


class MoE(nn.Module):
    """Sends each token to one expert."""

    def __init__(self, size: int = 32, experts: int = 8) -> None:
        super().__init__()
        self.gate = nn.Linear(size, experts, bias=False)
        self.experts = nn.ModuleList(nn.Linear(size, size) for _ in range(experts))

    def forward(self, x: Tensor) -> Tensor:
        _, chosen = self.gate(x).softmax(-1).topk(1)
        out = torch.zeros_like(x)
        for place, expert in enumerate(self.experts):
            hit = (chosen == place).any(-1)
            out[hit] = expert(x[hit])
        return x + out


def moe_router() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """In bfloat16 9.4 dB, as near-equal logits choose other experts; with logits that stay in float32, 26.1 dB."""
    torch.manual_seed(13)
    model = MoE()
    with torch.no_grad():
        model.gate.weight.copy_(model.gate.weight[:1] + 0.02 * model.gate.weight)
    return model, (torch.randn(400, 32),)
