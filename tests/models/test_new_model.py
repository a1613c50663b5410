"""A model is a description and its builder: two files."""

import json
from pathlib import Path

import pytest

from tests.zoo.grown import Edits, Grown

DESCRIPTION = """\
_HALVES = ModelDescription(
    id="halves",
    title="Halves (random weights)",
    family="Planted",
    weights="random",
    licence=_OWN_CODE,
    good_for="One linear layer and its half.",
    parameters=6,
    inputs=(InputChoice(name="random", description="Random values: features.", real=False, default_batch=3),),
    floating_inputs=("input",),
)


"""
ENTRY = '    Entry(_HALVES, "halves:build"),\n'
BUILDER = """\
import torch
from torch import nn

from precision.measure.models.built import Built
from precision.models.request import InputRequest


def build(request: InputRequest) -> Built:
    generator = torch.Generator().manual_seed(request.seed)
    return Built(nn.Linear(2, 2), (torch.randn(request.batch or 1, 2, generator=generator),))
"""
ADDED: dict[str, Edits] = {
    "precision/models/catalogue.py": (
        ("class Entry(NamedTuple):", DESCRIPTION),
        ("    *(Entry(row.description()", ENTRY),
    ),
    "precision/measure/models/halves.py": BUILDER,
}

pytestmark = pytest.mark.slow


def test_it_is_listed_loaded_and_measured(tmp_path: Path) -> None:
    grown = Grown(tmp_path, ADDED)
    assert "halves" in {row["id"] for row in json.loads(grown.python("-m", "precision", "models", "--json"))}
    found = json.loads(grown.python("-m", "precision", "audit", "--model", "halves", "--dtype", "float16", "--json"))
    assert {row["fqn"]: row["dtype_after"] for row in found["audit"]["tensors"]} == dict.fromkeys(
        ("weight", "bias"), "float16"
    )
    assert json.loads(grown.python("-m", "precision", "memory", "--model", "halves", "--json"))
    grown.tests("tests/models/test_catalogue.py", "tests/measure/models/test_loading.py", "-k", "halves or builder")
