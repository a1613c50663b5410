"""Integer results of operators, and rows that were chosen otherwise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import precision as px
from precision.findings.layers import calls_table, operators_table
from precision.findings.origins import causes
from precision.results import CompareResult
from tests.field.cases import choices
from tests.measure.lockstep.side_by_side import lockstep, row_named


def test_positions_that_differ_are_counted() -> None:
    model, x = choices.cumsum_positions()
    report = lockstep(model.eval(), *x, name="bfloat16", operators=True)
    first = report.first_other_choice
    assert first is not None
    assert (first.name, first.integers_differ, first.integers) == ("long", 388, 1200)
    assert "cumsum" in first.input_made_by
    assert "388 of 1,200" in causes(report)[0]
    assert ("388 of 1,200",) in operators_table(report).pick("integers that differ").rows


def test_rows_that_went_to_other_experts_are_not_compared() -> None:
    model, x = choices.moe_router()
    report = lockstep(model.eval(), *x, name="bfloat16", operators=True)
    first = report.first_other_choice
    assert first is not None
    assert (first.name, first.integers_differ, first.integers) == ("topk", 98, 400)
    for place in range(8):
        row = row_named(report, f"experts.{place}")
        assert row.errors is None
        assert any("other rows" in reason for reason in row.uncompared)
    whole = row_named(report, "")
    assert whole.errors is not None  # rows are put back to their places
    assert any("other rows" in str(row) for row in calls_table(report).rows)


def test_a_comparison_of_outputs_says_where_picks_are_counted() -> None:
    def notes(model: nn.Module, *x: Tensor, dtype: str = "bfloat16") -> str:
        result = px.compare(model, x, dtype=dtype, progress=False).result
        assert isinstance(result, CompareResult)
        assert result.comparison is not None
        return " ".join(result.comparison.notes)

    model, x = choices.moe_router()
    assert "picks by its numbers (topk)" in notes(model, *x)
    assert "picks" not in notes(model, *x, dtype="float32")  # nothing differs
    model, x = choices.cumsum_positions()
    assert "picks by its numbers (conversion to whole numbers)" in notes(model, *x)
    for plain in (nn.Linear(4, 4), nn.Sequential(nn.ReLU(), nn.AdaptiveMaxPool1d(2))):
        assert "picks" not in notes(plain, torch.randn(3, 4))


def test_equal_numbers_of_other_rows_are_no_error_of_the_layer() -> None:
    class Sorted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            order = (x.sum(-1) + 1000).argsort(stable=True)
            y: Tensor = self.first(x[order])
            return torch.zeros_like(y).index_copy(0, order, y)

    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    report = lockstep(Sorted(), x, name="bfloat16", operators=True)
    assert row_named(report, "first").errors is None
    whole = row_named(report, "").errors
    assert whole is not None
    assert whole.sqnr_db is not None
    assert whole.sqnr_db > 40
