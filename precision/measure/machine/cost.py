"""What a forward pass costs in time: two models measured side by side."""

import math
import statistics
from collections.abc import Callable, Sequence
from timeit import timeit

import psutil
import torch
from torch.utils.benchmark import Measurement, TaskSpec, timer

from precision.results import Timing
from precision.text.units import fine_share_text

_BLOCK_S, _LONGEST_BLOCK_S = 0.01, 0.1
"""A block of the quickest takes about this long, so that starting and stopping the clock does not count; of the
slowest, which has as many runs, no more than that."""
_BLOCKS_OF = ((0.05, 9), (1.0, 5), (math.inf, 3))
"""(seconds of one run, blocks): the blocks of models that take up to that long; slow ones are repeated less."""
_CORES_WANTING = 0.5
"""Cores by which the free ones may fall short of the threads before threads wait for one another."""
_BUDGET_S, _RUNS_OF_EACH = 5.0, 3
_TRIES, _TRIES_S = 6, 0.3
"""Single runs of each before the blocks, the first of which warms up; two at least, and no more after so long."""


def time_side_by_side(
    runs: Sequence[Callable[[], object]], *, on_round: Callable[[float], None], seen_s: Sequence[float] = ()
) -> tuple[Timing, ...]:
    """Median time of each of `runs`, in blocks that take turns, by the clock of `torch.utils.benchmark`.

    Taking turns, a change of the machine's load meets all of them. All blocks have equally many runs, of all sides, so
    that each counts the same; how many follows from the median of a few warm runs. A wide spread, and other processes
    on the cores, are warned of. It synchronises accelerators and runs on torch's current number of threads. Slow runs
    are repeated less, and all of it takes no more than the larger of `_BUDGET_S` and three runs of each; two blocks of
    each are always measured.

    `on_round` is called with the done share (0 to 1) before each block, and may raise to stop. `seen_s` is what a run
    of each took before: it warmed up, and counts as one of the three.
    """
    on_round(0.0)
    began = timer() - sum(seen_s)
    warm_s = [_warm_s(run, seen) for run, seen in zip(runs, seen_s or [0.0] * len(runs), strict=True)]
    budget_s = max(_BUDGET_S, _RUNS_OF_EACH * sum(seen_s or warm_s))
    blocks = next(blocks for limit, blocks in _BLOCKS_OF if max(warm_s) <= limit)
    size = max(1, round(min(_BLOCK_S / min(warm_s), _LONGEST_BLOCK_S / max(warm_s))))
    measured: list[list[float]] = [[] for _ in runs]
    others = _Others()
    for turn in range(blocks):
        turn_began = timer()
        for index, run in enumerate(runs):
            on_round((turn + index / len(runs)) / blocks)
            measured[index].append(timeit(run, timer=timer, number=size) / size)
        now = timer()
        if turn >= 1 and now - began + (now - turn_began) > budget_s:
            break
    crowd = others.crowd(torch.get_num_threads())
    return tuple(_timing(times, size, crowd) for times in measured)


class _Others:
    """What other processes took of the processor since this was made."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._began = timer(), self._used()

    def crowd(self, threads: int) -> str | None:
        """A warning where they left too few cores for so many threads."""
        began, used = self._began
        cores = psutil.cpu_count() or 1
        taken = (self._used() - used) / max(timer() - began, 1e-9)
        if taken <= cores - threads + _CORES_WANTING:
            return None
        return f"Other programs kept {taken:.1f} of {cores} cores busy meanwhile: on an idle machine it may be faster."

    def _used(self) -> float:
        """Seconds of all cores that went to other processes so far."""
        everyone, own = psutil.cpu_times(), self._process.cpu_times()
        idle = everyone.idle + getattr(everyone, "iowait", 0.0)
        guests = getattr(everyone, "guest", 0.0) + getattr(everyone, "guest_nice", 0.0)  # counted as user already
        return float(sum(everyone) - guests - idle - own.user - own.system)


def _warm_s(run: Callable[[], object], seen_s: float) -> float:
    """Median seconds of a run, without the first, which may compile, allocate or read from disk."""
    if seen_s > _TRIES_S:
        return seen_s
    seconds: list[float] = []
    while len(seconds) < 2 or (len(seconds) < _TRIES and sum(seconds[1:]) < _TRIES_S):
        began = timer()
        run()
        seconds.append(timer() - began)
    return max(statistics.median(seconds[1:]), 1e-9)  # a clock may not tell two runs apart


def _timing(times: list[float], size: int, crowd: str | None) -> Timing:
    threads = torch.get_num_threads()
    task = TaskSpec(stmt="run()", setup="", label="forward pass", num_threads=threads)
    together = Measurement(number_per_run=1, raw_times=times, task_spec=task)
    spread = f"The middle half of the times spans {fine_share_text(together.iqr / together.median)} of their median."
    return Timing(
        median_s=together.median,
        iqr_s=together.iqr,
        blocks=len(times),
        runs=size * len(times),
        threads=threads,
        crowded=crowd is not None,
        warnings=tuple(filter(None, (None if together.meets_confidence() else spread, crowd))),
    )
