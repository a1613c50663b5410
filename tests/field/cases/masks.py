"""Additive masks that become −inf, and rows that are masked throughout."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SIZE = 16


def seen(mask: Tensor) -> Tensor:
    """Which places each place may look at: those before it that are no padding."""
    length = mask.shape[1]
    return torch.ones(length, length).tril().bool() & mask[:, None].bool()


class CastMask(nn.Module):
    """Makes its mask of float32's smallest number, and casts it to the dtype of its input."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(SIZE, 3 * SIZE)
        self.o = nn.Linear(SIZE, SIZE)

    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        visible = seen(attention_mask)
        bias = torch.zeros(visible.shape).masked_fill(~visible, torch.finfo(torch.float32).min)
        scores = q @ k.transpose(-1, -2) * SIZE**-0.5 + bias.to(x.dtype)
        y: Tensor = self.o(scores.softmax(-1) @ v)
        return y


def cast_mask(*, padded_left: bool) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Padding at the left leaves rows with nothing to look at; at the right it leaves none."""
    torch.manual_seed(3)
    mask = torch.ones(2, 8, dtype=torch.long)
    mask[1, slice(None, 3) if padded_left else slice(5, None)] = 0
    return CastMask(), (torch.randn(2, 8, SIZE), mask)


class InfiniteMask(nn.Module):
    """Masks with −inf in every dtype."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(SIZE, 3 * SIZE)

    def forward(self, x: Tensor, pad: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = q @ k.transpose(-1, -2) * SIZE**-0.5
        y: Tensor = scores.masked_fill(~seen(pad), -math.inf).softmax(-1) @ v
        return y


class NanReference(nn.Module):
    """NaN in float32 already, in the rows that are padding."""

    def __init__(self) -> None:
        super().__init__()
        self.attn = InfiniteMask()
        self.head = nn.Linear(SIZE, 4)

    def forward(self, x: Tensor, pad: Tensor) -> Tensor:
        y: Tensor = self.head(self.attn(x, pad))
        return y


def nan_reference() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Two places of the second text are padding at its left."""
    torch.manual_seed(22)
    pad = torch.ones(2, 6, dtype=torch.long)
    pad[1, :2] = 0
    return NanReference(), (torch.randn(2, 6, SIZE), pad)
