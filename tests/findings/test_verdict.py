"""One test per word of the verdict, and one per boundary."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from precision.findings.decisions_judged import Yardsticks
from precision.findings.verdict import judge
from precision.formats import format_named
from precision.measure.metrics.comparison import compare_outputs
from precision.results import CompareResult, Comparison, ErrorMetrics, Failure, Float64Truth, OutputComparison
from precision.spec import RunSpec

NOTHING = ErrorMetrics(
    **dict.fromkeys(ErrorMetrics.model_fields, None)
    | dict.fromkeys(
        (
            "elements", "finite_pairs", "ref_nonfinite", "cand_nonfinite", "ref_only_nonfinite",
            "cand_only_nonfinite", "both_nonfinite", "nonfinite_agree", "quantile_elements",
        ),
        0,
    )
)  # fmt: skip


def metrics(rmse: float | None, **changed: object) -> ErrorMetrics:
    usual = {"elements": 100, "finite_pairs": 100, "rmse": rmse, "sqnr_db": 60.0, "exact_share": 0.1}
    return NOTHING.model_copy(update=usual | changed)


def output(found: ErrorMetrics, *, rounding: float = 1.0, repeat: float = 0.0, **changed: object) -> OutputComparison:
    """An output with so large floors, and no decisions that are known."""
    base = compare_outputs(
        reference=torch.ones(2), candidate=torch.ones(2), repeat=None, fmt=format_named("float16")
    ).outputs[0]
    update = {"metrics": found, "rounding_floor": metrics(rounding), "repeat_floor": metrics(repeat)}
    return base.model_copy(update=update | changed)


def result(*outputs: OutputComparison, notes: tuple[str, ...] = (), dtype: str = "float16") -> CompareResult:
    comparison = Comparison(
        outputs=outputs,
        overall=NOTHING,
        rounding_floor=NOTHING,
        repeat_floor=NOTHING,
        uncompared=(),
        notes=notes,
    )
    rest: dict[str, Any] = {"spec": RunSpec(dtype=dtype), "comparison": comparison, "failure": None}
    return CompareResult.model_construct(**rest)


def technical(found: CompareResult, limits: Yardsticks | None = None) -> str | None:
    against = judge(found, limits).against_rounding
    return against.word if against else None


def truth(reference: float, candidate: float) -> Float64Truth:
    return Float64Truth(reference=metrics(reference), candidate=metrics(candidate), reason=None)


def test_exact_where_every_element_is_equal() -> None:
    verdict = judge(result(output(metrics(0.0, exact_share=1.0))))
    assert (verdict.word, verdict.against_rounding and verdict.against_rounding.word) == ("exact", "exact")


@pytest.mark.parametrize(
    ("repeat", "word"), [(0.4999, "broken"), (0.5, "not attributable"), (1.01, "not attributable")]
)
def test_an_error_of_which_a_second_run_of_the_reference_has_half_is_not_the_formats(repeat: float, word: str) -> None:
    verdict = judge(result(output(metrics(1.0, sqnr_db=0.0), repeat=repeat, truth=truth(0.4, 1.0))))
    assert verdict.word == word
    is_noise = word == "not attributable"
    assert (verdict.against_rounding is None) == is_noise
    assert verdict.sentence.startswith("Two runs of the reference differ") == is_noise


@pytest.mark.parametrize(("again", "word"), [(1, "changed"), (2, "not attributable")])
def test_integers_that_differ_between_runs_of_the_reference_are_not_the_formats(again: int, word: str) -> None:
    ids = torch.arange(10)
    second, candidate = ids.clone(), ids.clone()
    second[:again] += 1
    candidate[:4] += 1
    comparison = compare_outputs(reference=ids, candidate=candidate, repeat=second, fmt=format_named("float16"))
    assert judge(result(*comparison.outputs)).word == word


def test_rounding_only_up_to_twice_the_rounding_floor() -> None:
    assert technical(result(output(metrics(2.0)))) == "rounding only"
    assert technical(result(output(metrics(2.001)))) == "amplified"


def test_a_large_multiple_of_rounding_is_a_short_number() -> None:
    against = judge(result(output(metrics(4813.44)))).against_rounding
    assert against is not None
    assert against.sentence.startswith("The error is 4,810 times the error")


@pytest.mark.parametrize(("reference", "said"), [("float32", "Choose a wider one."), ("float64", "None is wider")])
def test_a_wider_reference_is_advised_only_where_there_is_one(reference: str, said: str) -> None:
    bad = result(output(metrics(1.0, ref_only_nonfinite=3)))
    assert said in judge(bad.model_copy(update={"spec": RunSpec(dtype="float16", reference=reference)})).sentence


def test_the_format_s_floor_does_not_move_the_first_word() -> None:
    words = {judge(result(output(metrics(2.0), rounding=floor))).word for floor in (0.0, 0.5, 1.0, 2.0)}
    assert words == {"close"}


def test_limits_can_be_changed_on_a_stored_result() -> None:
    stored = result(output(metrics(2.5)))
    assert technical(stored) == "amplified"
    assert technical(stored, Yardsticks(rounding_multiple=3)) == "rounding only"
    assert judge(stored, Yardsticks(broken_below_db=61.0)).word == "broken"


def test_amplified_where_rounding_would_cost_nothing() -> None:
    against = judge(result(output(metrics(0.1), rounding=0.0))).against_rounding
    assert against is not None
    assert "to float16 alone gives no error" in against.sentence


@pytest.mark.parametrize(("sqnr_db", "word"), [(9.99, "broken"), (10.0, "close")])
def test_broken_below_ten_decibels(sqnr_db: float, word: str) -> None:
    assert judge(result(output(metrics(1.0, sqnr_db=sqnr_db)))).word == word


def test_float64_decides_whose_error_it_is() -> None:
    finer = result(output(metrics(1e-8, sqnr_db=140.0), rounding=0.0, truth=truth(1e-8, 1e-12)), dtype="float64")
    assert technical(finer) == "finer than the reference"
    its_own = result(output(metrics(1e-2), rounding=0.0, truth=truth(1e-8, 1e-2)), dtype="float64")
    assert technical(its_own) == "amplified"
    unknown = result(output(metrics(1e-2), rounding=0.0), dtype="float64")
    assert technical(unknown) == "finer than the reference"


@pytest.mark.parametrize(("own", "word"), [(0.4999, "broken"), (0.5, "not attributable"), (2.0, "not attributable")])
def test_an_error_as_large_as_the_references_own_is_not_the_formats(own: float, word: str) -> None:
    stored = result(output(metrics(1.0, sqnr_db=5.0), truth=truth(own, 1.0)))
    assert judge(stored).word == word
    assert judge(stored, Yardsticks(own_error=3.0)).word == "broken"


def test_what_is_kept_stays_kept_but_the_references_own_error_is_said_first() -> None:
    verdict = judge(result(output(metrics(1.0), truth=truth(0.9, 1.0))))
    assert verdict.word == "close"
    assert verdict.sentence.startswith("The float32 reference is itself 90 % as far from float64")


def test_the_worst_output_decides_and_is_named() -> None:
    small = output(metrics(0.1, sqnr_db=0.0), path="boxes")
    verdict = judge(result(output(metrics(0.1), path="logits"), small, output(metrics(0.1), path="masks")))
    assert (verdict.word, verdict.output) == ("broken", "boxes")
    assert verdict.sentence.startswith("Output boxes: ")
    assert judge(result(small)).sentence.startswith("The error is ")


def test_not_measured_without_a_comparison() -> None:
    failed = result().model_copy(
        update={"comparison": None, "failure": Failure(stage="x", where=None, message="It broke.")}
    )
    assert (judge(failed).word, judge(failed).sentence) == ("not measured", "It broke.")


def test_not_measured_without_elements() -> None:
    verdict = judge(result(output(NOTHING), notes=("The output has no elements.",)))
    assert (verdict.word, verdict.sentence) == ("not measured", "The output has no elements.")


def measured(reference: object, candidate: object, dtype: str = "float16") -> CompareResult:
    """A result whose comparison is a real one."""
    comparison = compare_outputs(reference=reference, candidate=candidate, repeat=reference, fmt=format_named(dtype))
    rest: dict[str, Any] = {"spec": RunSpec(dtype=dtype), "comparison": comparison, "failure": None}
    return CompareResult.model_construct(**rest)


INF, NAN = math.inf, math.nan
FLOATS = torch.tensor([1.0, 2.0])


@pytest.mark.parametrize(
    ("reference", "candidate", "word", "sentence"),
    [
        ([1, 2, 3], [1, INF, 3], "broken", "1 of 3 elements became infinite or NaN in float16"),
        ([1, 2, INF], [1, 2, NAN], "broken", "1 of 3 elements are infinite or NaN in both, but not the same"),
        ([1, 2, INF], [1, 2, -INF], "broken", "1 of 3 elements are infinite or NaN in both, but not the same"),
        ([1, 2, NAN], [1, 2, 3], "not measured", "1 of 3 elements are infinite or NaN in the reference"),
        (
            [NAN, NAN, INF],
            [NAN, NAN, INF],
            "not measured",
            "All 3 elements are infinite or NaN in the reference",
        ),
        ([NAN, 1, 2], [NAN, 1, 2], "exact", "All 2 finite elements equal"),
        ([0, 0, 0], [0, 1, 0], "broken", "The reference is zero, and"),
    ],
)
def test_outputs_that_are_not_finite_are_never_overlooked(
    reference: list[float], candidate: list[float], word: str, sentence: str
) -> None:
    verdict = judge(
        measured(torch.tensor(reference, dtype=torch.float32), torch.tensor(candidate, dtype=torch.float32))
    )
    assert verdict.word == word
    assert verdict.sentence.startswith(sentence) or sentence in verdict.sentence


def test_an_integer_output_that_differs_beside_equal_floats_is_a_changed_decision() -> None:
    reference = {"logits": FLOATS, "ids": torch.tensor([1, 2])}
    verdict = judge(measured(reference, {"logits": FLOATS, "ids": torch.tensor([7, 2])}))
    assert (verdict.word, verdict.output) == ("changed", "ids")
    assert verdict.sentence == "Output ids: 1 of 2 elements of the int64 output differ."


def test_one_differing_integer_among_many_is_counted() -> None:
    ids = torch.zeros(200_000, dtype=torch.int64)
    other = ids.clone()
    other[7] = 1
    assert judge(measured(ids, other)).sentence.startswith("1 of 200,000 elements")


def test_an_output_that_cannot_be_compared_is_no_exact_result() -> None:
    verdict = judge(measured((FLOATS, FLOATS), (FLOATS, torch.ones(3))))
    assert verdict.word == "not measured"
    assert "[1] has shape (2,) in the reference and (3,) in the candidate" in verdict.sentence


def test_outputs_beyond_the_formats_range_have_no_rounding_floor() -> None:
    against = judge(
        measured(torch.tensor([500.0, 480.0, 470.0]), torch.full((3,), 448.0), dtype="float8_e4m3fn")
    ).against_rounding
    assert against is not None
    assert against.word == "amplified"
    assert against.sentence.startswith("3 of 3 reference outputs are beyond the range of float8_e4m3fn")


def test_outputs_that_stay_wider_are_not_called_the_formats_best() -> None:
    against = judge(measured(torch.tensor([1.0001, 2.0003]), torch.tensor([1.0001, 2.0002]))).against_rounding
    assert against is not None
    assert against.sentence.endswith("; the output itself is float32.")
    assert "no computation" not in against.sentence


def test_an_error_beside_new_infinities_is_not_compared_with_rounding() -> None:
    assert judge(measured(torch.tensor([1.0, 2.0]), torch.tensor([1.0001, math.inf]))).against_rounding is None
