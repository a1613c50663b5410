"""A little language model whose rotary position embedding is a complex buffer, as in the first Llama code."""

import torch
from torch import Tensor, nn

from precision.measure.models.built import Built
from precision.models.request import InputRequest

VOCABULARY = 256
WIDTH = 64
HEADS = 4
HIDDEN = 128
POSITIONS = 128
_BLOCKS = 2
_BASE = 10_000.0
"""Wavelength of the slowest rotation, over 2 pi. Source: Su et al., RoFormer (2021), section 3.4."""


def rotations(positions: int, width: int) -> Tensor:
    """exp(i m theta_k) of every position m and every pair of features k: `(positions, width / 2)`, complex64.

    Computed in float32 whatever torch's default dtype is.
    """
    exponents = torch.arange(0, width, 2, dtype=torch.float32) / width
    angles = torch.outer(torch.arange(positions, dtype=torch.float32), _BASE**-exponents)
    return torch.polar(torch.ones_like(angles), angles)


def rotated(x: Tensor, turns: Tensor) -> Tensor:
    """`x` `(B, H, L, D)`, its pairs of features turned as complex numbers by `turns` `(L, D / 2)`; in the dtype of `x`.

    Real `turns`, as a cast that drops imaginary parts leaves them, scale the pairs instead, and nothing raises.
    """
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    pairs = torch.view_as_complex(wide.reshape(*wide.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * turns).flatten(-2).to(x.dtype)


class RotaryAttention(nn.Module):
    """Causal self-attention over queries and keys that are turned by their positions."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:
        """Features `(B, L, D)` of features `(B, L, D)`."""
        query, key, value = self.qkv(x).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(
            rotated(query, turns), rotated(key, turns), value, is_causal=True
        )
        y: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return y


class RotaryBlock(nn.Module):
    """Attention and feed-forward, each after a norm and around a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(WIDTH)
        self.attention = RotaryAttention()
        self.feed_forward_norm = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, HIDDEN)
        self.down = nn.Linear(HIDDEN, WIDTH)

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:
        """Features `(B, L, D)` of features `(B, L, D)`."""
        x = x + self.attention(self.attention_norm(x), turns)
        y: Tensor = x + self.down(nn.functional.silu(self.up(self.feed_forward_norm(x))))
        return y


class RotaryNet(nn.Module):
    """An embedding, two blocks and a head; positions come in only by the complex buffer `freqs_cis`."""

    freqs_cis: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(RotaryBlock() for _ in range(_BLOCKS))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY)
        self.register_buffer("freqs_cis", rotations(POSITIONS, WIDTH // HEADS), persistent=False)

    def forward(self, token_ids: Tensor) -> Tensor:
        """Logits `(B, L, 256)` of token ids `(B, L)`."""
        hidden = self.embedding(token_ids)
        for block in self.blocks:
            hidden = block(hidden, self.freqs_cis[: token_ids.shape[1]])
        logits: Tensor = self.head(self.norm(hidden))
        return logits


def build(request: InputRequest) -> Built:
    """The network with random token ids."""
    generator = torch.Generator().manual_seed(request.seed)
    size = (request.batch or 1, request.length or 1)
    return Built(RotaryNet(), (torch.randint(0, VOCABULARY, size, generator=generator),))
