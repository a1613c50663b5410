"""Guards and constants that 16 bits do not hold: what is computed from them is infinite, NaN or silently wrong."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from torch import Tensor, nn

Case = tuple[nn.Module, tuple[Tensor, ...]]

GUARDS: dict[str, Callable[[Tensor], Tensor]] = {
    "log_clip": lambda x: x.clip(min=1e-8).log(),
    "div_eps": lambda x: x / (x.sum(-1, keepdim=True) * 0 + 1e-9),
    "acos_guard": lambda x: torch.acos((x * x).sum(-1) * (1 - 1e-6)),
    "sqrt_neg": lambda x: ((x * x).mean(-1) - x.mean(-1) ** 2 + 1e-8).sqrt(),
}


class Guarded(nn.Module):
    """A linear layer that changes nothing, and a guarded function of it."""

    def __init__(self, name: str, size: int) -> None:
        super().__init__()
        self.name = name
        self.lin = nn.Linear(size, size)
        nn.init.eye_(self.lin.weight)
        nn.init.zeros_(self.lin.bias)

    def forward(self, x: Tensor) -> Tensor:
        return GUARDS[self.name](self.lin(x))


def lost_guard(name: str) -> Case:
    """One of `GUARDS`, with an input that needs it."""
    torch.manual_seed(0)
    x = torch.tensor([[0.0, 0.0, 1.0, 2.0], [1.0, 1.0, 0.0, 0.5]])
    if name == "acos_guard":
        x = F.normalize(torch.randn(64, 4), dim=-1)
    if name == "sqrt_neg":
        x = 3 + 0.01 * torch.randn(64, 16)
    return Guarded(name, x.shape[-1]), (x,)


class Tower(nn.Module):
    """Normalizes its features; the eps of 1e-12 is 0 in float16."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Linear(12, 8, bias=False)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(F.normalize(self.proj(x), dim=-1))
        return y


def normalized_zero_rows() -> Case:
    """Two rows are padding: all zeros."""
    torch.manual_seed(5)
    x = torch.randn(6, 12)
    x[4:] = 0
    return Tower(), (x,)


class Head(nn.Module):
    """A softmax that does not subtract the maximum."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(10, 6)

    def forward(self, x: Tensor) -> Tensor:
        e = torch.exp(self.fc(x))
        return e / e.sum(-1, keepdim=True)


def softmax_by_hand() -> Case:
    """exp(13) is beyond the end of float16."""
    torch.manual_seed(8)
    head = Head()
    with torch.no_grad():
        head.fc.bias[2] = 13.0
    return head, (torch.randn(5, 10),)


class Normed(nn.Module):
    """Divides a weight by its norm, whose sum of squares is beyond the end of float16: the weight becomes 0."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(31)
        self.weight = nn.Parameter(1000 * torch.rand(8, 8))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight / self.weight.pow(2).sum().sqrt()
        return torch.tanh(x @ weight)


class Stored(nn.Module):
    """A stored factor that is beyond the end of float16, and a stored eps that is 0 in it."""

    factor: Tensor
    eps: Tensor

    def __init__(self, factor: float, eps: float) -> None:
        super().__init__()
        self.register_buffer("factor", torch.tensor(factor))
        self.register_buffer("eps", torch.tensor(eps))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor * 1e-6 + 0 * x / self.eps
