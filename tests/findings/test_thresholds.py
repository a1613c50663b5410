"""Limits on metrics: what they let through, and what they never let through unseen."""

import math

import pytest
import torch

from precision.errors import InputError
from precision.findings.thresholds import parse_threshold, violations
from precision.formats import format_named
from precision.measure.metrics.comparison import compare_outputs


@pytest.mark.parametrize("value", [0.0, 0.5e-3, 1e-3])
def test_an_error_up_to_its_limit_passes(value: float) -> None:
    limit = parse_threshold("mean_abs_error=1e-3", higher_is_better=False)
    assert limit.violation(value) is None


@pytest.mark.parametrize("value", [40.0, 41.0, math.inf])
def test_a_quality_from_its_limit_on_passes(value: float) -> None:
    limit = parse_threshold(" sqnr_db = 40 ", higher_is_better=True)
    assert limit.violation(value) is None


@pytest.mark.parametrize(
    ("text", "higher_is_better", "value", "says"),
    [
        ("mean_abs_error=1e-3", False, 0.0011, "mean_abs_error = 0.0011 is above 0.001."),
        ("mean_abs_error=1e-3", False, math.inf, "mean_abs_error = inf is above 0.001."),
        ("sqnr_db=40", True, 39.5, "sqnr_db = 39.5 is below 40."),
        ("sqnr_db=40", True, -math.inf, "sqnr_db = -inf is below 40."),
        ("mean_abs_error=1e-3", False, math.nan, "mean_abs_error = nan is not comparable with 0.001."),
        ("sqnr_db=40", True, math.nan, "sqnr_db = nan is not comparable with 40."),
    ],
)
def test_a_violation_says_what_was_measured_and_the_limit(
    text: str, higher_is_better: bool, value: float, says: str
) -> None:
    limit = parse_threshold(text, higher_is_better=higher_is_better)
    assert limit.violation(value) == says


def test_not_measured_is_a_violation() -> None:
    violation = parse_threshold("rmse=1", higher_is_better=False).violation(None)
    assert violation == "rmse was not measured, so its limit 1 cannot be checked."


def test_a_signed_metric_is_limited_by_its_magnitude() -> None:
    limit = parse_threshold("error_balance=0.1", higher_is_better=False)
    assert limit.violation(-1.0) == "error_balance = -1.0 is above 0.1."


FLOATS = torch.tensor([1.0, 2.0])


@pytest.mark.parametrize(
    ("reference", "candidate", "says"),
    [
        ([1.0, math.nan], [1.0, math.inf], "1 of 2 elements are infinite or NaN, and not the same on both sides"),
        ([1.0, math.inf], [1.0, -math.inf], "1 of 2 elements are infinite or NaN, and not the same on both sides"),
        ([1.0, 2.0], [1.0, math.nan], "1 of 2 elements are infinite or NaN, and not the same on both sides"),
        ((FLOATS, FLOATS), (FLOATS, torch.ones(3)), "A limit cannot be checked on all outputs: [1] has shape"),
        ((FLOATS, torch.tensor([1, 2])), (FLOATS, torch.tensor([1, 3])), "[1]: 1 of 2 integer elements differ"),
    ],
)
def test_nothing_passes_that_no_metric_covers(reference: object, candidate: object, says: str) -> None:
    both = [torch.tensor(side) if isinstance(side, list) else side for side in (reference, candidate)]
    comparison = compare_outputs(reference=both[0], candidate=both[1], repeat=None, fmt=format_named("float16"))
    limit = parse_threshold("max_abs_error=1e9", higher_is_better=False)
    assert any(says in violation for violation in violations(comparison, [limit]))
    assert violations(comparison, []) == ()


LOGITS = torch.tensor([[2.0, 1.0], [1.0, 2.0], [3.0, 0.0], [0.0, 3.0]])
FLIPPED = torch.tensor([[1.0, 2.0], [1.0, 2.0], [3.0, 0.0], [0.0, 3.0]])


@pytest.mark.parametrize(
    ("text", "higher_is_better", "says"),
    [
        ("flips=1", False, None),
        ("flips=0", False, "flips = 1 is above 0."),
        ("top1_agreement=0.75", True, None),
        ("top1_agreement=0.76", True, "top1_agreement = 0.75 is below 0.76."),
        ("mean_kl=10", False, None),
        ("candidate_accuracy=0.5", True, "candidate_accuracy was not measured, so its limit 0.5 cannot be checked."),
        ("mean_cosine=0.5", True, "mean_cosine was not measured, so its limit 0.5 cannot be checked."),
    ],
)
def test_decisions_have_limits_too_and_the_worst_output_counts(
    text: str, higher_is_better: bool, says: str | None
) -> None:
    comparison = compare_outputs(
        reference={"logits": LOGITS, "scores": LOGITS},
        candidate={"logits": LOGITS, "scores": FLIPPED},
        repeat=None,
        fmt=format_named("float16"),
    )
    found = violations(comparison, [parse_threshold(text, higher_is_better=higher_is_better)])
    assert found == (() if says is None else (says,))


def test_equal_infinities_pass() -> None:
    same = torch.tensor([1.0, math.inf])
    comparison = compare_outputs(reference=same, candidate=same, repeat=None, fmt=format_named("float16"))
    assert violations(comparison, [parse_threshold("max_abs_error=0", higher_is_better=False)]) == ()


@pytest.mark.parametrize(
    ("text", "higher_is_better", "message"),
    [
        ("mean_abs_error", False, "is not a limit. Write metric=value"),
        ("nonsense=1", False, "nonsense"),
        ("mean_abs_error=small", False, "the limit must be a number"),
        ("mean_abs_error=nan", False, "the limit must be a number"),
        ("mean_abs_error=", False, "the limit must be a number"),
        ("sqnr_db=40", False, "higher is better, so its limit is set by --fail-below"),
        ("relative_tolerance=1", False, "not what it found"),
        ("mean_abs_error=1", True, "lower is better, so its limit is set by --fail-above"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused(text: str, higher_is_better: bool, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_threshold(text, higher_is_better=higher_is_better)
