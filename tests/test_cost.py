"""Timing: what is counted and what stops it. How fast anything is, is for the benchmarks."""

import time

import pytest

from precision.cost import time_side_by_side
from precision.errors import JobCancelledError


def test_medians_keep_the_order_of_what_was_timed() -> None:
    quick, slow = time_side_by_side(
        [lambda: None, lambda: time.sleep(0.02)], estimates_s=[1e-7, 0.02], on_round=lambda done: None
    )
    assert quick.median_s < 0.01 <= slow.median_s
    assert slow.runs >= 2
    assert quick.iqr_s >= 0


def test_every_block_is_announced_with_its_share() -> None:
    seen: list[float] = []
    time_side_by_side([lambda: None, lambda: None], estimates_s=[1e-7, 1e-7], on_round=seen.append)
    assert seen == sorted(set(seen))
    assert (seen[0], len(seen)) == (0.0, 18)


@pytest.mark.parametrize(("estimate_s", "blocks"), [(0.001, 9), (0.06, 5), (2.0, 3)])
def test_slow_models_are_repeated_less(estimate_s: float, blocks: int) -> None:
    (timing,) = time_side_by_side([lambda: None], estimates_s=[estimate_s], on_round=lambda done: None)
    assert timing.blocks == blocks
    assert timing.runs % blocks == 0


def test_one_stalled_block_does_not_move_the_median() -> None:
    calls = iter(range(10**9))
    (timing,) = time_side_by_side(
        [lambda: time.sleep(0.1 if next(calls) == 40 else 0.001)], estimates_s=[0.001], on_round=lambda done: None
    )
    assert timing.median_s < 0.003


def test_unsteady_times_carry_the_benchmarks_warning() -> None:
    turns = iter(range(10_000))
    (timing,) = time_side_by_side(
        [lambda: time.sleep(0.03 if next(turns) % 4 > 1 else 0.005)], estimates_s=[0.2], on_round=lambda done: None
    )
    assert any("of the median measurement" in warning for warning in timing.warnings)


def test_the_callback_can_stop_it() -> None:
    def stop(done: float) -> None:
        raise JobCancelledError("enough")

    with pytest.raises(JobCancelledError, match="enough"):
        time_side_by_side([lambda: None], estimates_s=[1e-7], on_round=stop)
