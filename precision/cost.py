"""What a forward pass costs in time: two models measured side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch.utils.benchmark import Measurement, Timer

from precision.results import Timing

_BLOCK_S = 0.01
"""A block of runs takes about this long, so that starting and stopping the clock does not count."""
_BLOCKS_OF = ((0.05, 9), (1.0, 5), (math.inf, 3))
"""(seconds of one run, blocks): the blocks of models that take up to that long; slow ones are repeated less."""
_TRIES = 3
"""Single runs of a fast model, the quickest of which tells how many make a block."""


def time_side_by_side(
    runs: Sequence[Callable[[], object]], *, estimates_s: Sequence[float], on_round: Callable[[float], None]
) -> tuple[Timing, ...]:
    """Median time of each of `runs`, by `torch.utils.benchmark`, in blocks that take turns.

    Taking turns, a change of the machine's load meets all of them. All blocks of one have equally many runs, so that
    each counts the same. The benchmark's own warnings (a wide spread) are kept. It synchronises accelerators, warms up
    before each block and runs on torch's current number of threads.

    Args:
        runs: what to time, each called without arguments.
        estimates_s: about how long one call of each takes, in seconds; slow ones are repeated less.
        on_round: called with the done share (0 to 1) before each block; may raise to stop.
    """
    threads = torch.get_num_threads()
    timers = [Timer("run()", globals={"run": run}, num_threads=threads, label="forward pass") for run in runs]
    blocks = next(blocks for limit, blocks in _BLOCKS_OF if max(estimates_s) <= limit)
    sizes = [_block_size(timer, estimate) for timer, estimate in zip(timers, estimates_s, strict=True)]
    measured: list[list[Measurement]] = [[] for _ in runs]
    for turn in range(blocks):
        for index, (timer, size) in enumerate(zip(timers, sizes, strict=True)):
            on_round((turn + index / len(timers)) / blocks)
            measured[index].append(timer.timeit(size))
    return tuple(_timing(measurements) for measurements in measured)


def _block_size(timer: Timer, estimate_s: float) -> int:
    if estimate_s >= _BLOCK_S * _TRIES:
        return 1
    quickest = min(timer.timeit(1).median for _ in range(_TRIES))
    return max(1, round(_BLOCK_S / quickest))


def _timing(measurements: list[Measurement]) -> Timing:
    blocks = [measurement.median for measurement in measurements]
    together = Measurement(number_per_run=1, raw_times=blocks, task_spec=measurements[0].task_spec)
    return Timing(
        median_s=together.median,
        iqr_s=together.iqr,
        blocks=len(blocks),
        runs=sum(measurement.number_per_run for measurement in measurements),
        threads=together.num_threads,
        warnings=_warnings(together),
    )


def _warnings(measurement: Measurement) -> tuple[str, ...]:
    """The benchmark's own words, which it gives only in its printed form."""
    if not measurement.has_warnings:
        return ()
    words = repr(measurement).split("WARNING:")[1:]
    return tuple(" ".join(warning.split()) for warning in words)
