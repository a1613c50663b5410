"""What a forward pass costs in time: two models measured side by side."""

import math
import statistics
from collections.abc import Callable, Sequence

import psutil
import torch
from torch.utils.benchmark import Measurement, Timer, timer

from precision.results import Timing
from precision.text.units import fine_share_text

_BLOCK_S, _LONGEST_BLOCK_S = 0.01, 0.1
"""A block of the quickest takes about this long, so that starting and stopping the clock does not count; of the
slowest, which has as many runs, no more than that."""
_BLOCKS_OF = ((0.05, 9), (1.0, 5), (math.inf, 3))
"""(seconds of one run, blocks): the blocks of models that take up to that long; slow ones are repeated less."""
_CORES_WANTING = 0.5
"""Cores by which the free ones may fall short of the threads before threads wait for one another."""
_TRIES, _TRIES_S = 6, 0.3
"""Single runs of each before the blocks, the first of which warms up; two at least, and no more after so long."""


def time_side_by_side(runs: Sequence[Callable[[], object]], *, on_round: Callable[[float], None]) -> tuple[Timing, ...]:
    """Median time of each of `runs`, by `torch.utils.benchmark`, in blocks that take turns.

    Taking turns, a change of the machine's load meets all of them. All blocks have equally many runs, of all sides, so
    that each counts the same; how many follows from the median of a few warm runs. A wide spread, and other processes
    on the cores, are warned of. The benchmark synchronises accelerators, warms up before each block and runs on torch's
    current number of threads. Slow runs are repeated less.

    `on_round` is called with the done share (0 to 1) before each block, and may raise to stop.
    """
    threads = torch.get_num_threads()
    timers = [
        Timer("run()", timer=timer, globals={"run": run}, num_threads=threads, label="forward pass") for run in runs
    ]
    on_round(0.0)
    warm_s = [_warm_s(run) for run in runs]
    blocks = next(blocks for limit, blocks in _BLOCKS_OF if max(warm_s) <= limit)
    size = max(1, round(min(_BLOCK_S / min(warm_s), _LONGEST_BLOCK_S / max(warm_s))))
    measured: list[list[Measurement]] = [[] for _ in runs]
    others = _Others()
    for turn in range(blocks):
        for index, timed in enumerate(timers):
            on_round((turn + index / len(timers)) / blocks)
            measured[index].append(timed.timeit(size))
    crowd = others.crowd(threads)
    return tuple(_timing(measurements, crowd) for measurements in measured)


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


def _warm_s(run: Callable[[], object]) -> float:
    """Median seconds of a run, without the first, which may compile, allocate or read from disk."""
    seconds: list[float] = []
    while len(seconds) < 2 or (len(seconds) < _TRIES and sum(seconds[1:]) < _TRIES_S):
        began = timer()
        run()
        seconds.append(timer() - began)
    return max(statistics.median(seconds[1:]), 1e-9)  # a clock may not tell two runs apart


def _timing(measurements: list[Measurement], crowd: str | None) -> Timing:
    blocks = [measurement.median for measurement in measurements]
    together = Measurement(number_per_run=1, raw_times=blocks, task_spec=measurements[0].task_spec)
    spread = f"The middle half of the times spans {fine_share_text(together.iqr / together.median)} of their median."
    return Timing(
        median_s=together.median,
        iqr_s=together.iqr,
        blocks=len(blocks),
        runs=sum(measurement.number_per_run for measurement in measurements),
        threads=together.num_threads,
        crowded=crowd is not None,
        warnings=tuple(filter(None, (None if together.meets_confidence() else spread, crowd))),
    )
