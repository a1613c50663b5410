"""What a format does silently: a factor that is off, values that became equal, values that were clipped."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import precision
from precision.findings.origins import silent_causes
from precision.measure.lockstep.merged import merged
from precision.spec import CastMethod
from tests.field.cases import choices, dtypes, silent
from tests.measure.lockstep.side_by_side import lockstep, row_named


def test_a_rounded_factor_is_a_systematic_error() -> None:
    model, x = silent.embed_scale()
    report = lockstep(model.eval(), *x, name="bfloat16", operators=True)
    errors = next(each.errors for each in report.operators if each.name == "mul")
    assert errors is not None
    assert errors.factor_error == pytest.approx(55.5 / 3072**0.5 - 1, rel=0.05)
    assert errors.factor_error_se is not None
    assert 0 < errors.factor_error_se < 1e-4
    embedding = row_named(report, "emb").errors
    assert embedding is not None
    assert embedding.factor_error is not None
    assert embedding.factor_error_se is not None
    assert abs(embedding.factor_error) < 4 * embedding.factor_error_se  # rounding goes either way
    run = precision.compare(*silent.embed_scale(), dtype="bfloat16", progress=False)
    assert "+0.12" in run.figures()["Mean signed error"]


def test_positions_that_became_equal_are_counted() -> None:
    model, x = dtypes.rope_autocast()
    report = lockstep(model.eval(), *x, name="bfloat16", method=CastMethod.AUTOCAST, operators=True)
    first = report.first_merger
    assert first is not None
    assert (first.name, first.became_equal, first.neighbours) == ("matmul", 63, 63)
    assert any("63 neighbours" in said for said in silent_causes(report))
    model, x = choices.cumsum_positions()
    positions = lockstep(model.eval(), *x, name="bfloat16", operators=True).first_merger
    assert positions is not None
    assert positions.name == "cumsum"


def test_random_values_are_no_grid() -> None:
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    assert merged(x, x.bfloat16()).became_equal == 0
    grid = torch.arange(512.0)
    assert merged(grid, grid.bfloat16()) == (127, 511)  # 4k - 1, 4k and 4k + 1 become one from 256 on
    assert merged(grid, grid).became_equal == 0


def test_clipped_activations_are_counted_before_the_cast() -> None:
    model, x = silent.fp8_overflow()
    report = lockstep(model.eval(), *x, name="float8_e4m3fn", operators=True)
    row = report.first_clipped
    assert row is not None
    assert (row.fqn, row.clipped) == ("k", 107)
    assert any("107 of 2,048" in said for said in silent_causes(report))
    assert lockstep(model.eval(), *x, name="bfloat16", operators=True).first_clipped is None


class Inside(nn.Module):
    """Multiplies between two modules, and masks; the modules' own outputs are small."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        """`(samples, 8)` to the same."""
        weights = torch.where(x > 0, self.first(x), -1e9).softmax(-1)
        out: Tensor = self.last(self.first(x) * 1000 / 1000 + weights)
        return out.tanh()


def test_results_inside_a_module_beyond_the_end_are_said_and_are_not_called_clipped() -> None:
    torch.manual_seed(0)
    model, x = Inside().eval(), torch.randn(16, 8)
    with torch.no_grad():
        beyond = int((1000 * model.first(x)).abs().gt(448).sum())
    report = lockstep(model, x, name="float8_e4m3fn", operators=True)
    assert report.first_clipped is None
    assert [(each.name, each.beyond) for each in report.operators if each.beyond] == [("mul", beyond)]
    said = [text for text in silent_causes(report) if text.startswith("Beyond the end")]
    assert len(said) == 1
    assert f"{beyond} of 128 results of operator mul in the model" in said[0]
    assert lockstep(model, x, name="bfloat16", operators=True).first_beyond is None
