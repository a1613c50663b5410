"""What a forward pass costs in time: two models measured side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch.utils.benchmark import Measurement, Timer

from precision.results import Timing

_SHORTEST_S = 0.05
"""Measuring time of one round of a fast model: some thousand runs of a tiny one."""
_LONGEST_S = 2.0
"""And of a slow one: a handful of runs."""
_ROUNDS = 2
"""Reference and candidate take turns, so that a change of the machine's load meets both."""


def time_side_by_side(
    runs: Sequence[Callable[[], object]], *, estimates_s: Sequence[float], on_round: Callable[[float], None]
) -> tuple[Timing, ...]:
    """Median time of each of `runs`, measured in turns by `torch.utils.benchmark`.

    The benchmark's own warnings (few runs, a wide spread) are kept. It synchronises accelerators and
    runs on torch's current number of threads.

    Args:
        runs: what to time, each called without arguments.
        estimates_s: about how long one call of each takes, in seconds; longer calls are repeated less.
        on_round: called with the done share (0 to 1) before each round; may raise to stop.
    """
    timers = [
        Timer("run()", globals={"run": run}, num_threads=torch.get_num_threads(), label="forward pass") for run in runs
    ]
    measured: list[list[Measurement]] = [[] for _ in runs]
    for turn in range(_ROUNDS):
        for index, (timer, estimate) in enumerate(zip(timers, estimates_s, strict=True)):
            report = partial(_report, on_round, (turn * len(timers) + index) / (_ROUNDS * len(timers)))
            report()
            budget = min(max(5 * estimate, _SHORTEST_S), _LONGEST_S)
            # torch annotates the callback as one that never returns
            measured[index].append(timer.blocked_autorange(callback=report, min_run_time=budget))  # type: ignore[arg-type]
    return tuple(_timing(measurements) for measurements in measured)


def _report(on_round: Callable[[float], None], done: float, *_: object) -> None:
    on_round(done)


def _timing(measurements: list[Measurement]) -> Timing:
    """One timing of all rounds; each time counts once, whatever the block it was taken in."""
    times = [time for measurement in measurements for time in measurement.times]
    merged = Measurement(number_per_run=1, raw_times=times, task_spec=measurements[0].task_spec)
    return Timing(
        median_s=merged.median,
        iqr_s=merged.iqr,
        runs=sum(measurement.number_per_run * len(measurement.raw_times) for measurement in measurements),
        threads=merged.num_threads,
        warnings=_warnings(merged),
    )


def _warnings(measurement: Measurement) -> tuple[str, ...]:
    """The benchmark's own words, which it gives only in its printed form."""
    if not measurement.has_warnings:
        return ()
    words = repr(measurement).split("WARNING:")[1:]
    return tuple(" ".join(warning.split()) for warning in words)
