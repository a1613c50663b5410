"""Predictions where first-order theory fails, and plans of models whose weights lie in no plain layer."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import transformers

import precision as px
from precision.findings.plan import doubts_text
from precision.results.sensitivity import SensitivityReport
from tests.field.cases.outputs import Voice

SIZES: dict[str, Any] = {
    "vocab_size": 128,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "pad_token_id": 0,
}
IDS = {"input_ids": torch.randint(3, 128, (4, 24), generator=torch.Generator().manual_seed(0)), "use_cache": False}
TRANSFORMERS: Any = transformers


def decibels(report: SensitivityReport, error: float | None) -> float:
    assert error
    return -10 * math.log10(error / report.output_mean_square)


def test_a_chaotic_cell_is_run_and_not_predicted() -> None:
    torch.manual_seed(3)
    model = Voice()
    with torch.no_grad():
        model.cell.weight_hh *= 12
        model.front.weight *= 4
    found = px.sensitivity(model, torch.randn(1, 200, 64), formats=["int8"], progress=False)
    report = found.result.report
    assert report is not None
    layers = {layer.fqn: layer.contributions[0] for layer in report.layers if layer.calls > 1}
    assert all(each.is_doubted and each.exact_squared_error is not None for each in layers.values())
    assert 25 < decibels(report, layers["cell"].best_squared_error()) < 35
    ratio = report.uniform[0].ratio
    assert ratio is not None
    assert 0.5 < ratio < 2
    assert any("is itself about as far from float64" in warning for warning in found.warnings)


def test_complex_numbers_that_a_cast_loses_are_its_own_error() -> None:
    run = px.compare(px.load("rotary"), dtype="float64", progress=False)
    assert 1.2e-2 < run.metrics["rmse"] < 1.4e-2
    assert run.verdict.against_rounding is not None
    assert run.verdict.against_rounding.word == "amplified"


@pytest.mark.slow
def test_fused_experts_are_a_layer_that_a_plan_can_choose() -> None:
    torch.manual_seed(3)
    config = TRANSFORMERS.MixtralConfig(intermediate_size=96, num_local_experts=8, num_experts_per_tok=2, **SIZES)
    model = TRANSFORMERS.MixtralForCausalLM(config).eval()
    found = px.sensitivity(model, IDS, formats=["bfloat16"], progress=False)
    report = found.result.report
    assert report is not None
    experts = sum(layer.reference_bytes for layer in report.layers if "experts" in layer.fqn)
    assert experts > 0.6 * sum(4 * each.numel() for each in model.parameters())
    assert found.plan(bytes_share=0.7).plan.totals.stored_bytes > 0


@pytest.mark.slow
def test_a_residual_stream_near_the_end_of_float16_is_not_predicted_83_times_too_small() -> None:
    torch.manual_seed(6)
    config = TRANSFORMERS.Gemma3TextConfig(intermediate_size=128, head_dim=16, **SIZES)
    model = TRANSFORMERS.Gemma3ForCausalLM(config).eval()
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight[7] *= 2
        model.model.layers[0].post_feedforward_layernorm.weight[7] = 30000.0
    found = px.sensitivity(model, IDS, formats=["float16", "bfloat16"], progress=False)
    plan = found.plan(bytes_share=0.7)
    verified = plan.verify()
    assert found.result.report is not None
    assert verified.ratio is not None
    assert 0.8 < verified.ratio < 1.25 or doubts_text(plan.plan, found.result.report)
