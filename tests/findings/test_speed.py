import pytest

from precision.findings.speed import compare_speed
from precision.results import Cost, Timing


def cost(reference: tuple[float, float], candidate: tuple[float, float]) -> Cost:
    """Of two (median, interquartile range), in seconds."""
    first, second = (
        Timing(median_s=median, iqr_s=iqr, blocks=5, runs=10, threads=1, warnings=())
        for median, iqr in (reference, candidate)
    )
    return Cost(reference_time=first, candidate_time=second)


@pytest.mark.parametrize(
    ("reference", "candidate", "ratio", "text"),
    [
        ((2.0, 0.5), (1.0, 0.25), 2.0, "2.0 × faster than"),
        ((1.0, 0.0), (19.0, 0.0), 1 / 19, "19 × slower than"),
        ((1.0, 0.01), (1.05, 0.01), 1 / 1.05, "1.05 × slower than"),
        ((1.0, 0.0), (1.001, 0.0), 1 / 1.001, "< 1.01 × slower than"),
        ((1.0, 0.03), (1.2, 0.3), 1 / 1.2, "1.20 × slower than"),
    ],
)
def test_times_further_apart_than_their_spread_have_a_ratio(
    reference: tuple[float, float], candidate: tuple[float, float], ratio: float, text: str
) -> None:
    speed = compare_speed(cost(reference, candidate))
    assert speed.ratio == pytest.approx(ratio)
    assert speed.text == text


_OVERLAP = "the times overlap"
_WIDE = "the times of equal runs differ too much"
_SHORT = "the times are too short for the clock"


@pytest.mark.parametrize(
    ("reference", "candidate", "reason"),
    [
        ((1.0, 0.125), (1.0625, 0.125), _OVERLAP),
        ((1.0, 0.0), (1.25, 0.5), _WIDE),
        ((1.0, 0.2), (1.15, 0.1), _OVERLAP),
        ((1.0, 0.0), (1.0, 0.0), _OVERLAP),
        ((1.0, 0.0), (19.0, 4.8), _WIDE),
        ((1.0, 0.26), (9.0, 0.0), _WIDE),
        ((0.0, 0.0), (1e-9, 0.0), _SHORT),
        ((1e-9, 0.0), (0.0, 0.0), _SHORT),
    ],
    ids=[
        "spreads overlap",
        "spread of the candidate",
        "as far apart as half the spread",
        "equal",
        "candidate disturbed",
        "reference disturbed",
        "no reference time",
        "no candidate time",
    ],
)
def test_other_times_are_not_told_apart_for_a_reason(
    reference: tuple[float, float], candidate: tuple[float, float], reason: str
) -> None:
    speed = compare_speed(cost(reference, candidate))
    assert speed == (None, "not measurably faster or slower than", reason, reason == "the times overlap")


def test_only_times_that_overlap_tell_that_there_is_no_difference() -> None:
    assert compare_speed(cost((1.0, 0.125), (1.0625, 0.125))).alone == "no measurable difference in speed"
    assert compare_speed(cost((1.0, 0.0), (19.0, 4.8))).alone == "speed not known"
    assert compare_speed(cost((1.0, 0.0), (2.0, 0.0))).alone == "2.0 × slower"


def test_times_of_a_crowded_machine_are_not_told_apart() -> None:
    alone = cost((1.0, 0.0), (2.0, 0.0))
    for side in ("reference_time", "candidate_time"):
        crowded = getattr(alone, side).model_copy(update={"crowded": True})
        speed = compare_speed(alone.model_copy(update={side: crowded}))
        assert (speed.ratio, speed.reason) == (None, "other programs kept the cores busy")
