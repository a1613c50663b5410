"""Nanoseconds per compared element on one thread, beside a plain read of both tensors.

    python -m benchmarks.metrics [elements]

Time is the thread's own processor time: what other processes take does not count, though a cache they share does.
Every variant is timed once in each round. The columns: median over the rounds, the quietest tenth of the rounds, and
the median of the ratio to the plain read of the same round.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from benchmarks.rounds import interleaved_s, median_ratio
from precision.formats import format_named
from precision.measure.metrics.chunks import pair_chunks
from precision.measure.metrics.comparison import compare_outputs
from precision.measure.metrics.octaves import OctaveCounts
from precision.measure.metrics.statistics import ErrorStatistics

SAMPLES, WIDTH = 8, 768
ELEMENTS = SAMPLES * 128 * WIDTH
"""One layer's output in a BERT-base encoder, batch 8 × 128 tokens."""
SECONDS = 6.0
"""For each pair of dtypes."""


def metrics(reference: Tensor, candidate: Tensor, *, quantiles: bool = False, octave_counts: bool = False) -> None:
    """All error metrics of one pair."""
    fmt = format_named(str(candidate.dtype))
    statistics = ErrorStatistics(fmt, reference.numel() if quantiles else None)
    octaves = OctaveCounts()
    for chunk in pair_chunks(reference, candidate, domain=statistics.domain):
        statistics.update(chunk)
        if octave_counts:
            octaves.add(chunk)
    statistics.result()


def variants(reference: Tensor, candidate: Tensor) -> dict[str, Callable[[], object]]:
    """What is timed."""
    wide, fmt = (reference.double(), candidate.double()), format_named(str(candidate.dtype))
    output, other = (
        x.reshape(SAMPLES, -1, WIDTH) if not x.numel() % (SAMPLES * WIDTH) else x[None] for x in (reference, candidate)
    )
    return {
        "read both": lambda: (reference.sum(), candidate.sum()),
        "subtract, in chunks": lambda: sum(1 for _ in pair_chunks(reference, candidate)),
        "metrics": lambda: metrics(reference, candidate),
        "metrics + octaves": lambda: metrics(reference, candidate, octave_counts=True),
        "metrics + quantiles": lambda: metrics(reference, candidate, quantiles=True),
        "metrics, float64": lambda: ErrorStatistics(fmt, None).add(*wide),
        "whole output, with floors": lambda: compare_outputs(reference=output, candidate=other, repeat=output, fmt=fmt),
    }


def main() -> None:
    """Print one table for each candidate dtype."""
    torch.set_num_threads(1)
    elements = int(sys.argv[1]) if len(sys.argv) > 1 else ELEMENTS
    generator = torch.Generator().manual_seed(0)
    reference = torch.randn(elements, generator=generator)
    noisy = reference + 1e-3 * torch.randn(elements, generator=generator)
    print(f"{elements:,} elements, torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, one thread")
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        times = interleaved_s(variants(reference, noisy.to(dtype)), seconds=SECONDS, clock=time.thread_time)
        load = os.getloadavg()[0]
        print(
            f"\nfloat32 against {str(dtype).removeprefix('torch.')}, {len(times['read both'])} rounds, load {load:.1f}"
        )
        print(f"{'':26} {'ns/element':>11} {'quiet':>8} {'× read':>8}")
        for name, seconds in times.items():
            per_element = [1e9 * s / elements for s in sorted(seconds)]
            quiet = per_element[len(per_element) // 10]
            ratio = median_ratio(seconds, times["read both"])
            print(f"{name:26} {median(per_element):11.2f} {quiet:8.2f} {ratio:8.1f}")


if __name__ == "__main__":
    main()
