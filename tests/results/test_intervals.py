"""Intervals and sample numbers against scipy, and against their own definitions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from precision.results.intervals import (
    Interval,
    discordant_p,
    samples_to_exclude,
    samples_to_tell_apart,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "samples"), [(0, 1), (1, 1), (0, 450), (450, 450), (448, 450), (3, 10), (1, 10**6), (7, 8)]
)
def test_wilson_is_scipys(successes: int, samples: int) -> None:
    expected = binomtest(successes, samples).proportion_ci(method="wilson")
    found = wilson(successes, samples)
    assert found is not None
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nothing_is_none() -> None:
    assert wilson(0, 0) is None


@settings(max_examples=200)
@given(st.integers(1, 10**5).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_one_success_excludes_zero_and_the_share_is_inside(case: tuple[int, int]) -> None:
    successes, samples = case
    low, high = wilson(successes, samples) or Interval(math.nan, math.nan)
    assert 0 <= low <= successes / samples <= high <= 1
    assert (low > 0) == (successes > 0)
    assert (high < 1) == (successes < samples)


@settings(max_examples=200)
@given(st.floats(0.001, 0.999), st.floats(0.0, 1.0))
def test_so_many_samples_exclude_a_value_and_one_fewer_do_not(value: float, share: float) -> None:
    needed = samples_to_exclude(value, share=share)
    if needed is None or needed > 10**9:
        return
    low, high = wilson(share * needed, needed) or Interval(math.nan, math.nan)
    assert value <= low + 1e-9 or value >= high - 1e-9
    if needed > 2:
        low, high = wilson(share * (needed - 1), needed - 1) or Interval(math.nan, math.nan)
        assert low - 1e-9 <= value <= high + 1e-9


def test_no_number_of_samples_excludes_the_share_itself() -> None:
    assert samples_to_exclude(0.05, share=0.05) is None


def test_seventy_three_samples_without_a_flip_say_at_most_five_percent() -> None:
    assert samples_to_exclude(0.05, share=0.0) == 73
    assert (wilson(0, 73) or Interval(0, 1)).high <= 0.05 < (wilson(0, 72) or Interval(0, 1)).high


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (5, 0), (10, 3), (3, 10), (600, 500), (3000, 1)])
def test_discordant_p_is_the_exact_binomial_test(first: int, second: int) -> None:
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert discordant_p(first, second) == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "samples"),
    [(5, 0, 450), (0, 5, 450), (1, 0, 12), (6, 2, 450), (7, 1, 450), (2, 3, 100), (9, 0, 450), (30, 20, 900)],
)
def test_so_many_samples_are_the_fewest_that_pass_the_exact_test(first: int, second: int, samples: int) -> None:
    def separates(n: int) -> bool:
        b, c = first * n // samples, second * n // samples
        return bool(binomtest(b, b + c).pvalue < 0.05) if b + c else False

    assert samples_to_tell_apart(first, second, samples) == next(filter(separates, range(samples, 10**6)))


def test_five_lost_of_450_need_a_sixth() -> None:
    assert samples_to_tell_apart(5, 0, 450) == 540


@pytest.mark.parametrize(("first", "second", "samples"), [(60, 53, 10**4), (1000, 970, 10**5), (400, 366, 700)])
def test_a_number_past_counting_is_near_where_the_exact_test_turns(first: int, second: int, samples: int) -> None:
    needed = samples_to_tell_apart(first, second, samples)
    assert needed is not None

    def p_value(n: int) -> float:
        b, c = first * n // samples, second * n // samples
        return float(binomtest(b, b + c).pvalue)

    assert p_value(round(0.97 * needed)) > 0.05 > p_value(round(1.03 * needed))


def test_nothing_that_points_either_way_is_ever_told_apart() -> None:
    assert samples_to_tell_apart(3, 3, 450) is None
