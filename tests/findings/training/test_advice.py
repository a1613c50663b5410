"""The gravest of a training step, in order, and what to train with."""

from __future__ import annotations

import pytest

from precision.findings.training.advice import advice, finding
from precision.results.training import GradientErrors, TrainingRecipe, TrainingReport
from tests.findings.training.reports import errors, recipe, report, step

FINE = recipe("autocast", errors(0.002))
STILL = recipe("pure", errors(), steps=(step(weights="float16", unmoved=45),))
VANISHED = recipe("autocast", errors(1.0, 100))
WRONG = recipe("pure", errors(12.4))
BREAKING = recipe("pure", errors(), steps=(step(optimizer="AdamW", weights="float16", nonfinite=20),))
INFINITE = recipe("pure", errors(infinite=3))
FAILED = recipe("pure", failure="It broke.")
SAID = {
    "gradients in float16 are within 0.2 % of float32's": FINE,
    "SGD does not move 90.0 % of the float16 weights that float32 moves, in the first step of pure float16": STILL,
    "100 % of the gradients become zero in float16 autocast": VANISHED,
    "1 of 1 parameter has a gradient off by 12 × its size (a) in pure float16": WRONG,
    "AdamW makes 20 of 100 float16 weights infinite or NaN in the first step of pure float16": BREAKING,
    "3 of 200 gradients are infinite or NaN in pure float16": INFINITE,
    "pure float16 gives no gradients": FAILED,
}
"""From the least grave to the gravest."""


@pytest.mark.parametrize(("least", "said"), list(enumerate(SAID)))
def test_the_gravest_is_said_whatever_else_there_is(least: int, said: str) -> None:
    lesser = list(SAID.values())[: least + 1]
    assert finding(report(*lesser), "float16") == said
    assert finding(report(*reversed(lesser)), "float16") == said


def test_before_any_recipe_has_run_nothing_is_found() -> None:
    assert finding(report(), "float16") == "one training step in float16"
    assert advice(report(), "float16") == ""


def test_a_format_that_gives_no_gradients_by_any_recipe() -> None:
    assert finding(report(FAILED, recipe("autocast")), "float16") == "float16 gives no gradients"


@pytest.mark.parametrize(
    ("plain", "scaled", "said"),
    [
        (errors(infinite=3), errors(), "3 of 200 gradients are infinite or NaN in pure float16, none with the loss "),
        (errors(0.4, 20), errors(), "20.0 % of the gradients become zero in pure float16, none with the loss "),
        (errors(0.4, 20), errors(0.4, 2), "20.0 % of the gradients become zero in pure float16, 2.0 % with the loss "),
    ],
)
def test_what_scaling_does_about_it_is_said(plain: GradientErrors, scaled: GradientErrors, said: str) -> None:
    found = report(recipe("pure", plain), recipe("pure", scaled, scaled=True, scales=(65536.0, 128.0)))
    assert finding(found, "float16") == f"{said}scaled by 128"


def test_infinite_gradients_that_no_scale_helps() -> None:
    found = report(INFINITE, recipe("pure", scaled=True, scales=(65536.0,)), FINE)
    said = "3 of 200 gradients are infinite or NaN in pure float16, and scaling the loss does not help"
    assert finding(found, "float16") == said
    without = report(recipe("autocast", errors()), recipe("autocast", scaled=True, scales=(65536.0,)))
    assert finding(without, "float16") == "float16 autocast with a scaled loss gives no gradients"


def test_where_nothing_happens_it_is_said_of_every_way_once_all_were_tried() -> None:
    assert finding(report(FINE, FINE, FINE, FINE), "float16").endswith("of float32's, by every way to train")


def test_few_gradients_lost_and_few_weights_left_are_no_finding() -> None:
    found = report(recipe("pure", errors(0.003, 1, nonzero=1000), steps=(step(unmoved=1, moved_reference=1000),)))
    assert finding(found, "float16").startswith("gradients in float16 are within 0.3 %")


def test_parameters_whose_gradient_is_rounding_are_no_finding() -> None:
    rows = errors(7610.0), errors(0.01)
    assert finding(report(recipe("pure", *rows), own=(4.5e8, 1e-6)), "float16").startswith("gradients in float16 are")
    assert finding(report(recipe("pure", *rows), own=(1e-6, 1e-6)), "float16").startswith("1 of 2 parameters has")
    lost = report(recipe("pure", errors(1.0, 100), errors(0.01)), own=(4.5e8, 1e-6))
    assert finding(lost, "float16").startswith("gradients in float16 are")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            report(FAILED, WRONG, INFINITE, VANISHED),
            "Every way to train failed in this step, or harmed gradients or weights.",
        ),
        (report(BREAKING, FINE), "Train under autocast."),
        (
            report(VANISHED, recipe("autocast", errors(), scaled=True)),
            "Train under autocast with a scaled loss.",
        ),
        (report(FINE, recipe("autocast", errors(), scaled=True)), "Train under autocast."),
        (report(VANISHED, STILL), "Train by pure casting with a copy of the weights in float32."),
        (
            report(recipe("pure", errors(), steps=(step(nonfinite=1),))),
            "Every way to train failed in this step, or harmed gradients or weights.",
        ),
    ],
)
def test_the_advice_is_a_recipe_that_came_through(found: TrainingReport, said: str) -> None:
    assert advice(found, "bfloat16") == said


def test_float16_is_trained_with_a_scaled_loss_even_where_nothing_was_lost() -> None:
    found = report(FINE, recipe("autocast", errors(), scaled=True))
    assert advice(found, "float16") == "Train under autocast with a scaled loss."
    pure = report(STILL, recipe("pure", errors(), scaled=True))
    assert advice(pure, "float16") == "Train by pure casting with a scaled loss and a copy of the weights in float32."


def test_worst_parameters_come_first_and_rounding_last() -> None:
    rows: TrainingRecipe = recipe("pure", errors(0.1), errors(9e3), errors(infinite=1), errors(0.7), errors(None))
    found = report(rows, recipe("autocast", errors(0.8), *rows.parameters[1:]), own=(0.0, 1e9, 0.0, 0.0, 0.0))
    assert found.worst_first == (2, 0, 3, 4, 1)
    assert report(FAILED).worst_first == ()
