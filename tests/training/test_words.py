"""The sentences on a training step."""

from __future__ import annotations

import pytest

from precision.results.ranges import ExponentHistogram
from precision.results.training import GradientErrors, OptimizerStep, TrainingRecipe, TrainingReport, Way
from precision.training.words import finding, scaling_text, step_text

NONE = ExponentHistogram(
    elements=0, zeros=0, infinite=0, nan=0, first_exponent=0, counts=(), largest=None, smallest=None, norm=None,
    mantissa_bits=0,
)  # fmt: skip


def errors(underflowed: int = 0, *, infinite: int = 0) -> GradientErrors:
    return GradientErrors(
        elements=200, nonzero=100, underflowed=underflowed, infinite=infinite, nan=0, normalized_l2=0.25,
        cosine_similarity=0.9,
    )  # fmt: skip


def recipe(
    way: Way, overall: GradientErrors | None, scales: tuple[float, ...] = (), *, scaled: bool = False
) -> TrainingRecipe:
    return TrainingRecipe(
        way=way, scaled=scaled, loss=1.0, scales=scales, made=NONE, overall=overall, parameters=(), steps=()
    )


def report(*recipes: TrainingRecipe) -> TrainingReport:
    return TrainingReport(loss_words="", loss=1.0, parameters=(), gradients=NONE, without_gradient=(), recipes=recipes)


@pytest.mark.parametrize(
    ("recipes", "said"),
    [
        ((), "One training step in float16"),
        ((recipe("pure", None),), "float16 gives no gradients by pure casting"),
        (
            (recipe("pure", errors(infinite=3)),),
            "3 of 200 gradients become infinite or NaN in float16 by pure casting",
        ),
        ((recipe("pure", errors()),), "float16 loses no gradient to underflow; their relative error is 0.25"),
        (
            (recipe("pure", errors(5)), recipe("autocast", errors(20))),
            "20.0 % of the gradients become zero in float16 under autocast",
        ),
        (
            (recipe("pure", errors(20)), recipe("pure", errors(), (65536.0,), scaled=True)),
            "20.0 % of the gradients become zero in float16 by pure casting, none with the loss scaled by 65,536",
        ),
    ],
)
def test_the_finding_is_about_what_is_lost(recipes: tuple[TrainingRecipe, ...], said: str) -> None:
    assert finding(report(*recipes), "float16") == said


def test_the_scaler_in_words() -> None:
    assert scaling_text(recipe("pure", errors())) == ""
    assert scaling_text(recipe("pure", errors(), (65536.0,), scaled=True)) == "65,536, no step skipped"
    halved = recipe("pure", errors(), (65536.0, 32768.0), scaled=True)
    assert scaling_text(halved) == "first 65,536, halved to 32,768 after 1 skipped step"
    assert scaling_text(recipe("pure", None, (65536.0,), scaled=True)) == "first 65,536, 1 skipped, none made"


def test_why_weights_stay() -> None:
    step = OptimizerStep(
        optimizer="SGD", weights="float16", elements=100, moved_reference=50, unmoved=10, rounded_away=7, nonfinite=0,
        normalized_l2=None, cosine_similarity=None,
    )  # fmt: skip
    assert step_text(step) == (
        "20.0 % of the weights do not move: 7 by less than half a unit in the last place, 3 for want of a gradient"
    )
    assert step_text(step.model_copy(update={"unmoved": 0})) == "every weight moves that float32 moves"
    assert step_text(step.model_copy(update={"moved_reference": 0})) == "no weight moves in float32 either"
    broken = step.model_copy(update={"optimizer": "AdamW", "unmoved": 0, "nonfinite": 3})
    assert step_text(broken).startswith("every weight moves that float32 moves; AdamW divides by zero")
    assert "divides" not in step_text(broken.model_copy(update={"weights": "bfloat16"}))
    assert step_text(step.model_copy(update={"missing": "refused"})) == "refused"
