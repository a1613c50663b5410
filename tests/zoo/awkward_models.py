"""Small models that are hard to cast, run or audit; each is awkward in one way."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Rotary(nn.Module):
    """A complex buffer, as rotary embeddings have."""

    freqs_cis: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("freqs_cis", torch.polar(torch.ones(2), torch.tensor([0.5, 2.0])))

    def forward(self, x: Tensor) -> Tensor:
        turned = torch.view_as_complex(self.linear(x).float().reshape(*x.shape[:-1], 2, 2)) * self.freqs_cis
        return torch.view_as_real(turned).flatten(-2)


class TiedLanguageModel(nn.Module):
    """A head that shares its weight with the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embedding(ids))
        return logits


class TiedBuffers(nn.Module):
    """One buffer under two names, which `.half()` splits in two."""

    one: Tensor
    two: Tensor

    def __init__(self) -> None:
        super().__init__()
        shared = torch.randn(5)
        self.register_buffer("one", shared)
        self.register_buffer("two", shared)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.one + self.two


class Kinds(nn.Module):
    """A tensor of every kind."""

    stored: Tensor
    constant: Tensor
    ids: Tensor
    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))
        self.register_buffer("stored", torch.randn(3))
        self.register_buffer("constant", torch.randn(3), persistent=False)
        self.register_buffer("ids", torch.arange(3))
        self.register_buffer("mask", torch.tensor([True, False, True]))
        self.plain = torch.randn(3)
        self.listed = [torch.ones(2), "text"]
        self.keyed = {"scale": torch.ones(4)}

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.weight + self.stored + self.constant) * self.mask


class Counting(nn.Module):
    """A forward that changes a buffer in place, replaces another, and keeps a tensor and a list."""

    calls: Tensor
    memory: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.register_buffer("calls", torch.zeros(1))
        self.register_buffer("memory", torch.zeros(2))
        self.seen: list[Tensor] = []
        self.last: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.memory = self.memory + x.sum(0)
        self.seen.append(x)
        self.last = x
        output: Tensor = self.linear(x) + self.calls + self.memory + len(self.seen)
        return output


class InPlace(nn.Module):
    """A forward that overwrites its input."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x.mul_(2)
        output: Tensor = self.linear(x)
        return output


class Float32Mask(nn.Module):
    """A float32 tensor made in forward, that a matrix product then meets."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.inner = nn.Sequential(nn.ReLU(), nn.Linear(3, 3))

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.ones(x.shape, dtype=torch.float32)
        output: Tensor = self.inner(self.first(x) * mask)
        return output


class HardCodedFloat(nn.Module):
    """A softmax in float32 whatever the model's dtype."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.linear(x).float(), dim=-1)


class Sampling(nn.Module):
    """Draws random numbers in eval mode too."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)
