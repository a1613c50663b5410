"""Assertions that other projects' tests use."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import precision as px
from precision.testing import assert_precision

X = torch.linspace(-2, 2, 96).reshape(16, 6)


class WithOutlier(nn.Module):
    """One layer that float16 cannot hold."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.wide = nn.Linear(6, 6)
        nn.init.ones_(self.first.weight)
        nn.init.constant_(self.wide.weight, 4e4)
        self.last = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.last(self.wide(self.first(x)) * 1e-5)
        return y


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


def test_limits_that_are_kept() -> None:
    assert_precision(linear(), X, dtype="float16", min_sqnr_db=40)
    px.testing.assert_precision(linear(), X, dtype=torch.float16, max_abs_error=0.01, max_rmse=0.01)


def test_a_limit_that_is_not_kept_names_the_worst_layer() -> None:
    with pytest.raises(AssertionError, match=r"sqnr_db = .* is below 90(.|\n)*[02] \(Linear\) has"):
        assert_precision(linear(), X, dtype="bfloat16", min_sqnr_db=90)


def test_infinities_fail_whatever_the_limits_and_name_where_they_are_made() -> None:
    with pytest.raises(AssertionError, match=r"infinite or NaN(.|\n)*made in wide"):
        assert_precision(WithOutlier(), X, dtype="float16", max_rmse=1e9)


def test_a_forward_that_raises_fails() -> None:
    with pytest.raises(AssertionError, match="Forward failed"):
        assert_precision(nn.Linear(5, 2), X, min_sqnr_db=1)


def test_no_limit_is_no_test() -> None:
    with pytest.raises(px.InputError, match="Give a limit"):
        assert_precision(linear(), X)
    with pytest.raises(px.InputError, match="does not read devise"):
        assert_precision(linear(), X, devise="cpu", max_rmse=1)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"min_sqnr": 40}, "Unknown metric 'sqnr'"),
        ({"sqnr_db": 40}, "Write min_sqnr_db"),
        ({"max_sqnr_db": 40}, "set by min_sqnr_db"),
        ({"min_rmse": 1}, "set by max_rmse"),
        ({"max_rmse": "small"}, "must be a number"),
    ],
)
def test_a_limit_that_means_nothing_is_refused(limit: dict[str, Any], message: str) -> None:
    with pytest.raises(px.InputError, match=message):
        assert_precision(linear(), X, **limit)


class Counting(nn.Module):
    """Whole numbers of the values, and in half precision one output less."""

    def __init__(self, *, drops: bool = False) -> None:
        super().__init__()
        self.drops = drops

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        found = {"value": x, "counts": (x * 1000.3).round().long(), "also": x}
        return found if not self.drops or x.dtype == torch.float32 else {"value": x}


@pytest.mark.parametrize(
    ("module", "message"), [(Counting(), "integer elements differ"), (Counting(drops=True), "cannot be checked on all")]
)
def test_what_no_metric_covers_fails(module: nn.Module, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        assert_precision(module, X, min_sqnr_db=1)


def test_another_infinity_than_the_references_fails() -> None:
    class Edge(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([x, (x[:1] * 6e4 - x[:1] * 6e4 * (x.dtype == torch.float32)) * torch.inf])

    with pytest.raises(AssertionError, match="not the same on"):
        assert_precision(Edge(), X + 3, min_sqnr_db=1)


@pytest.mark.parametrize("once", [False, True], ids=["list", "iterator"])
def test_labelled_batches_and_a_score_of_ones_own_name_the_layer_too(once: bool) -> None:
    batches = [(X[:8], torch.zeros(8, dtype=torch.int64)), (X[8:], torch.ones(8, dtype=torch.int64))]
    given = iter(batches) if once else batches
    with pytest.raises(AssertionError, match=r"is below 200(.|\n)*\(Linear\) has"):
        assert_precision(linear(), given, labels=1, validate=lambda _: 1.0, min_sqnr_db=200)


def test_what_the_outputs_decide_has_limits() -> None:
    labels = torch.full((16,), 2)
    with pytest.raises(AssertionError, match=r"candidate_accuracy = .* is below 1"):
        assert_precision(linear(), X, labels=labels, min_candidate_accuracy=1.0)
