"""Which formats hold the values of models of kinds that people report."""

from __future__ import annotations

import torch

import precision as px
from precision.findings.fit.fitness import Fit
from precision.findings.fit.table import fit_table, formats_to_judge
from tests.field.cases.outputs import small_bias


def test_small_values_are_no_alarm_where_the_whole_tensor_rounds_well() -> None:
    torch.manual_seed(5)
    run = px.ranges(small_bias(), torch.randn(64, 3, 8, 8), progress=False)
    assert run.result.ranges is not None
    table = fit_table(run.result.ranges)
    bias = next(tensor for tensor in run.result.ranges.tensors if tensor.label == "0.bias")
    half, brain = table.fit(bias, "float16"), table.fit(bias, "bfloat16")
    assert half.verdict is Fit.FITS
    assert (half.subnormal or (0.0, 0.0))[1] > 0.5
    assert (half.sqnr_db or 0.0) > (brain.sqnr_db or 0.0)
    assert table.smallest_format([bias]) == "float16"


def test_dialects_are_named_only_where_they_are_asked_for() -> None:
    torch.manual_seed(0)
    run = px.ranges(torch.nn.Linear(8, 8), 0.02 * torch.rand(64, 8) + 0.009, progress=False)
    assert run.result.ranges is not None
    table = fit_table(run.result.ranges)
    asked = fit_table(run.result.ranges, formats_to_judge("e4m3fnuz"))
    given = next(tensor for tensor in run.result.ranges.tensors if tensor.label == "input[0]")
    assert "fnuz" not in (table.smallest_format([given]) or "")
    assert "fnuz" in (asked.smallest_format([given]) or "")
    assert "fnuz" not in str(run.smallest_formats().values())
    assert "fnuz" in str(run.smallest_formats(asked="float8_e4m3fnuz").values())
