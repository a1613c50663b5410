"""Assertions that other projects' tests use."""

from __future__ import annotations

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
    with pytest.raises(
        AssertionError, match=r"sqnr_db is .*; min_sqnr_db = 90 was asked for(.|\n)*[02] \(Linear\) has"
    ):
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
    with pytest.raises(px.InputError, match="does not read min_sqnr"):
        assert_precision(linear(), X, min_sqnr=40, max_rmse=1)
