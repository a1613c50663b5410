"""The sentences on recipes and steps of a training run."""

from __future__ import annotations

import math

import pytest

from precision.findings.training.steps import (
    left_out_text,
    own_error_text,
    recipe_finding,
    scaling_text,
    step_text,
)
from precision.results.training import TrainingReport
from tests.findings.training.reports import errors, recipe, report, step

UPDATED = "; all weights that change in float32 change here too"


def lines(found: TrainingReport) -> list[str]:
    return [recipe_finding(found, each) for each in found.recipes]


def test_the_scaler_in_words() -> None:
    assert scaling_text(recipe("pure", errors())) == ""
    assert scaling_text(recipe("pure", errors(), scaled=True)) == "65,536, no step skipped"
    halved = recipe("pure", errors(), scaled=True, scales=(65536.0, 32768.0))
    assert scaling_text(halved) == "first 65,536, halved to 32,768 after 1 skipped step"
    assert scaling_text(recipe("pure", scaled=True)) == "first 65,536, 1 skipped, none made"


def test_why_weights_stay() -> None:
    found = step(unmoved=10, rounded_away=7)
    assert step_text(found) == (
        "20.0 % of the weights that float32 moves do not move: 7 because the update is below half a "
        "unit in the last place, 3 because their gradient is zero"
    )
    assert step_text(step()) == "all weights that change in float32 change here too"
    assert step_text(step(moved_reference=0)) == "no weight moves in float32 either"
    assert step_text(step(missing="refused")) == "refused"


def test_weights_that_break_come_first_and_the_rest_is_of_the_others() -> None:
    broken = step(optimizer="AdamW", weights="float16", nonfinite=20, divided_by_zero=20)
    because = "because in float16 the average square of their gradient is zero, and so is its epsilon of 1e-8"
    start = f"20 of 100 weights become infinite or NaN: AdamW divides by zero, {because}"
    assert step_text(broken) == f"{start}; of the others, all that change in float32 change here too"
    some = broken.model_copy(update={"unmoved": 10, "rounded_away": 10})
    assert step_text(some).endswith(
        "; of the others, 20.0 % do not move: 10 because the update is below half a unit in the last place"
    )
    assert step_text(broken.model_copy(update={"moved_reference": 0})) == start
    assert "20 of 100 weights become infinite or NaN: in 5 of them AdamW divides" in step_text(
        broken.model_copy(update={"divided_by_zero": 5})
    )


def test_a_division_by_zero_is_said_only_where_it_was_seen() -> None:
    broken = step(optimizer="AdamW", weights="float16", nonfinite=20)
    assert step_text(broken).partition(";")[0] == "20 of 100 weights become infinite or NaN"


def test_a_recipe_names_its_worst_parameter() -> None:
    found = report(recipe("autocast", errors(0.02), errors(0.034)))
    said = "all gradients together are within 2 % of float32's; the worst parameter is within 3.4 % (b)"
    assert lines(found) == [f"{said}; no gradient becomes zero{UPDATED}"]


def test_a_recipe_with_gradients_that_are_more_error_than_value() -> None:
    found = report(recipe("pure", errors(36.04), errors(0.001), errors(12.39)))
    said = "2 of 3 parameters have gradients off by 12 to 36 × their size (worst: a)"
    assert said in lines(found)[0]
    assert "1 of 2 parameters has a gradient off by ∞ × its size (b)" in lines(
        report(recipe("pure", errors(), errors(math.inf)))
    )[0]  # fmt: skip


def test_a_recipe_tells_what_scaling_saved() -> None:
    rows = errors(1.0, 100), errors(1.0, 100), errors(0.1)
    found = report(recipe("autocast", *rows), recipe("autocast", errors(), errors(), errors(0.01, 2), scaled=True))
    first, second = lines(found)
    assert "within 10 % (c); 66.7 % of the gradients become zero, all of a and of 1 more;" in first
    assert "; 2 of 300 gradients become zero, 200 without scaling;" in second


def test_a_recipe_tells_of_infinite_gradients_and_of_weights() -> None:
    steps = (
        step(weights="float16", unmoved=25, rounded_away=25),
        step(optimizer="AdamW", weights="float16", nonfinite=3),
    )
    found = report(recipe("pure", errors(infinite=3), errors(0.2), steps=steps))
    said = "3 of 400 gradients are infinite or NaN (most: a); the worst parameter is within 20 % (b)"
    assert lines(found) == [f"{said}; no gradient becomes zero"]
    finite = lines(report(recipe("pure", errors(), steps=steps)))[0]
    assert finite.endswith(
        "; SGD does not move 50.0 % of the float16 weights that float32 moves; "
        "AdamW makes 3 of 100 float16 weights infinite or NaN"
    )
    steps = (step(weights="float16", missing="no"), step(unmoved=1, moved_reference=1000))
    refused = recipe("pure", errors(), scaled=True, steps=steps)
    said = (
        "; GradScaler works with float32 weights, not with float16 ones; all weights that change in float32 change "
        "here too, except 1"
    )
    assert lines(report(refused))[0].endswith(said)


def test_a_recipe_that_failed_says_why() -> None:
    assert lines(report(recipe("pure", failure="It broke."))) == ["no gradients. It broke"]


def test_parameters_whose_gradient_is_rounding_are_in_no_line() -> None:
    rows = errors(7610.0, 100), errors(0.02)
    found = report(recipe("pure", *rows), own=(4.5e8, 1e-6))
    assert "7,6" not in lines(found)[0]
    assert "no gradient becomes zero" in lines(found)[0]
    assert "off by 7,600 × its size (a)" in lines(report(recipe("pure", errors(7610.0), errors()), own=(0.4, 1e-6)))[0]


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (None, ""),
        (0.4, ""),
        (0.83, "float32's own gradient is rounding error: off by 0.83 × float64's"),
        (4.5e8, "float32's own gradient is rounding error: off by 4.500e8 × float64's"),
        (math.inf, "float32's own gradient is rounding error: float64's is zero"),
    ],
)
def test_a_parameter_says_whether_its_gradient_is_rounding(own: float | None, said: str) -> None:
    assert own_error_text(report(recipe("pure", errors()), own=(own,)).parameters[0]) == said


def test_what_is_left_out_is_said_once() -> None:
    rows = recipe("pure", errors(), errors(), errors())
    assert left_out_text(report(rows, own=(0.1, 0.1, 0.1))) == ""
    one, two = (left_out_text(report(rows, own=(0.1, 9.0, last))) for last in (0.1, 9.0))
    assert one == (
        "1 parameter (b) is left out of all findings: compared with the same step in float64, its float32 gradient is "
        "mostly rounding error."
    )
    assert two.startswith("2 parameters (b and others) are left out of all findings: ")
    assert left_out_text(report(rows, missing="No room.")).endswith(" No room.")
