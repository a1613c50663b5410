"""The zoo: every awkward model with an input, one at least for each trap of precision in models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.zoo import awkward_models as models


@dataclass
class Plain:
    """An output that torch's pytree does not know."""

    logits: Tensor
    hidden: Tensor


class Recursive(nn.Module):
    """Calls itself."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor, depth: int = 2) -> Tensor:
        y: Tensor = self.linear(x)
        return self(y, depth - 1) if depth else y


class Shared(nn.Module):
    """One module under two names, called under both and a third time."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(4, 4)
        self.two = self.one

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.one(self.two(self.one(x)))
        return y


class Structured(nn.Module):
    """Returns tensors in a structure."""

    def __init__(self, build: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.inner = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 2)])
        self._build = build

    def forward(self, x: Tensor) -> Any:
        return self._build(self.inner[0](x), self.inner[1](x))


class Recurrent(nn.Module):
    """An LSTM and a GRU with their states."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.gru = nn.LSTM(4, 4, 2, bidirectional=True), nn.GRU(8, 4, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        y, state = self.lstm(x)
        z, _ = self.gru(y)
        return z, state, y


class Unused(nn.Module):
    """A layer that forward never calls, and one whose weight it uses by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.unused, self.borrowed, self.used = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.used(x) @ self.borrowed.weight
        return y


class Lambda(nn.Module):
    """A function of the input and of one linear layer."""

    def __init__(self, function: Callable[[Tensor, nn.Module], Any]) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self._function = function

    def forward(self, x: Tensor) -> Any:
        return self._function(x, self.linear)


class Loop(nn.Module):
    """As many steps as the values ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x * 1.001
        while float(x.norm()) > 1.0:
            x = self.step(x) * 0.7
        return x


class Masked(nn.Module):
    """Attention with a mask of a given value."""

    def __init__(self, value: float | None) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(4, 4), nn.Linear(4, 4)
        self._value = value

    def forward(self, x: Tensor) -> Tensor:
        scores = self.query(x) @ self.key(x).transpose(-1, -2)
        value = torch.finfo(scores.dtype).min if self._value is None else self._value
        mask = torch.ones_like(scores, dtype=torch.bool).triu(1)
        weights: Tensor = scores.masked_fill(mask, value).softmax(-1) @ x
        return weights


class Checkpointed(nn.Module):
    """A block inside torch's checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = checkpoint(self.block, x, use_reentrant=False)
        return y


class Differentiates(nn.Module):
    """Takes a gradient in forward, as models of forces do."""

    def __init__(self) -> None:
        super().__init__()
        self.energy = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (force,) = torch.autograd.grad(self.energy(x).sum(), x)
        return force


class Inference(nn.Module):
    """Runs a part in inference mode."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            y: Tensor = self.linear(x)
        return y.clone() + 1


class ByForward(nn.Module):
    """Calls forward rather than the module."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear.forward(x) * 2
        return y


