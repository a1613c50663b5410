"""Several things timed in turn, again and again, so that a busy machine disturbs all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median


def interleaved_s(
    runs: Mapping[str, Callable[[], object]], *, seconds: float, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of every run in every round; one warm-up round, then rounds until `seconds` have passed (at least 5).

    Args:
        runs: What to time, by name.
        seconds: Of wall-clock time in all.
        clock: What tells the time of each run.
    """
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < 5 or time.perf_counter() < end:
        rounds += 1
        for name, run in runs.items():
            began = clock()
            run()
            times[name].append(clock() - began)
    return times


def median_ratio(times: list[float], to: list[float]) -> float:
    """Median over the rounds of each round's ratio."""
    return median(a / b for a, b in zip(times, to, strict=True))
