"""Float32 spans of two tensors: widened and measured in one pass over what they hold, in several threads at once."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from precision.metrics.single import Domain, Measures

ROW_ELEMENTS = 2**10
"""Spans are whole rows of so many elements."""
SPAN_ELEMENTS = 240 * ROW_ELEMENTS
"""960 KiB of float32: what a span is widened to stays in the second-level cache, and handing it to a thread costs
little beside measuring it."""
_APART = 80
"""Elements left between buffers: at equal distances of whole memory pages they would evict one another."""


class Part(NamedTuple):
    """A span before it is read: tensors of one dimension on the CPU, of the same whole number of rows."""

    start: int
    reference: Tensor
    candidate: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Span:
    """A span in float32; valid until the next is drawn."""

    start: int
    reference: Tensor
    candidate: Tensor
    max_abs_error: float
    """Infinite or NaN where an element or a difference is not finite."""
    measures: Measures | None
    """None where that is so, and where no domain was asked for."""


def spans(parts: Iterable[Part], *, domain: Domain | None, in_threads: bool) -> Iterator[Span]:
    """Each part in float32, in order; what is float32 already is not copied.

    Args:
        parts: none longer than `SPAN_ELEMENTS`, no dtype wider than float32.
        domain: what to measure for; None to widen only.
        in_threads: whether as many are worked on at once as torch has threads.
    """
    threads = torch.get_num_threads() if in_threads else 1
    if threads == 1:
        buffer = _Buffer()
        for part in parts:
            yield _span(part, buffer, domain)
        return
    ahead: deque[Future[Span]] = deque()
    # One for each that is worked on, for one that waits, and for the one that is out.
    for part, buffer in zip(parts, cycle([_Buffer() for _ in range(threads + 2)])):
        if len(ahead) > threads:
            yield ahead.popleft().result()
        ahead.append(_pool(threads).submit(_span, part, buffer, domain))
    while ahead:
        yield ahead.popleft().result()


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="metrics")


class _Buffer:
    """Memory for what is widened of one span, used again for a later one."""

    def __init__(self) -> None:
        self._both: Tensor | None = None

    def like(self, part: Part) -> tuple[Tensor, Tensor]:
        """For each tensor where it goes in float32: itself, if it is that."""
        n = part.reference.numel()
        if self._both is None:  # the first is the largest
            self._both = torch.empty(2, n + _APART, dtype=torch.float32)
        r, y = (
            x if x.dtype == torch.float32 else room[:n]
            for x, room in zip((part.reference, part.candidate), self._both, strict=True)
        )
        return r, y


def _span(part: Part, buffer: _Buffer, domain: Domain | None) -> Span:
    from precision.metrics import kernels  # only where there is much to read: it takes a second to compile

    part = Part(part.start, _readable(part.reference), _readable(part.candidate))
    raw_r, raw_y = _bits(part.reference), _bits(part.candidate)
    r, y = buffer.like(part)
    wide = r.numpy(), y.numpy()
    measures = None
    if domain is None:
        largest = kernels.widen(raw_r, raw_y, wide)
    else:
        found, exact = np.zeros(kernels.FOUND), np.array([-math.inf, 0.0])
        octaves = np.zeros((kernels.LANES, kernels.FIELDS), dtype=np.int32)
        maxima = np.empty(r.numel() // kernels.BLOCK, dtype=np.float32)
        limits, tolerances = _limits(domain)
        finite = kernels.measure(raw_r, raw_y, wide, limits, tolerances, found, exact, octaves, maxima)
        largest = float(maxima.max()) if finite else math.nan
        if finite:
            measures = Measures(
                domain=domain,
                found=tuple(found.tolist()),
                max_abs_error=float(exact[0]),
                max_place=int(exact[1]),
                equal=int(found[kernels.EQUAL]),
                octaves=octaves.sum(axis=0, dtype=np.int64),
                maxima=maxima,
            )
    return Span(start=part.start, reference=r, candidate=y, max_abs_error=largest, measures=measures)


def _limits(domain: Domain) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    rtol, atol = domain.relative_tolerance, domain.absolute_tolerance
    rtol, atol = (0.0, math.inf) if rtol is None or atol is None else (rtol, atol)
    return np.array([rtol, atol, domain.smallest_normal], dtype=np.float32), np.array([atol, rtol])


def _readable(x: Tensor) -> Tensor:
    """In a dtype that the kernels read, and without a pending sign, as an imaginary part may have one."""
    return x.resolve_neg() if x.dtype in (torch.float32, torch.float16, torch.bfloat16) else x.float()


def _bits(x: Tensor) -> npt.NDArray[np.float32] | npt.NDArray[np.int16] | npt.NDArray[np.uint16]:
    """As the kernels tell the dtypes apart."""
    if x.dtype == torch.float32:
        values: npt.NDArray[np.float32] = x.numpy()
        return values
    bits: npt.NDArray[np.int16] = x.view(torch.int16).numpy()
    return bits if x.dtype == torch.float16 else bits.view(np.uint16)
