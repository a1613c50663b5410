"""Functions that give models, good and bad, as `PRECISION_MODELS` names them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from tests.oracles.models import MODELS

LABELS = 8
CACHED = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
NO_FUNCTION = 3


def linear() -> tuple[nn.Module, Tensor]:
    return nn.Linear(4, 3), torch.randn(5, 4)


def cached() -> tuple[nn.Module, Tensor]:
    return CACHED.train(), torch.ones(2, 4)


def labelled() -> dict[str, Any]:
    data = TensorDataset(torch.randn(LABELS, 4), torch.arange(LABELS) % 3)
    return {"model": nn.Linear(4, 3), "inputs": DataLoader(data, batch_size=4, shuffle=True), "labels": 1}


def efficientnet() -> dict[str, Any]:
    photographs = MODELS["EfficientNet-lite0"]()
    return {"model": photographs.build(), "inputs": photographs.inputs[0], "labels": [698, 985]}


def raises() -> None:
    raise OSError("no weights\nat this place")


def leaves() -> None:
    raise SystemExit(3)


def needs_more(place: str) -> str:
    return place


def only_a_module() -> nn.Module:
    return nn.ReLU()


def no_inputs() -> dict[str, Any]:
    return {"model": nn.ReLU()}


def misspelt() -> dict[str, Any]:
    return {"model": nn.ReLU(), "inputs": torch.ones(1), "label": 1}


def a_class() -> tuple[type[nn.Module], Tensor]:
    return nn.ReLU, torch.ones(1)


def no_batch() -> tuple[nn.Module, list[Tensor]]:
    return nn.ReLU(), []


def late() -> tuple[nn.Module, Iterator[Tensor]]:
    def batches() -> Iterator[Tensor]:
        yield torch.ones(1)
        raise EOFError("the file ends here")

    return nn.ReLU(), batches()
