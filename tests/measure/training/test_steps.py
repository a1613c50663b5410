"""Steps of optimizers with planted updates, and against the formulas."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from precision.formats import format_named
from precision.measure.training.steps import no_steps, optimizer_steps
from precision.results.training import OptimizerName, OptimizerStep

RATE = 1e-3
"""torch's own, of both optimizers."""


def steps(weights: Tensor, gradients: Tensor, dtype: torch.dtype, fmt: str) -> dict[OptimizerName, OptimizerStep]:
    low = weights.to(dtype)
    found = optimizer_steps(
        {"w": weights},
        {"w": gradients},
        {"w": low},
        {"w": gradients.to(dtype)},
        fmt=format_named(fmt),
        on_parameter=lambda *_: None,
    )
    return {step.optimizer: step for step in found}


def test_updates_below_half_a_unit_in_the_last_place_are_rounded_away() -> None:
    # bfloat16 values from 0.5 to 1 are 2^-8 apart, those from 2^-9 to 2^-8 are 2^-16 apart
    weights = torch.tensor([0.75, 0.75, 2.0**-9, 0.75])
    gradients = torch.tensor([0.9 * 2.0**-9, 1.1 * 2.0**-9, 0.9 * 2.0**-9, 0.0]) / RATE
    step = steps(weights, gradients, torch.bfloat16, "bfloat16")["SGD"]
    assert (step.elements, step.moved_reference) == (4, 3)
    assert (step.unmoved, step.rounded_away) == (1, 1)
    kept = steps(weights, gradients, torch.float32, "bfloat16")["SGD"]
    assert (kept.unmoved, kept.rounded_away, kept.normalized_l2) == (0, 0, 0.0)


def test_weights_without_a_gradient_are_told_apart() -> None:
    # float16 has no number for 1e-9
    step = steps(torch.tensor([0.0, 1e-7]), torch.tensor([1e-9, 1.0]), torch.float16, "float16")["SGD"]
    assert (step.moved_reference, step.unmoved, step.rounded_away) == (2, 1, 0)
    assert step.unmoved_share == 0.5


def test_the_update_of_sgd_is_the_rate_times_the_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    weights, gradients = (torch.randn(1000, generator=generator) for _ in range(2))
    low = weights.half()
    after = (low.double() - RATE * gradients.half().double()).half()
    wanted = (weights - RATE * gradients).double() - weights.double()
    error = after.double() - low.double() - wanted
    step = steps(weights, gradients, torch.float16, "float16")["SGD"]
    # A kernel may round its product before it adds, which moves a few by a unit.
    assert step.normalized_l2 == pytest.approx(float(error.norm() / wanted.norm()), rel=0.02)
    assert step.unmoved == pytest.approx(int((after == low).sum()), abs=10)


def test_adamw_in_float16_makes_weights_infinite_or_nan() -> None:
    weights, gradients = torch.ones(8), torch.full((8,), 1e-4)
    parameter = torch.nn.Parameter(weights.half())
    parameter.grad = gradients.half()
    torch.optim.AdamW([parameter]).step()
    broken = int((~parameter.isfinite()).sum())
    assert broken == 8
    step = steps(weights, gradients, torch.float16, "float16")["AdamW"]
    assert (step.nonfinite, step.divided_by_zero, step.moved_reference) == (broken, broken, 0)
    assert (step.normalized_l2, step.cosine_similarity) == (None, None)
    kept = steps(weights, gradients, torch.bfloat16, "bfloat16")["AdamW"]
    assert (kept.nonfinite, kept.divided_by_zero) == (0, 0)
    assert kept.normalized_l2 is not None


def test_only_weights_whose_squared_gradient_vanishes_are_divided_by_zero() -> None:
    # A thousandth of the square of 1e-2 is 1e-7, which float16 can hold.
    step = steps(torch.ones(4), torch.tensor([1e-4, 1e-2, 0.0, 1.0]), torch.float16, "float16")["AdamW"]
    assert (step.nonfinite, step.divided_by_zero, step.moved_reference, step.unmoved) == (2, 2, 2, 0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
def test_weights_that_an_infinite_gradient_breaks_were_not_divided_by_zero(
    optimizer: OptimizerName, dtype: str
) -> None:
    given = {"w": torch.tensor([torch.inf, 1.0]).to(getattr(torch, dtype))}
    weights = torch.ones(2)
    low = weights.to(given["w"].dtype)
    found = optimizer_steps(
        {"w": weights}, {"w": weights}, {"w": low}, given, fmt=format_named(dtype), on_parameter=lambda *_: None
    )
    step = next(step for step in found if step.optimizer == optimizer)
    assert (step.nonfinite, step.divided_by_zero, step.normalized_l2) == (1, 0, None)


def test_progress_goes_forward_by_elements() -> None:
    weights = {"a": torch.ones(1), "b": torch.ones(3)}
    told: list[tuple[str, float]] = []
    found = optimizer_steps(
        weights, weights, weights, weights, fmt=format_named("float16"), on_parameter=lambda *each: told.append(each)
    )
    assert len(list(found)) == 2
    assert told == [("a", 0.0), ("b", 0.125), ("a", 0.5), ("b", 0.625)]


def test_nothing_given_is_changed() -> None:
    weights, gradients = torch.ones(4), torch.ones(4)
    steps(weights, gradients, torch.float32, "float16")
    assert torch.equal(weights, torch.ones(4))
    assert torch.equal(gradients, torch.ones(4))


def test_steps_that_were_not_made_have_no_numbers() -> None:
    for step in no_steps("float16", "refused"):
        assert (step.normalized_l2, step.unmoved_share, step.missing) == (None, None, "refused")
