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
from precision.results import CompareResult, Comparison, ErrorMetrics, Failure
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


def result(
    overall: ErrorMetrics,
    *,
    rounding: float = 1.0,
    repeat: float = 0.0,
    notes: tuple[str, ...] = (),
    dtype: str = "float16",
) -> CompareResult:
    comparison = Comparison(
        outputs=(),
        overall=overall,
        rounding_floor=metrics(rounding),
        repeat_floor=metrics(repeat),
        uncompared=(),
        notes=notes,
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
    assert "to float16 alone gives no error" in judge(result(metrics(0.1), rounding=0.0)).sentence


@pytest.mark.parametrize(("sqnr_db", "word"), [(9.99, "broken"), (10.0, "rounding only")])
def test_broken_below_ten_decibels(sqnr_db: float, word: str) -> None:
    assert judge(result(metrics(1.0, sqnr_db=sqnr_db))).word == word


def test_a_finer_candidate_shows_the_references_own_error() -> None:
    verdict = judge(result(metrics(1e-8, sqnr_db=140.0), rounding=0.0, dtype="float64"))
    assert verdict.word == "finer than the reference"


def test_not_measured_without_a_comparison() -> None:
    failed = result(NOTHING).model_copy(
        update={"comparison": None, "failure": Failure(stage="x", where=None, message="It broke.")}
    )
    assert (judge(failed).word, judge(failed).sentence) == ("not measured", "It broke.")


def test_not_measured_without_elements() -> None:
    verdict = judge(result(NOTHING, notes=("The output has no elements.",)))
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
        ([1, 2, 3], [1, INF, 3], "broken", "1 of 3 outputs became infinite or NaN in float16"),
        ([1, 2, INF], [1, 2, NAN], "broken", "1 of 3 outputs are infinite or NaN in both, but not the same"),
        ([1, 2, INF], [1, 2, -INF], "broken", "1 of 3 outputs are infinite or NaN in both, but not the same"),
        ([1, 2, NAN], [1, 2, 3], "not measured", "1 of 3 outputs are infinite or NaN in the reference"),
        ([NAN, NAN, INF], [NAN, NAN, INF], "exact", "All 3 outputs equal"),
        ([0, 0, 0], [0, 1, 0], "broken", "The reference is zero."),
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
    assert verdict.word == "decisions changed"
    assert verdict.sentence == "1 of 2 elements of the int64 output ids differ."


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
    verdict = judge(measured(torch.tensor([500.0, 480.0, 470.0]), torch.full((3,), 448.0), dtype="float8_e4m3fn"))
    assert verdict.word == "amplified"
    assert verdict.sentence.startswith("3 of 3 reference outputs are beyond the range of float8_e4m3fn")


def test_outputs_that_stay_wider_are_not_called_the_formats_best() -> None:
    sentence = judge(measured(torch.tensor([1.0001, 2.0003]), torch.tensor([1.0001, 2.0002]))).sentence
    assert sentence.endswith("; the outputs themselves are float32.")
    assert "no computation" not in sentence
