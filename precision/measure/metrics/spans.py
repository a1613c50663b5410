"""Float32 spans of two tensors: widened and measured in one pass over what they hold, in several threads at once."""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from precision.measure.metrics.measures import Domain, Measures

ROW_ELEMENTS = 2**10
"""Spans are whole rows of so many elements."""
MIN_SPAN_ELEMENTS, SPAN_ELEMENTS = 96 * ROW_ELEMENTS, 480 * ROW_ELEMENTS
"""So many that handing a span to a thread costs little beside measuring it, and so few that the temporaries of what has
to be widened take little memory."""


class Part(NamedTuple):
    """A span before it is read: tensors of one dimension on the CPU, of the same whole number of rows."""

    start: int
    reference: Tensor
    candidate: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Span:
    """A part, and what is known of it."""

    part: Part
    max_abs_error: float
    """As float32 rounds it; infinite or NaN where an element or a difference is not finite."""
    measures: Measures | None
    """None where that is so, and where no domain was asked for."""


def span_elements(total: int) -> int:
    """How many elements of `total` at a time, so that every thread has some."""
    rows = -(-total // (torch.get_num_threads() * ROW_ELEMENTS))
    return min(max(rows * ROW_ELEMENTS, MIN_SPAN_ELEMENTS), SPAN_ELEMENTS)


def spans(parts: Iterable[Part], *, domain: Domain | None, in_threads: bool) -> Iterator[Span]:
    """Each part, of no dtype wider than float32, in order; nothing is copied.

    Measured for a domain; without one, only to see whether all is finite. `in_threads`: as many are worked on at once
    as torch has threads.
    """
    threads = torch.get_num_threads()
    if not in_threads or threads == 1:
        yield from (_span(part, domain) for part in parts)
        return
    ahead: deque[Future[Span]] = deque()
    for part in parts:
        if len(ahead) > threads:  # one waits, so that no thread has to
            yield ahead.popleft().result()
        ahead.append(_pool(threads).submit(_span, part, domain))
    while ahead:
        yield ahead.popleft().result()


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="metrics")


def _span(part: Part, domain: Domain | None) -> Span:
    from precision.measure.metrics import kernels  # only where there is much to read: it takes a second to compile

    part = Part(part.start, readable(part.reference), readable(part.candidate))
    r, y = raw_bits(part.reference), raw_bits(part.candidate)
    if domain is None:
        return Span(part=part, max_abs_error=kernels.largest_error(r, y), measures=None)
    found, exact = np.zeros(kernels.FOUND), np.array([-math.inf, 0.0])
    octaves = np.zeros((kernels.LANES, kernels.FIELDS), dtype=np.int32)
    maxima = np.empty(r.size // kernels.BLOCK, dtype=np.float32)
    limits, tolerances = _limits(domain)
    if not kernels.measure(r, y, limits, tolerances, found, exact, octaves, maxima):
        return Span(part=part, max_abs_error=math.nan, measures=None)
    measures = Measures(
        domain=domain,
        found=tuple(found.tolist()),
        max_abs_error=float(exact[0]),
        max_place=int(exact[1]),
        equal=int(found[kernels.EQUAL]),
        octaves=octaves.sum(axis=0, dtype=np.int64),
        maxima=maxima,
    )
    return Span(part=part, max_abs_error=float(maxima.max()), measures=measures)


def _limits(domain: Domain) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    rtol, atol = domain.relative_tolerance, domain.absolute_tolerance
    rtol, atol = (0.0, math.inf) if rtol is None or atol is None else (rtol, atol)
    return np.array([rtol, atol, domain.smallest_normal], dtype=np.float32), np.array([atol, rtol])


def readable(x: Tensor) -> Tensor:
    """In a dtype that the kernels read, and without a pending sign, as an imaginary part may have one."""
    return x.resolve_neg() if x.dtype in (torch.float32, torch.float16, torch.bfloat16) else x.float()


def raw_bits(x: Tensor) -> npt.NDArray[np.float32] | npt.NDArray[np.int16] | npt.NDArray[np.uint16]:
    """A float32, float16 or bfloat16 tensor as the kernels tell the dtypes apart."""
    if x.dtype == torch.float32:
        values: npt.NDArray[np.float32] = x.numpy()
        return values
    bits: npt.NDArray[np.int16] = x.view(torch.int16).numpy()
    return bits if x.dtype == torch.float16 else bits.view(np.uint16)
