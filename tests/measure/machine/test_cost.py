"""Timing: what is counted and what stops it. How fast anything is, is for the benchmarks."""

import subprocess
import sys
import time

import psutil
import pytest
import torch
from torch.utils.benchmark import timer

from precision.errors import JobCancelledError
from precision.measure.machine import cost
from precision.measure.machine.cost import time_side_by_side


@pytest.mark.slow
def test_medians_keep_the_order_of_what_was_timed() -> None:
    quick, slow = time_side_by_side([lambda: None, lambda: time.sleep(0.02)], on_round=lambda done: None)
    assert quick.median_s < 0.01 <= slow.median_s
    assert slow.runs == quick.runs >= 2
    assert quick.iqr_s >= 0


def test_every_block_is_announced_with_its_share() -> None:
    seen: list[float] = []
    time_side_by_side([lambda: None, lambda: None], on_round=seen.append)
    assert seen == sorted(seen)
    assert (seen[0], len(seen)) == (0.0, 19)  # and once while runs warm up


@pytest.mark.parametrize(("run_s", "blocks"), [(0.001, 9), (0.06, 5), (1.01, 3)])
def test_slow_models_are_repeated_less(run_s: float, blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "_warm_s", lambda run: run_s)
    (timing,) = time_side_by_side([lambda: None], on_round=lambda done: None)
    assert timing.blocks == blocks
    assert timing.runs % blocks == 0


@pytest.mark.slow
def test_a_slow_first_call_decides_nothing_and_both_sides_run_equally_often() -> None:
    calls = iter(range(10**9))
    both = time_side_by_side(
        [lambda: time.sleep(0.4 if next(calls) == 0 else 0.0), lambda: None], on_round=lambda done: None
    )
    assert [timing.blocks for timing in both] == [9, 9]
    assert both[0].runs == both[1].runs >= 90


@pytest.mark.parametrize(
    ("seconds", "runs_a_block"),
    [((0.001, 0.001), 10), ((0.001, 0.01), 10), ((0.001, 0.02), 5), ((0.0001, 0.2), 1), ((2.0, 2.0), 1)],
)
def test_blocks_are_as_long_as_the_quickest_needs_and_the_slowest_allows(
    seconds: tuple[float, float], runs_a_block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter(seconds)
    monkeypatch.setattr(cost, "_warm_s", lambda run: next(told))
    both = time_side_by_side([lambda: None, lambda: None], on_round=lambda done: None)
    assert [timing.runs / timing.blocks for timing in both] == [runs_a_block] * 2


def test_one_stalled_block_does_not_move_the_median() -> None:
    calls = iter(range(10**9))
    (timing,) = time_side_by_side([lambda: time.sleep(0.1 if next(calls) == 40 else 0.001)], on_round=lambda done: None)
    assert timing.median_s < 0.003


def test_unsteady_times_carry_the_benchmarks_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "_warm_s", lambda run: 0.2)
    turns = iter(range(10_000))
    (timing,) = time_side_by_side(
        [lambda: time.sleep(0.03 if next(turns) % 4 > 1 else 0.005)], on_round=lambda done: None
    )
    assert any("of the median measurement" in warning for warning in timing.warnings)


def test_the_callback_can_stop_it() -> None:
    def stop(done: float) -> None:
        raise JobCancelledError("enough")

    with pytest.raises(JobCancelledError, match="enough"):
        time_side_by_side([lambda: None], on_round=stop)


@pytest.mark.parametrize(("busy", "crowded"), [(0.0, False), (0.4, False), (0.6, True), (2.0, True)])
def test_cores_that_other_processes_take_are_said(busy: float, crowded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_count", torch.get_num_threads)
    monkeypatch.setattr(cost._Others, "_used", lambda self: busy * timer())
    (timing,) = time_side_by_side([lambda: None], on_round=lambda done: None)
    assert timing.crowded == crowded
    assert any(f"Other programs kept {busy:.1f} of" in warning for warning in timing.warnings) == crowded


def test_what_another_process_computes_is_counted() -> None:
    others = cost._Others()
    before = others._used()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"], check=True)
    assert others._used() - before >= 0.4
