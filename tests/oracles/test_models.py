"""Real models' numbers, against the oracles'."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import precision as px
from tests.measure.sensitivity.predictions import correlation
from tests.oracles import held
from tests.oracles.everything import build
from tests.oracles.models import MODELS, PARTS


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


@pytest.mark.parametrize(
    ("name", "least"),
    [("MiniLM", 18), ("EfficientNet-lite0", 1), ("silero-vad", 1), ("digit recognizer", 0), ("digits", 0)],
)
def test_own_code_errs_as_the_oracle_says(name: str, least: int) -> None:
    assert held.hold_own_code(*build(f"model:{name}"), torch.bfloat16) >= least


@pytest.mark.parametrize("name", MODELS)
def test_values_lie_where_the_oracle_says(name: str) -> None:
    held.hold_ranges(*build(f"model:{name}"))


@pytest.mark.parametrize("name", ["model:MiniLM", "model:EfficientNet-lite0", "model:digit recognizer", "model:digits"])
def test_places_are_predicted_as_they_are_measured(name: str) -> None:
    module, args, kwargs = build(name)
    run = px.sensitivity(module, held.given(args, kwargs), formats=["bfloat16"], exact=True, progress=False)
    assert run.result.report is not None
    assert correlation(run.result.report, 0) >= 0.98


def test_a_spectrum_whose_quiet_bands_lose_their_digits_is_run_and_not_predicted() -> None:
    module, args, _ = build("model:silero-vad")
    report = px.sensitivity(module, args, formats=["bfloat16"], progress=False).result.report
    assert report is not None
    (doubted,) = [layer for layer in report.layers if layer.contributions[0].is_doubted]
    (found,) = doubted.contributions
    assert doubted.fqn == "stft_conv"
    assert found.squared_error is not None
    assert found.exact_squared_error is not None
    assert found.exact_squared_error > 50 * found.squared_error
    assert report.uniform[0].measured_squared_error == pytest.approx(found.exact_squared_error, rel=0.5)


@pytest.mark.parametrize("name", PARTS)
def test_places_alone_and_in_a_plan_are_as_wrong_as_the_oracle_says(name: str, tmp_path: Path) -> None:
    model = build(f"part:{name}")
    found = held.hold_sensitivity(*model, torch.bfloat16)
    held.hold_plan(f"part:{name}", tmp_path, found.plan(bytes_share=0.7), *model)
