"""Means of samples with their intervals, against numpy and against how often they hold."""

from __future__ import annotations

import math

import numpy as np
import pytest

from precision.measure.metrics.sample_means import MAX_UNITS, bootstrap_interval, sample_mean


def test_it_is_numpys_mean_standard_error_and_percentiles() -> None:
    values = np.random.default_rng(1).exponential(size=1001)
    found = sample_mean(values)
    assert found is not None
    assert found.samples == 1001
    assert found.mean == pytest.approx(values.mean())
    assert found.standard_error == pytest.approx(values.std(ddof=1) / math.sqrt(1001))
    expected = np.quantile(values, (0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 1.0))
    measured = (found.minimum, found.p1, found.p10, found.p50, found.p90, found.p99, found.maximum)
    assert measured == pytest.approx(tuple(expected))


def test_nothing_has_no_mean_and_one_sample_no_spread() -> None:
    assert sample_mean(np.empty(0)) is None
    one = sample_mean(np.array([3.0]))
    assert one is not None
    assert (one.mean, one.p50, one.maximum) == (3.0, 3.0, 3.0)
    assert (one.standard_error, one.low, one.high) == (None, None, None)


def test_the_same_values_give_the_same_interval() -> None:
    values = np.random.default_rng(2).normal(size=50)
    assert bootstrap_interval(values) == bootstrap_interval(values)


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert bootstrap_interval(np.full(10, 0.25)) == (0.25, 0.25)


def test_about_ninety_five_of_a_hundred_intervals_hold_the_true_mean() -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(300):
        interval = bootstrap_interval(random.normal(1.0, 2.0, size=60))
        assert interval is not None
        held += interval.low <= 1.0 <= interval.high
    # A binomial of 300 at 0.94 is within 0.90 to 0.98 but once in several hundred.
    assert 0.90 <= held / 300 <= 0.98


@pytest.mark.parametrize("size", [MAX_UNITS, 5 * MAX_UNITS + 123])
def test_groups_of_many_samples_vary_as_the_mean_of_all_does(size: int) -> None:
    values = np.random.default_rng(4).exponential(size=size)
    interval = bootstrap_interval(values)
    found = sample_mean(values)
    assert interval is not None
    assert found is not None
    assert found.standard_error is not None
    width = 2 * 1.96 * found.standard_error
    assert interval.high - interval.low == pytest.approx(width, rel=0.1)
    assert interval.low < found.mean < interval.high
