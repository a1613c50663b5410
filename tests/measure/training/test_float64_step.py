"""How much of float32's own gradients is rounding, against gradients by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from precision.measure.compare import float64_truth
from precision.measure.training import float64_step
from precision.results.training import TrainingReport
from precision.spec import Analysis, RunSpec
from tests.measure.training.planted import Attention, Cancelling, Float64Raises
from tests.runs import measure_training, with_model

SEED = 123


def report_of(module: nn.Module, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> TrainingReport:
    with_model(monkeypatch, module, x)
    report = measure_training(RunSpec(dtype="bfloat16", analysis=Analysis.TRAINING, seed=SEED)).report
    assert report is not None
    return report


def by_hand(module: nn.Module, x: Tensor, dtype: torch.dtype) -> dict[str, Tensor]:
    model = copy.deepcopy(module).to(dtype)
    output = model(x.to(dtype))
    target = torch.randn(output.shape, generator=torch.Generator().manual_seed(SEED)).to(dtype)
    torch.autograd.backward(functional.mse_loss(output, target))
    return {name: each.grad.double() for name, each in model.named_parameters() if each.grad is not None}


def test_the_bias_of_keys_has_a_gradient_that_is_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    module, x = Attention(), torch.randn(2, 5, 8)
    report = report_of(module, x, monkeypatch)
    exact, single = (by_hand(module, x, dtype) for dtype in (torch.float64, torch.float32))
    for row in report.parameters:
        expected = float((single[row.fqn] - exact[row.fqn]).norm() / exact[row.fqn].norm())
        assert row.is_rounding is (row.fqn == "key.bias")
        assert (expected > 0.5) is (row.fqn == "key.bias")
        if not row.is_rounding:
            assert row.float32_error == pytest.approx(expected, rel=0.5)  # sums in another order round otherwise
    assert report.float64_missing == ""
    assert report.parameters[report.worst_first[-1]].fqn == "key.bias"


def test_a_gradient_that_float32_cancels_is_off_by_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    report = report_of(Cancelling(), torch.ones(8), monkeypatch)
    assert report.gradients.zeros == 8
    assert report.parameters[0].float32_error == pytest.approx(1.0, abs=1e-12)
    assert report.parameters[0].is_rounding


def test_a_product_has_the_error_of_its_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    module, x = nn.Linear(1, 1, bias=False), torch.tensor([[0.7]])
    report = report_of(module, x, monkeypatch)
    weight, value = module.weight.detach().double().squeeze(), x.double().squeeze()
    target = torch.randn(1, 1, generator=torch.Generator().manual_seed(SEED)).double().squeeze()
    exact = 2 * (weight * value - target) * value
    found = by_hand(module, x, torch.float32)["weight"].squeeze()
    assert report.parameters[0].float32_error == pytest.approx(float((found - exact).abs() / exact.abs()), rel=1e-3)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NotImplementedError("no kernel for float64"), "The step fails in float64: Forward or backward failed in"),
        (MemoryError(), "Not enough memory for a step in float64."),
    ],
)
def test_a_model_without_float64_says_so_and_is_measured_otherwise(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = report_of(Float64Raises(error), torch.ones(2, 4), monkeypatch)
    assert said in report.float64_missing
    assert [row.float32_error for row in report.parameters] == [None, None]
    assert not any(row.is_rounding for row in report.parameters)
    assert all(recipe.overall is not None for recipe in report.recipes)


@pytest.mark.parametrize(
    ("limit", "said"), [("MAX_FLOAT32_S", "too long (in float32 it took"), ("MAX_STORED_BYTES", "too much memory")]
)
def test_a_costly_step_in_float64_is_left_out(limit: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(float64_truth if limit == "MAX_STORED_BYTES" else float64_step, limit, 0)
    report = report_of(nn.Linear(2, 2), torch.ones(1, 2), monkeypatch)
    assert said in report.float64_missing
    assert report.parameters[0].float32_error is None
