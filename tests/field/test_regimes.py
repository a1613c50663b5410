"""Input regimes say whose error a row is, and name no sample whose reference is NaN itself."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import precision as px
from precision.findings.regimes import finding
from precision.results import RegimesResult
from precision.results.regimes import RegimeRow
from tests.field.cases.masks import nan_reference
from tests.field.cases.outputs import MaskedWords, Outside, Sampler, Voice


def regimes(module: nn.Module, *inputs: Tensor, dtype: str) -> dict[str, RegimeRow]:
    return {row.regime: row for row in measured(module, *inputs, dtype=dtype).report.rows}


def measured(module: nn.Module, *inputs: Tensor, dtype: str) -> RegimesResult:
    result = px.regimes(module, inputs, dtype=dtype, progress=False).result
    assert isinstance(result, RegimesResult)
    return result


def test_an_error_that_is_the_references_own_is_said_first_and_in_its_regimes_alone() -> None:
    torch.manual_seed(3)
    model = Voice()
    with torch.no_grad():
        model.cell.weight_hh *= 12
        model.front.weight *= 4
    result = measured(model, torch.randn(1, 200, 64), dtype="bfloat16")
    rows = {row.regime: row for row in result.report.rows}
    assert rows["given"].not_attributable.startswith("The float32 reference is itself ")
    assert result.warnings[0] == rows["given"].not_attributable
    assert not rows["x10"].not_attributable, "large inputs saturate the cell, which is then no longer chaotic"
    others = sum(bool(row.not_attributable) for row in result.report.rows)
    assert (
        finding(result.report, "bfloat16") == f"in {others} of 7 input regimes, the error may not be that of bfloat16"
    )


def test_noise_is_told_from_the_formats_error_where_values_are_close_too() -> None:
    torch.manual_seed(0)
    rows = regimes(Outside(), torch.randn(40, 32), dtype="bfloat16")
    for regime in ("given", "x10"):
        assert rows[regime].not_attributable.startswith("Two runs of the reference differ")
    noisy = regimes(Sampler(), torch.randn(32, 64), dtype="bfloat16")
    assert not any(row.not_attributable for row in noisy.values()), "its noise is that of the reference"
    bfloat16_db = noisy["given"].errors.sqnr_db if noisy["given"].errors else None
    assert bfloat16_db is not None
    assert 45 < bfloat16_db < 52


def test_no_sample_is_the_worst_whose_reference_is_nan() -> None:
    module, inputs = nan_reference()
    with torch.no_grad():
        lost = [bool(sample.isnan().any()) for sample in module(*inputs)]
    assert lost == [False, True]
    rows = regimes(module, *inputs, dtype="bfloat16")
    for regime in ("given", "x0.1", "x10", "x100"):
        worst = rows[regime].worst
        assert worst is not None
        assert worst.index == 0
    only_lost = regimes(module, *(each[1:] for each in inputs), dtype="bfloat16")["given"]
    assert only_lost.worst is None
    assert only_lost.samples == 1


def test_masked_classes_leave_every_sample_in() -> None:
    torch.manual_seed(7)
    assert regimes(MaskedWords(), torch.randn(8, 16), dtype="bfloat16")["given"].worst is not None
