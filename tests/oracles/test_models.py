"""Real models' numbers, against the oracles'."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.oracles import held
from tests.oracles.everything import build
from tests.oracles.models import MODELS, PARTS

OPEN = {"MiniLM with pads": "padding counts in a sensitivity"}
"""Models whose sensitivity differs from the oracle's, and why."""


def test_the_oracles_import_no_product_code() -> None:
    code = "import sys, tests.oracles.fresh, tests.oracles.lowered; assert 'precision' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", MODELS)
def test_outputs_differ_as_the_oracle_says(name: str, dtype: torch.dtype) -> None:
    held.hold_compare(*build(f"model:{name}"), dtype)


@pytest.mark.parametrize("name", MODELS)
def test_layers_differ_as_the_oracle_says(name: str) -> None:
    assert held.hold_layers(*build(f"model:{name}"), torch.bfloat16) > 5


@pytest.mark.parametrize("name", MODELS)
def test_values_lie_where_the_oracle_says(name: str) -> None:
    held.hold_ranges(*build(f"model:{name}"))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.xfail(reason=OPEN[name], strict=False)) if name in OPEN else name
        for name in PARTS
    ],
)
def test_places_alone_and_in_a_plan_are_as_wrong_as_the_oracle_says(name: str, tmp_path: Path) -> None:
    model = build(f"part:{name}")
    found = held.hold_sensitivity(*model, torch.bfloat16)
    held.hold_plan(f"part:{name}", tmp_path, found.plan(bytes_share=0.7), *model)