class KeywordOnly(nn.Module):
    """Inputs by name, a mask and a flag among them."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = models.HardCodedFloat()

    def forward(self, *, x: Tensor, mask: Tensor | None = None, flag: bool = False) -> dict[str, Tensor | None]:
        return {"y": self.inner(x=x) if flag else x, "mask": mask}


def _kernel_free(x: Tensor, linear: nn.Module) -> Any:
    # No kernel for float16 on the CPU.
    return torch.linalg.inv(linear(x) + 3 * torch.eye(4, dtype=x.dtype))


@dataclass(frozen=True)
class Exhibit:
    """One model with its input."""

    build: Callable[[], nn.Module]
    inputs: tuple[object, ...]
    kwargs: Mapping[str, object] = field(default_factory=dict)


def _x(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


def _function(function: Callable[[Tensor, nn.Module], Any]) -> Callable[[], nn.Module]:
    return lambda: Lambda(function)


def _structure(build: Callable[[Tensor, Tensor], Any]) -> Callable[[], nn.Module]:
    return lambda: Structured(build)


SQUARE = (_x(4, 4),)
ZOO: Mapping[str, Exhibit] = {
    "complex buffer": Exhibit(models.Rotary, SQUARE),
    "tied weights": Exhibit(models.TiedLanguageModel, (torch.tensor([[1, 2, 3]]),)),
    "tied buffers": Exhibit(models.TiedBuffers, (_x(5),)),
    "tensors of every kind": Exhibit(models.Kinds, (_x(3),)),
    "state between calls": Exhibit(models.Counting, (_x(3, 2),)),
    "overwrites its input": Exhibit(models.InPlace, (_x(2, 3),)),
    "float32 mask": Exhibit(models.Float32Mask, (_x(2, 3),)),
    "hard-coded float": Exhibit(models.HardCodedFloat, (_x(2, 3),)),
    "sampling": Exhibit(models.Sampling, (_x(4),)),
    "recursive": Exhibit(Recursive, SQUARE),
    "shared module": Exhibit(Shared, SQUARE),
    "dict output": Exhibit(_structure(lambda a, b: {"a": a, "b": {"c": b}}), SQUARE),
    "tuple output": Exhibit(_structure(lambda a, b: (a, (b, None), [a])), SQUARE),
    "dataclass output": Exhibit(_structure(Plain), SQUARE),
    "text in the output": Exhibit(_structure(lambda a, b: {"a": a, "name": "b", "n": 3}), SQUARE),
    "recurrent": Exhibit(Recurrent, (_x(3, 2, 4),)),
    "no parameters": Exhibit(nn.Softmax, SQUARE),
    "unused layer": Exhibit(Unused, SQUARE),
    "nan in the reference": Exhibit(_function(lambda x, linear: linear(x).log()), SQUARE),
    "infinite input": Exhibit(_function(lambda x, linear: linear(x)), (torch.tensor([[1.0, torch.inf, 0.0, 1.0]]),)),
    "empty output": Exhibit(_function(lambda x, linear: linear(x)[:0]), SQUARE),
    "no output": Exhibit(_function(lambda x, linear: None), SQUARE),
    "integer output": Exhibit(_function(lambda x, linear: linear(x).argmax(-1)), SQUARE),
    "integer model": Exhibit(nn.Flatten, (torch.arange(12).reshape(3, 4),)),
    "shape from values": Exhibit(_function(lambda x, linear: linear(x)[linear(x) > 0.01]), SQUARE),
    "dropout in train mode": Exhibit(lambda: nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).train(), SQUARE),
    "batch norm in train mode": Exhibit(lambda: nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).train(), SQUARE),
    "data-dependent loop": Exhibit(Loop, SQUARE),
    "mask of finfo": Exhibit(lambda: Masked(None), SQUARE),
    "mask of -1e9": Exhibit(lambda: Masked(-1e9), SQUARE),
    "mask of -inf": Exhibit(lambda: Masked(-torch.inf), SQUARE),
    "fft": Exhibit(_function(lambda x, linear: torch.fft.rfft(linear(x))), SQUARE),
    "interpolate": Exhibit(
        _function(lambda x, linear: nn.functional.interpolate(linear(x)[None, None], scale_factor=2, mode="bicubic")),
        SQUARE,
    ),
    "no kernel": Exhibit(_function(_kernel_free), SQUARE),
    "sparse": Exhibit(_function(lambda x, linear: (linear(x) * torch.eye(4, dtype=x.dtype)).to_sparse()), SQUARE),
    "returns its input": Exhibit(_function(lambda x, linear: (x, linear(x), x)), SQUARE),
    "checkpointed": Exhibit(Checkpointed, SQUARE),
    "differentiates": Exhibit(Differentiates, SQUARE),
    "inference mode": Exhibit(Inference, SQUARE),
    "calls forward": Exhibit(ByForward, SQUARE),
    "keywords only": Exhibit(KeywordOnly, (), {"x": _x(2, 3), "mask": torch.ones(2, dtype=torch.bool), "flag": True}),
    "in-place activation": Exhibit(lambda: nn.Sequential(nn.Conv1d(2, 3, 1), nn.ReLU(inplace=True)), (_x(1, 2, 5),)),
    "transformer encoder": Exhibit(
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2), (_x(2, 3, 4),)
    ),
    "attention": Exhibit(lambda: nn.MultiheadAttention(4, 2), (_x(3, 2, 4),) * 3),
    "scripted part": Exhibit(lambda: nn.Sequential(nn.Linear(4, 4), torch.jit.script(nn.Linear(4, 4))), SQUARE),
    "weight norm": Exhibit(
        lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), nn.ReLU()), SQUARE
    ),
    "float64 inside": Exhibit(_function(lambda x, linear: linear(x).double().exp().to(x.dtype)), SQUARE),
}
