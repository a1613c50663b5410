"""Where the first infinities and NaNs are born."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from precision.findings.origins import origin_text
from precision.results import LayersReport, NonfiniteOrigin
from tests.measure.lockstep.side_by_side import lockstep, row_named

X = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))


class FeedForward(nn.Module):
    """As T5's gated one: two projections whose product passes float16's range where each alone does not."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.wi_0, self.wi_1, self.wo = (nn.Linear(8, 8, bias=False) for _ in range(3))
        nn.init.constant_(self.wi_0.weight, 50.0)
        nn.init.constant_(self.wi_1.weight, 50.0)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.wo(self.wi_0(x).relu() * self.wi_1(x))
        return y


class Residual(nn.Module):
    """A residual add that passes float16's range."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.inner(x * 40_000)
        return y + y


def first(report: LayersReport) -> NonfiniteOrigin:
    assert report.origins, [operator.name for operator in report.operators]
    return report.origins[0]


def test_a_product_that_overflows_is_named() -> None:
    model = nn.Sequential(nn.Identity(), FeedForward())
    x = torch.ones(2, 8)
    origin = first(lockstep(model, x, operators=True))
    assert (origin.fqn, origin.operator, origin.kind, origin.dtype) == ("1", "mul", "overflow", "float16")
    assert origin.largest_input == 400
    assert origin.reference_max == 160_000
    assert origin.format_max == 65_504
    assert origin.elements == 16


def test_a_residual_add_that_overflows_is_named() -> None:
    model = nn.Sequential(nn.Linear(8, 8), Residual(), nn.Linear(8, 8))
    model[0].load_state_dict({"weight": torch.eye(8), "bias": torch.zeros(8)})
    report = lockstep(model, torch.ones(1, 8), operators=True)
    origin = first(report)
    assert (origin.fqn, origin.operator, origin.kind) == ("1", "add", "overflow")
    assert origin.largest_input == 40_000
    assert origin.reference_max == 80_000
    assert report.rows[origin.row].fqn == "1"
    assert len(report.origins) == 1  # what follows only hands the infinity on


def test_without_operators_the_module_is_named() -> None:
    model = nn.Sequential(nn.Identity(), FeedForward(), Residual())
    origin = first(lockstep(model, torch.ones(2, 8)))
    assert (origin.fqn, origin.operator) == ("1.wo", None) or (origin.fqn, origin.operator) == ("1", None)
    residual = first(lockstep(nn.Sequential(Residual()), torch.ones(2, 8)))
    assert (residual.fqn, residual.operator, residual.largest_input) == ("0", None, 1)


def test_in_place_overflows_know_their_input() -> None:
    class InPlace(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x * 300
            y *= y
            return y.mul_(300)

    origin = first(lockstep(InPlace(), torch.ones(3), operators=True))
    assert (origin.operator, origin.largest_input) == ("mul_", 90_000 if origin.reference_max == 2.7e7 else 300)


def test_a_linear_layer_that_overflows_is_named_in_both_ways() -> None:
    model = nn.Sequential(nn.Linear(8, 8, bias=False), nn.ReLU())
    model[0].load_state_dict({"weight": torch.full((8, 8), 1e4)})
    for operators in (False, True):
        origin = first(lockstep(model, torch.ones(1, 8), operators=operators))
        assert (origin.fqn, origin.kind) == ("0", "overflow")
        assert origin.operator == ("linear" if operators else None)
        assert origin.reference_max == 80_000


def test_masks_of_minus_infinity_are_no_origin() -> None:
    class Masked(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mask = torch.ones(x.shape[-1], x.shape[-1], dtype=torch.bool).triu(1)
            scores = (x.T @ x).masked_fill(mask, -math.inf) + torch.full((8, 8), -math.inf).triu(1)
            return scores.softmax(-1)

    report = lockstep(Masked(), X, operators=True)
    assert report.origins == ()


def test_a_mask_that_overflows_only_in_the_candidate_is_named() -> None:
    class Cast(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mask = torch.full((8,), torch.finfo(torch.float32).min).to(x.dtype)
            return (x + mask).softmax(-1)

    origin = first(lockstep(Cast(), X, operators=True))
    assert (origin.operator, origin.kind) == ("softmax", "infinities")  # every entry is masked


def test_a_row_that_is_masked_throughout_is_named() -> None:
    class AllMasked(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            # In float16 the constant becomes minus infinity, in every column.
            scores = (x * 0).float().sub(1e5).to(x.dtype)
            return scores.softmax(-1)

    report = lockstep(AllMasked(), X, operators=True)
    assert [(origin.operator, origin.kind) for origin in report.origins] == [
        ("softmax", "infinities"),
        ("to", "mask"),
    ]


def test_nan_in_the_reference_is_not_blamed_on_the_candidate() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x - x) / (x - x)

    report = lockstep(Broken(), X, operators=True)
    assert report.origins == ()
    errors = row_named(report, "").errors
    assert errors is not None
    assert (errors.both_nonfinite, errors.finite_pairs, errors.rmse) == (32, 0, None)


def test_nan_from_finite_inputs_is_its_own_kind() -> None:
    class Underflows(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            tiny = x * 0 + 1e-9
            return tiny / tiny

    origin = first(lockstep(Underflows(), X, operators=True))
    assert (origin.operator, origin.kind, origin.elements) == ("div", "underflow", 32)


def test_an_operator_that_only_the_candidate_runs_can_be_the_origin() -> None:
    class Scales(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.exp2() if x.dtype == torch.float16 else x

    origin = first(lockstep(Scales(), torch.full((3,), 20.0), operators=True))
    assert (origin.operator, origin.reference_max, origin.elements) == ("exp2", None, 3)


def test_a_result_that_would_fit_says_so() -> None:
    class Inside(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.pow(2).sum().sqrt()

    report = lockstep(Inside(), torch.full((100,), 60.0))
    (origin,) = report.origins
    assert origin.reference_max == 600
    assert "would fit" in origin_text(origin)


def test_the_first_origins_are_kept_and_the_others_counted() -> None:
    class Many(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x * (70_000 + i) for i in range(12)])

    report = lockstep(Many(), torch.ones(2), operators=True)
    assert len(report.origins) == 8
    assert any("first appear in 12 places" in note for note in report.notes)


def test_bfloat16_has_the_range() -> None:
    assert lockstep(nn.Sequential(FeedForward(), Residual()), X, name="bfloat16", operators=True).origins == ()
