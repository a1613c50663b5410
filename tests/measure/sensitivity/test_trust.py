"""Which predictions are doubted: one test for each reason, at its boundary."""

from __future__ import annotations

import math

import pytest
import torch

from precision.measure.sensitivity.trust import LEAST_DB, MANY_CALLS, MOST_MISSED, Sizes, doubtful, is_missed

SMALL = {"a": 1e-6, "b": 2e-6, "c": 0.0}
ONCE = dict.fromkeys(SMALL, 1)


def found(predicted: dict[str, float], calls: dict[str, int], whole: float | None) -> list[str]:
    return doubtful(predicted, calls, mean_square=1.0, whole=whole)


def test_small_errors_that_add_up_to_the_measured_one_are_trusted() -> None:
    assert found(SMALL, ONCE, 3e-6) == []


def test_a_layer_that_is_called_many_times_is_not() -> None:
    assert found(SMALL, ONCE | {"a": MANY_CALLS}, 3e-6) == []
    assert found(SMALL, ONCE | {"a": MANY_CALLS + 1}, 3e-6) == ["a"]


def test_nor_is_an_error_near_the_size_of_the_output() -> None:
    limit = 10 ** (-LEAST_DB / 10)
    assert found({"a": 1.001 * limit, "b": 0.999 * limit}, {"a": 1, "b": 1}, 2 * limit) == ["a"]


@pytest.mark.parametrize("whole", [3e-6 * (MOST_MISSED + 0.01) ** 2, 3e-6 / (MOST_MISSED + 0.01) ** 2, 0.0, None])
def test_nothing_is_trusted_where_all_together_miss_the_measured_error(whole: float | None) -> None:
    assert found(SMALL, ONCE, whole) == ["b", "a", "c"]


def test_a_missed_prediction_is_one_beyond_the_factor() -> None:
    assert not is_missed(4.0, 1.0)
    assert is_missed(4.01, 1.0)
    assert not is_missed(0.0, 0.0)
    assert is_missed(math.inf, 1.0)


def sizes(values: list[float], errors: list[float]) -> Sizes:
    found = Sizes()
    found.add(torch.tensor(values), torch.tensor(errors))
    return found


def test_values_that_are_small_beside_their_errors_hide_though_all_together_are_not() -> None:
    assert not Sizes().hides_values
    assert not sizes([0.0] * 100, [0.0] * 100).hides_values
    loud, quiet = [100.0] * 90, [0.01] * 10
    assert sizes([*loud, *quiet], [0.1] * 100).hides_values
    assert not sizes([*loud, *quiet], [0.1] * 90 + [1e-5] * 10).hides_values
    assert not sizes([*loud, *[0.01]], [0.1] * 91).hides_values  # too few of them
    assert not sizes([1.0] * 80 + [0.1] * 20, [0.3] * 100).hides_values  # as many as errors of this size let expect
    assert not sizes([float("nan")] * 10 + [1.0] * 90, [0.0] * 10 + [1e-3] * 90).hides_values


def test_errors_of_the_size_of_the_values_lose_them() -> None:
    assert not Sizes().is_lost
    assert not sizes([1.0] * 10, [0.316] * 10).is_lost
    assert sizes([1.0] * 10, [0.317] * 10).is_lost
    assert sizes([1e4, 1.0, -1.0], [448 - 1e4, 0.01, 0.0]).is_lost  # float8_e4m3fn clips the first
