"""The errors of both models against a run in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from precision.measure.compare import float64_truth
from precision.results import Comparison
from precision.spec import RunSpec
from tests.runs import Recorder, compare, with_model


def compared(spec: RunSpec) -> Comparison:
    comparison = compare(spec).comparison
    assert comparison is not None
    return comparison


class Sum(nn.Module):
    """A sum of float32 parameters, whose exact value float64 holds."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(1000, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.weight).cumsum(0)


def test_both_errors_are_those_against_numpys_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Sum()
    x = torch.ones(1000)
    with_model(monkeypatch, model, x)
    truth = compared(RunSpec(dtype="bfloat16")).truth
    exact = model.weight.detach().double().cumsum(0)
    single = model.weight.detach().cumsum(0).double()
    low = model.weight.detach().bfloat16().cumsum(0).double()
    assert truth is not None
    assert truth.reference is not None
    assert truth.candidate is not None
    assert truth.reference.rmse == pytest.approx((single - exact).square().mean().sqrt().item(), rel=1e-6)
    assert truth.candidate.rmse == pytest.approx((low - exact).square().mean().sqrt().item(), rel=1e-6)
    assert truth.reference.rmse is not None
    assert truth.candidate.rmse
    assert truth.own_share == truth.reference.rmse / truth.candidate.rmse


def test_a_candidate_in_float64_is_the_truth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_model(monkeypatch, Sum(), torch.ones(1000))
    truth = compared(RunSpec(dtype="float64")).truth
    assert truth is not None
    assert truth.candidate is not None
    assert truth.candidate.exact_share == 1
    assert truth.own_share == math.inf


def reason(spec: RunSpec) -> str:
    truth = compared(spec).truth
    assert truth is not None
    assert truth.reference is None
    assert truth.candidate is None
    assert truth.own_share is None
    assert truth.reason is not None
    return truth.reason


def test_a_reference_in_float64_needs_no_other() -> None:
    assert reason(RunSpec(reference="float64")) == "The reference is already float64."


def test_a_model_that_does_not_run_in_float64_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    class SingleOnly(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            if x.dtype == torch.float64:
                raise RuntimeError("no doubles here")
            return super().forward(x)

    with_model(monkeypatch, SingleOnly(4, 4), torch.ones(2, 4))
    assert "The model does not run in float64: " in (said := reason(RunSpec()))
    assert "no doubles here" in said


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
def test_memory_that_does_not_suffice_costs_only_the_truth(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    class Hungry(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            if x.dtype == torch.float64:
                raise error("too much")
            return super().forward(x)

    with_model(monkeypatch, Hungry(4, 4), torch.ones(2, 4))
    assert reason(RunSpec()) == "Not enough memory for a float64 run."


def test_what_would_cost_much_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(float64_truth, "MAX_REFERENCE_S", -1.0)
    assert reason(RunSpec()).startswith("No float64 run: it would take too long (the reference took ")
    monkeypatch.setattr(float64_truth, "MAX_REFERENCE_S", 1e9)
    monkeypatch.setattr(float64_truth, "MAX_STORED_BYTES", 119)
    assert reason(RunSpec()) == "No float64 run: it would need too much memory (the model holds 120 B)."


def test_it_can_be_cancelled() -> None:
    with pytest.raises(Exception, match="enough"):
        compare(RunSpec(), Recorder(stop_at="Running in float64"))
