"""Two comparisons beside each other: what changes, and what cannot be compared."""

from __future__ import annotations

import pytest

from precision.findings.two_runs import differing, figures, finding, why_not_comparable
from precision.results import CompareResult
from precision.spec import RunSpec
from precision.text.metrics import metric_named
from tests.runs import compare_errors


@pytest.fixture(scope="module")
def runs() -> tuple[CompareResult, CompareResult]:
    return compare_errors(RunSpec(dtype="bfloat16")), compare_errors(RunSpec(dtype="float16"))


def changes(first: CompareResult, second: CompareResult) -> dict[str, str]:
    return {figure.label: figure.change for figure in figures(first, second)}


def test_errors_change_by_the_ratio_and_decibels_by_the_difference(runs: tuple[CompareResult, CompareResult]) -> None:
    coarse, fine = runs
    assert coarse.comparison is not None
    assert fine.comparison is not None
    before, after = coarse.comparison.overall, fine.comparison.overall
    assert before.mean_abs_error is not None
    assert after.mean_abs_error is not None
    assert before.sqnr_db is not None
    assert after.sqnr_db is not None
    ratio = before.mean_abs_error / after.mean_abs_error
    assert 4 < ratio < 16  # three bits of the mantissa
    found = changes(coarse, fine)
    assert found["Mean absolute error"] == f"{ratio:.3g} × smaller"
    assert changes(fine, coarse)["Mean absolute error"] == f"{ratio:.3g} × larger"
    assert found[metric_named("sqnr_db").label] == f"+{after.sqnr_db - before.sqnr_db:.1f} dB"
    assert found["Bytes in the format"] == "the same"
    assert finding(coarse, fine) == (
        f"float16 against bfloat16: the mean error is {ratio:.3g} × smaller, the bytes are the same"
    )


def test_a_run_beside_itself_is_the_same(runs: tuple[CompareResult, CompareResult]) -> None:
    run, _ = runs
    assert {change for change in changes(run, run).values() if change} == {"the same"}
    assert not differing(run.spec, run.spec).rows


def test_other_inputs_are_not_compared(runs: tuple[CompareResult, CompareResult]) -> None:
    run, _ = runs
    other = compare_errors(RunSpec(dtype="bfloat16", seed=7))
    assert why_not_comparable(run.spec, other.spec) == (
        "The two differ in seed: their errors are of different outputs."
    )
    found = changes(run, other)
    assert found["Mean absolute error"] == found[metric_named("sqnr_db").label] == ""
    assert found["Bytes in the format"] == "the same"
    assert differing(run.spec, other.spec).rows == (("seed", "123", "7"),)


def test_few_changed_decisions_may_be_chance() -> None:
    kept = compare_errors(RunSpec(model="digits", dtype="float16"))
    some = compare_errors(RunSpec(model="digits", dtype="float8_e4m3fn"))
    (agreement,) = [figure for figure in figures(kept, some) if figure.label == metric_named("top1_agreement").label]
    flips = [
        output.decisions.changed_samples
        for run in (kept, some)
        for output in (run.comparison.outputs if run.comparison else ())
        if output.decisions
    ]
    if flips[0] == flips[1]:
        assert agreement.change == "the same"
    else:
        assert agreement.change.startswith(f"{abs(flips[1] - flips[0])} ")
