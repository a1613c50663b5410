"""Timing: what is counted and what stops it. How fast anything is, is for the benchmarks."""

import subprocess
import sys
from collections.abc import Callable
from itertools import chain, cycle, repeat

import psutil
import pytest
import torch

from precision.errors import JobCancelledError
from precision.measure.machine import cost
from precision.measure.machine.cost import time_side_by_side
from precision.results import Timing


@pytest.fixture(scope="module", autouse=True)
def brief_timing() -> None:
    """Not here."""


class Clock:
    """Moves on by what is timed, and by nothing else."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def run(self, *first_s: float, then_s: tuple[float, ...]) -> Callable[[], None]:
        """What takes so long at its first calls, and then in turns."""
        seconds = chain(first_s, cycle(then_s))

        def run() -> None:
            self.now_s += next(seconds)

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(cost, "timer", made)
    return made


def timed(*runs: Callable[[], None]) -> tuple[Timing, ...]:
    return time_side_by_side(runs, on_round=lambda done: None)


def test_medians_are_the_times_of_one_run(clock: Clock) -> None:
    quick, slow = timed(clock.run(then_s=(0.001,)), clock.run(then_s=(0.02,)))
    assert (quick.median_s, slow.median_s) == pytest.approx((0.001, 0.02))
    assert (quick.iqr_s, slow.iqr_s) == pytest.approx((0.0, 0.0))
    assert slow.runs == quick.runs >= 2


def test_every_block_is_announced_with_its_share(clock: Clock) -> None:
    seen: list[float] = []
    run = clock.run(then_s=(0.001,))
    time_side_by_side([run, run], on_round=seen.append)
    assert seen == sorted(seen)
    assert (seen[0], len(seen)) == (0.0, 19)  # and once while runs warm up


@pytest.mark.parametrize(("run_s", "blocks"), [(0.001, 9), (0.06, 5), (0.9, 3), (1.01, 2), (7.0, 2)])
def test_slow_models_are_repeated_less(run_s: float, blocks: int, clock: Clock) -> None:
    (timing,) = timed(clock.run(then_s=(run_s,)))
    assert timing.blocks == blocks
    assert timing.runs % blocks == 0


def test_a_slow_first_call_decides_nothing_and_both_sides_run_equally_often(clock: Clock) -> None:
    both = timed(clock.run(0.4, then_s=(1e-4,)), clock.run(then_s=(1e-4,)))
    assert [timing.blocks for timing in both] == [9, 9]
    assert both[0].runs == both[1].runs == 900


@pytest.mark.parametrize(("run_s", "most_s"), [(0.001, 5.0), (0.4, 5.0), (1.0, 6.0), (6.7, 40.2), (70.0, 420.0)])
def test_timing_takes_no_more_than_five_seconds_or_three_runs_of_each(
    run_s: float, most_s: float, clock: Clock
) -> None:
    both = [clock.run(then_s=(run_s,)) for _ in range(2)]
    for run in both:
        run()  # the measured one counts
    timings = time_side_by_side(both, on_round=lambda done: None, seen_s=(run_s, run_s))
    assert clock.now_s <= most_s + 1e-6
    assert all(timing.blocks >= 2 for timing in timings)


@pytest.mark.parametrize(
    ("seconds", "runs_a_block"),
    [((0.001, 0.001), 10), ((0.001, 0.01), 10), ((0.001, 0.02), 5), ((0.0001, 0.2), 1), ((2.0, 2.0), 1)],
)
def test_blocks_are_as_long_as_the_quickest_needs_and_the_slowest_allows(
    seconds: tuple[float, float], runs_a_block: int, clock: Clock
) -> None:
    both = timed(*(clock.run(then_s=(each,)) for each in seconds))
    assert [timing.runs / timing.blocks for timing in both] == [runs_a_block] * 2


def test_one_stalled_block_does_not_move_the_median(clock: Clock) -> None:
    (timing,) = timed(clock.run(*repeat(0.001, 40), 0.1, then_s=(0.001,)))
    assert timing.median_s == pytest.approx(0.001)


def test_unsteady_times_carry_a_warning(clock: Clock) -> None:
    (timing,) = timed(clock.run(then_s=(0.3, 0.3, 0.05, 0.05)))
    assert any("of their median" in warning and "nterquartile" not in warning for warning in timing.warnings)


def test_the_callback_can_stop_it() -> None:
    def stop(done: float) -> None:
        raise JobCancelledError("enough")

    with pytest.raises(JobCancelledError, match="enough"):
        time_side_by_side([lambda: None], on_round=stop)


@pytest.mark.parametrize(("busy", "crowded"), [(0.0, False), (0.4, False), (0.6, True), (2.0, True)])
def test_cores_that_other_processes_take_are_said(
    busy: float, crowded: bool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "cpu_count", torch.get_num_threads)
    monkeypatch.setattr(cost._Others, "_used", lambda self: busy * clock())
    (timing,) = timed(clock.run(then_s=(0.01,)))
    assert timing.crowded == crowded
    assert any(f"Other programs kept {busy:.1f} of" in warning for warning in timing.warnings) == crowded


def test_what_another_process_computes_is_counted() -> None:
    others = cost._Others()
    before = others._used()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"], check=True)
    assert others._used() - before >= 0.4
