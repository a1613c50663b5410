"""An input that the model itself does not take is no fault of a format, and every analysis says so first."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import precision as px
from precision.findings import regimes
from precision.findings.recommendation import recommend
from precision.findings.verdict import judge
from precision.results import RegimesResult

SAID = "The float32 reference itself fails, whatever the format. Forward failed in 0 (Linear)"


def narrow() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 4))


@pytest.mark.parametrize("analysis", ["compare", "routes", "sensitivity"])
def test_the_references_own_failure_is_called_that(analysis: str) -> None:
    failure = getattr(px, analysis)(narrow(), torch.randn(3, 5), progress=False).result.failure
    assert failure.of_reference
    assert failure.message.startswith(SAID)
    assert "(3x5 and 4x4)" in failure.message


def test_it_is_the_title_and_no_verdict_on_the_format() -> None:
    result = px.compare(narrow(), torch.randn(3, 5), dtype="float16", progress=False).result
    assert recommend(result).headline == "No answer for float16: the float32 reference itself fails"
    assert judge(result).word == "not measured"


def test_a_candidate_that_fails_alone_is_still_the_candidates_failure() -> None:
    class Float32Only(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if x.dtype != torch.float32:
                raise RuntimeError("float32 only")
            return x

    result = px.compare(Float32Only(), torch.randn(3, 5), dtype="float16", progress=False).result
    assert result.failure is not None
    assert not result.failure.of_reference
    assert recommend(result).headline == "No answer for float16: the run did not end"


def test_a_sweep_says_it_once() -> None:
    text = px.sweep(narrow(), torch.randn(3, 5), formats=["bfloat16", "float16"], progress=False).to_text()
    assert text.startswith("Nothing could be compared: the float32 reference itself fails")
    assert "Warning: bfloat16 by to, float16 by to: The float32 reference" in text


def test_a_regime_in_which_the_reference_fails_is_not_broken_by_the_format() -> None:
    class Picky(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if x.abs().max() > 50:
                raise ValueError("too large")
            return x * 1.1

    result = px.regimes(Picky(), torch.ones(2, 3), dtype="float16", progress=False).result
    assert isinstance(result, RegimesResult)
    failed = [row for row in result.report.rows if row.failure]
    assert [row.regime for row in failed] == ["x100", "x1000", "outlier"]
    assert not any(map(regimes.is_broken, failed))
    assert regimes.finding(result.report, "float16").endswith("on every input tried in which the reference runs")
    lost = px.regimes(narrow(), torch.ones(2, 3), dtype="float16", progress=False).result
    assert isinstance(lost, RegimesResult)
    assert regimes.finding(lost.report, "float16") == "the reference itself fails on the unchanged input"
