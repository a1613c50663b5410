"""A pair of tensors as a stream of cache-sized float64 chunks, so that no statistic needs a whole-array temporary."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from precision.formats import NumericFormat
from precision.rounding import round_to

CHUNK_ELEMENTS = 2**15 - 2**9
"""Just under 256 KiB of float64: the handful of buffers a chunk needs stay in the second-level cache, and torch hands
most work only of 2^15 elements and more to several threads."""


@dataclass(frozen=True, kw_only=True)
class NonfinitePairs:
    """The pairs of a chunk in which either side is infinite or NaN."""

    positions: Tensor
    """int64, within the chunk."""
    reference: Tensor
    candidate: Tensor


@dataclass(frozen=True, kw_only=True)
class PairChunk:
    """Consecutive elements of both tensors in float64; only valid until the next chunk is drawn."""

    start: int
    """Flat index of its first element."""
    elements: int
    """Of both kinds, finite pairs or not."""
    reference: Tensor
    """float64 `(finite pairs,)`, as are the next three."""
    candidate: Tensor
    error: Tensor
    """candidate - reference."""
    abs_error: Tensor
    max_abs_error: float
    """-inf without finite pairs; inf where a difference of finite values exceeds float64."""
    positions: Tensor | None
    """Places of the finite pairs within the chunk; None where all pairs are finite."""
    nonfinite: NonfinitePairs | None

    def index_of(self, place: int) -> int:
        """Flat index in the whole tensor of the finite pair at `place`."""
        return self.start + (place if self.positions is None else int(self.positions[place]))


def pair_chunks(
    reference: Tensor, candidate: Tensor | NumericFormat, *, chunk_elements: int = CHUNK_ELEMENTS
) -> Iterator[PairChunk]:
    """Both tensors, chunk by chunk in C order, upcast to float64 before anything is subtracted.

    Pairs that are not finite on both sides are set apart. Empty tensors give no chunk. Any device and dtype.

    Args:
        reference: Real tensor of any shape.
        candidate: Tensor of the same shape; or a format: the reference itself, rounded to it, overflowing to
            infinity or NaN, is then the candidate.
        chunk_elements: How many elements at a time.
    """
    flat_reference = reference.detach().reshape(-1)
    flat_candidate = None if isinstance(candidate, NumericFormat) else candidate.detach().reshape(-1)
    size = min(chunk_elements, flat_reference.numel())
    r_buffer, y_buffer, e_buffer, a_buffer = torch.empty((4, size), dtype=torch.float64).unbind()
    for start in range(0, flat_reference.numel(), chunk_elements):
        part = slice(start, start + chunk_elements)
        elements = min(chunk_elements, flat_reference.numel() - start)
        r, y = r_buffer[:elements], y_buffer[:elements]
        _widen(flat_reference[part], out=r)
        if isinstance(candidate, NumericFormat):
            y.copy_(round_to(r, candidate, saturate=False))
        elif flat_candidate is not None:
            _widen(flat_candidate[part], out=y)
        yield _chunk(start, r, y, error=e_buffer[:elements], abs_error=a_buffer[:elements])


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread meanwhile; the number of threads is restored afterwards.

    A chunk is too small to share: on a busy machine, several threads wait milliseconds for each other at each step.
    The number is the whole process's, so nothing else should be computing in it.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _widen(x: Tensor, *, out: Tensor) -> None:
    # To the CPU first, because not every accelerator has float64; through float32, which holds every narrower value,
    # because torch converts float16 to float64 seven times slower than in these two steps.
    on_cpu = x.cpu()
    out.copy_(on_cpu if x.dtype == torch.float64 else on_cpu.float())


def _chunk(start: int, r: Tensor, y: Tensor, *, error: Tensor, abs_error: Tensor) -> PairChunk:
    torch.sub(y, r, out=error)
    torch.abs(error, out=abs_error)
    elements = r.numel()
    highest = float(abs_error.amax())  # NaN where there is one
    positions, nonfinite = None, None
    if not math.isfinite(highest):
        finite = torch.isfinite(r) & torch.isfinite(y)
        if not finite.all():
            positions, others = finite.nonzero().squeeze(1), (~finite).nonzero().squeeze(1)
            nonfinite = NonfinitePairs(positions=others, reference=r[others], candidate=y[others])
            r, y, error, abs_error = r[positions], y[positions], error[positions], abs_error[positions]
            highest = float(abs_error.amax()) if positions.numel() else -math.inf
    return PairChunk(
        start=start,
        elements=elements,
        reference=r,
        candidate=y,
        error=error,
        abs_error=abs_error,
        max_abs_error=highest,
        positions=positions,
        nonfinite=nonfinite,
    )
