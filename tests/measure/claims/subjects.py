"""Small models to try claims on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from precision.measure.claims.finding import Finding
from precision.measure.claims.subject import Subject
from precision.measure.claims.table import EXPERIMENTS
from precision.measure.models.loading import LoadedModel, load
from precision.spec import Analysis, RunSpec

SPEC = RunSpec(analysis=Analysis.CLAIMS)


def subject(module: nn.Module, *args: Tensor) -> Subject:
    """A model on the CPU, with its inputs."""
    usual = load(SPEC)
    loaded = LoadedModel(module.eval(), args, {}, usual.description, usual.input, None)
    return Subject(SPEC, loaded, torch.device("cpu"), lambda _done, _detail: None)


def subject_where(**facts: object) -> Subject:
    """TinyNet on the CPU, with facts that it need not find."""
    on = Subject(SPEC, load(SPEC), torch.device("cpu"), lambda _done, _detail: None)
    vars(on).update(facts)  # where a cached property keeps what it found
    return on


def found(claim: str, module: nn.Module, *args: Tensor) -> Finding:
    """What the experiment of a claim finds of a model."""
    return EXPERIMENTS[claim](subject(module, *args))


class Distances(nn.Module):
    """A linear layer, and an operator that has no float16 kernel on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.linear(x)
        return torch.cdist(hidden, hidden)


class Widening(nn.Module):
    """A layer that hands on float32."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float()


class WithIsland(nn.Module):
    """A class that names a module for float32, as some of transformers do."""

    _keep_in_fp32_modules = ("wo",)

    def __init__(self) -> None:
        super().__init__()
        self.wi, self.wo = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.wi(x)
        output: Tensor = self.wo(hidden.to(self.wo.weight.dtype))
        return output
