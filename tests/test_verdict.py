"""One test per word of the verdict, and one per boundary."""

from __future__ import annotations

from typing import Any

import pytest

from precision.results import CompareResult, Comparison, ErrorMetrics, Failure
from precision.spec import RunSpec
from precision.verdict import Yardsticks, judge

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


def result(
    overall: ErrorMetrics,
    *,
    rounding: float = 1.0,
    repeat: float = 0.0,
    notes: tuple[str, ...] = (),
    dtype: str = "float16",
) -> CompareResult:
    comparison = Comparison(
        outputs=(), overall=overall, rounding_floor=metrics(rounding), repeat_floor=metrics(repeat), notes=notes
    )
    rest: dict[str, Any] = {"spec": RunSpec(dtype=dtype), "comparison": comparison, "failure": None}
    return CompareResult.model_construct(**rest)


def test_exact_where_every_output_is_equal() -> None:
    verdict = judge(result(metrics(0.0, exact_share=1.0)))
    assert (verdict.word, verdict.rule) == ("exact", "Exact: every output equals the reference's.")


def test_below_noise_up_to_the_repeat_floor() -> None:
    assert judge(result(metrics(0.5), repeat=0.5)).word == "below noise"
    assert judge(result(metrics(0.5001), repeat=0.5)).word == "rounding only"


def test_rounding_only_up_to_twice_the_rounding_floor() -> None:
    assert judge(result(metrics(2.0))).word == "rounding only"
    assert judge(result(metrics(2.001))).word == "amplified"


def test_limits_can_be_changed_on_a_stored_result() -> None:
    stored = result(metrics(2.5))
    assert judge(stored).word == "amplified"
    assert judge(stored, Yardsticks(rounding_multiple=3)).word == "rounding only"


def test_amplified_where_rounding_would_cost_nothing() -> None:
    assert "would round to float16 without error" in judge(result(metrics(0.1), rounding=0.0)).sentence


def test_broken_by_one_output_that_is_not_finite() -> None:
    verdict = judge(result(metrics(0.0, cand_only_nonfinite=1, exact_share=0.99)))
    assert verdict.word == "broken"
    assert verdict.sentence.startswith("1 of 100 outputs became infinite or NaN in float16")


@pytest.mark.parametrize(("sqnr_db", "word"), [(9.99, "broken"), (10.0, "rounding only")])
def test_broken_below_ten_decibels(sqnr_db: float, word: str) -> None:
    assert judge(result(metrics(1.0, sqnr_db=sqnr_db))).word == word


def test_a_finer_candidate_shows_the_references_own_error() -> None:
    verdict = judge(result(metrics(1e-8, sqnr_db=140.0), rounding=0.0, dtype="float64"))
    assert verdict.word == "finer than the reference"


def test_integer_outputs_have_no_rounding() -> None:
    verdict = judge(result(metrics(None, finite_pairs=100, sqnr_db=None, exact_share=0.75)))
    assert (verdict.word, verdict.sentence) == (
        "amplified",
        "25.00% of the integer outputs differ from the reference's.",
    )


def test_not_measured_without_a_comparison() -> None:
    failed = result(NOTHING).model_copy(
        update={"comparison": None, "failure": Failure(stage="x", where=None, message="It broke.")}
    )
    assert (judge(failed).word, judge(failed).sentence) == ("not measured", "It broke.")


def test_not_measured_without_elements() -> None:
    verdict = judge(result(NOTHING, notes=("The output has no elements.",)))
    assert (verdict.word, verdict.sentence) == ("not measured", "The output has no elements.")


def test_not_measured_where_the_reference_is_nowhere_finite() -> None:
    lost = metrics(None, finite_pairs=0, ref_nonfinite=100, sqnr_db=None, exact_share=0.0)
    assert judge(result(lost)).word == "not measured"
