"""A reference that is NaN by itself: every analysis says so, and builds nothing on it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import precision
from precision.findings.training.advice import advice, finding
from precision.results import SensitivityResult, TrainingResult
from tests.field.cases.masks import nan_reference
from tests.field.cases.outputs import MaskedWords


@pytest.mark.parametrize("analysis", ["compare", "regimes", "sensitivity"])
def test_it_is_the_first_thing_said(analysis: str) -> None:
    result = getattr(precision, analysis)(*nan_reference(), progress=False).result
    assert result.warnings[0].startswith("The reference itself is infinite or NaN in 8 of 48")
    assert "attn" in result.warnings[0]
    if isinstance(result, SensitivityResult):
        report = result.report
        assert report is not None
        assert report.method == "exact sweep"  # gradients are NaN
        errors = [each.squared_error for layer in report.layers for each in layer.contributions[:2]]
        assert all(error is not None and 0 < error < 1 for error in errors)


@pytest.mark.parametrize("analysis", ["compare", "regimes", "layers", "sensitivity"])
def test_scores_that_mask_classes_on_both_sides_are_no_alarm(analysis: str) -> None:
    settings = {"formats": ["bfloat16"]} if analysis == "sensitivity" else {"dtype": "bfloat16"}
    run = getattr(precision, analysis)(MaskedWords(), torch.randn(8, 16), **settings, progress=False)
    assert not any("infinite" in warning for warning in run.warnings)
    assert "The reference itself is" not in run.to_text()


def test_a_sweep_says_it_too() -> None:
    partly = precision.sweep(*nan_reference(), formats=["bfloat16", "float16"], progress=False).to_text()
    assert partly.startswith("Warning: The reference itself is infinite or NaN in 8 of 48 output elements.")
    assert partly.count("The reference itself is") == 1
    lost = nn.Linear(4, 4)
    nn.init.constant_(lost.weight, float("nan"))
    wholly = precision.sweep(lost, torch.randn(3, 4), formats=["bfloat16"], progress=False).to_text()
    assert "Nothing could be compared: all 12 elements are infinite or NaN in the reference itself" in wholly


def test_nan_beside_a_mask_is_counted_without_it() -> None:
    class Lost(MaskedWords):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"logits": super().forward(x)["logits"] + torch.where(x[:, :1] > 9, torch.nan, 0.0)}

    x = torch.randn(8, 16)
    x[0, 0] = 10
    for run in (precision.layers(Lost(), x, progress=False), precision.sensitivity(Lost(), x, progress=False)):
        assert "The reference itself is infinite or NaN in 20 of 160 output elements" in run.to_text()


def test_the_text_of_a_sensitivity_that_measured_nothing_names_the_cause() -> None:
    lost = nn.Sequential(nn.Linear(4, 4))
    lost.load_state_dict({name: each * torch.nan for name, each in lost.state_dict().items()})
    said = precision.sensitivity(lost, torch.randn(3, 4), progress=False).to_text()
    assert "Warning: The reference itself is infinite or NaN in 12 of 12 output elements." in said
    assert "It begins in 0." in said
    assert "No layer was measured. The model's outputs hold no finite number" in said
    script = torch.jit.script(nn.Sequential(nn.Linear(4, 4)))
    said = precision.sensitivity(script, torch.randn(3, 4), progress=False).to_text()
    assert "No layer was measured. This model has no layer" in said
    assert "is a TorchScript module, which is cast as a whole or not at all" in said


def test_ranges_name_where_it_begins() -> None:
    assert "attn output holds NaNs" in precision.ranges(*nan_reference(), progress=False).result.warnings[0]


def test_training_judges_no_way_to_train() -> None:
    result = precision.training(*nan_reference(), dtype="bfloat16", progress=False).result
    assert isinstance(result, TrainingResult)
    report = result.report
    assert report is not None
    assert (report.reference_nonfinite, report.gradients.elements, report.left_out) == (336, 884, 8)
    assert finding(report, "bfloat16").startswith("336 of 884 gradients")
    assert "autocast" not in advice(report, "bfloat16")
    assert all(step.moved_reference <= 884 - 336 for recipe in report.recipes for step in recipe.steps)


class Masked(nn.Module):
    """Writes −inf in place of some values, which nobody says are classes."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(16, 6)

    def forward(self, x: Tensor) -> Tensor:
        return torch.masked_fill(self.last(x), torch.tensor([False, False, True] * 2), -math.inf)


def test_infinities_that_the_reference_writes_on_purpose_are_no_overflow() -> None:
    found = precision.layers(Masked(), torch.randn(9, 16), dtype="float16", progress=False)
    text = next(line for line in found.to_text().splitlines() if "reference itself" in line)
    assert "18 of 54 output elements" in text
    assert "overflow" not in text
    assert "may write infinities on purpose" in text
