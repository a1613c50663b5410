"""Models whose outputs were judged wrongly: by a pooled figure, by a guess, or by noise that was not the format's."""

import numpy as np
import torch
from torch import Tensor, nn


class Detector(nn.Module):
    """Large logits, and small box offsets taken relative to an anchor at 1000, which 16 bits lose."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Linear(16, 10)
        self.box = nn.Linear(16, 4)
        self.register_buffer("anchor", torch.tensor(1000.0))
        nn.init.normal_(self.scores.weight, std=30)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """`(samples, 16)` to logits and boxes."""
        return {"logits": self.scores(x), "boxes": (self.box(x) * 0.05 + self.anchor) - self.anchor}


class Voice(nn.Module):
    """One cell called 200 times, chaotic: float32 does not keep what float64 gives."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Linear(64, 32)
        self.cell = nn.LSTMCell(32, 32)
        self.mix = nn.Linear(32, 32)
        self.out = nn.Linear(32, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """`(recordings, frames, 64)` to a probability for each frame."""
        h = c = torch.zeros(frames.shape[0], 32, dtype=frames.dtype)
        said = []
        for frame in frames.unbind(1):
            h, c = self.cell(self.front(frame).relu(), (h, c))
            said.append(self.out(self.mix(h).relu()).sigmoid())
        return torch.cat(said, 1)


class MaskedWords(nn.Module):
    """Scores of 20 words, of which the last five are excluded by an infinite negative score."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(16, 20)
        self.register_buffer("mask", torch.zeros(20).index_fill(0, torch.arange(15, 20), -torch.inf))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """`(samples, 16)` to logits."""
        return {"logits": self.lin(x) + self.mask}


class Outside(nn.Module):
    """Draws noise with numpy, which nothing records: every run of it is another."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(32, 32)

    def forward(self, x: Tensor) -> Tensor:
        """`(samples, 32)` to the same."""
        noise: Tensor = torch.from_numpy(np.random.randn(*x.shape))
        out: Tensor = self.lin(x + noise.to(x.dtype))
        return out


class Sampler(nn.Module):
    """Draws noise in its forward: from one seed, torch draws other numbers in other dtypes.

    See huggingface/diffusers#11056 and pytorch/pytorch#166853.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mu = nn.Linear(64, 64)
        self.sigma = nn.Linear(64, 64)
        self.dec = nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        """`(samples, 64)` to the same."""
        m, s = self.mu(x), self.sigma(x).sigmoid()
        decoded: Tensor = self.dec(m + s * torch.randn_like(m))
        return decoded


class Picker(nn.Module):
    """Draws by probabilities that it computes: the draw itself depends on the precision."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Linear(16, 50)
        self.table = nn.Embedding(50, 8)

    def forward(self, x: Tensor) -> Tensor:
        """`(samples, 16)` to the vector of a class drawn for each."""
        picked: Tensor = self.table(torch.multinomial(self.scores(x).softmax(-1), 1).squeeze(1))
        return picked


def small_bias() -> nn.Sequential:
    """Many biases below float16's normal range, which it still rounds better than bfloat16 does."""
    convolution, second = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3)
    layers = (convolution, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), nn.Linear(16 * 16, 10))
    with torch.no_grad():
        for layer in (convolution, second):
            if layer.bias is not None:
                layer.bias.copy_(torch.cat([torch.randn(12) * 3e-6, torch.randn(4) * 0.3]))
    return nn.Sequential(*layers)
