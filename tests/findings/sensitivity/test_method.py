"""Sensitivities in words."""

from __future__ import annotations

from precision.findings.sensitivity.tables import kinds_text, method_text
from tests.plan.reports import contribution, layer, report

MADE = report(layer("a", (contribution(1e-4, 100), contribution(1e-3, 50))), formats=("float16", "int8"))


def test_probes_are_called_estimates_and_their_exact_runs_are_counted() -> None:
    said = method_text(MADE, exact=False)
    assert said.startswith("Estimated from gradients (2 backward passes; ")
    assert said.endswith("), in the time of 9 forward passes of the reference.")
    choices = tuple(each.model_copy(update={"exact_squared_error": 1e-4}) for each in MADE.layers[0].contributions)
    ran = MADE.model_copy(update={"layers": (MADE.layers[0].model_copy(update={"contributions": choices}),)})
    assert ") and 2 exact runs where the estimate is uncertain or doubtful, in the time" in method_text(
        ran, exact=False
    )
    assert ") and 2 exact runs, one for every layer and format, in the time" in method_text(ran, exact=True)
    lost = (choices[0], choices[1].model_copy(update={"exact_squared_error": None}))
    ran = MADE.model_copy(update={"layers": (MADE.layers[0].model_copy(update={"contributions": lost}),)})
    assert ") and 1 exact run, one for every layer and format but 1, which raised" in method_text(ran, exact=True)


def test_an_exact_sweep_is_called_measured_and_says_why_it_was_needed() -> None:
    swept = MADE.model_copy(update={"method": "exact sweep", "reason": "It has no gradient."})
    assert method_text(swept, exact=False).startswith("Measured: the model ran with one layer at a time")
    assert "It has no gradient." in method_text(swept, exact=False)


def test_formats_that_torch_computes_in_stand_apart_from_simulated_ones() -> None:
    assert kinds_text(MADE) == "native: float16; simulated: int8"
    assert kinds_text(MADE.model_copy(update={"formats": ("int8",)})) == "simulated: int8"
