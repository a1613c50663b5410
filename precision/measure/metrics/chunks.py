"""A pair of tensors as a stream of cache-sized chunks, so that no statistic needs a whole-array temporary."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from precision.formats import NumericFormat
from precision.measure.metrics.measures import Domain, Measures
from precision.measure.metrics.spans import (
    MIN_SPAN_ELEMENTS,
    ROW_ELEMENTS,
    SPAN_ELEMENTS,
    Part,
    span_elements,
    spans,
)
from precision.measure.rounding import round_to

SINGLE_MIN_ELEMENTS = 2**14
"""Smaller tensors are measured in float64: that is as quick as compiling anything for them."""
COMPILED_ELEMENTS = MIN_SPAN_ELEMENTS
"""Smaller chunks are counted by NumPy sooner than loops are compiled that count them."""
CHUNK_ELEMENTS = 30 * 2**10
"""120 KiB of float32: the handful of buffers a chunk needs stay in the second-level cache, and torch hands most work
only of 2^15 elements and more to several threads."""
_CAST_DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
"""Formats to which a cast by torch rounds as `round_to` does without saturating, and much faster."""
ACCELERATOR_CHUNK_ELEMENTS = 2**21
"""Large enough that starting a kernel costs little beside it, and small beside an accelerator's memory."""


@dataclass(frozen=True, kw_only=True)
class NonfinitePairs:
    """The pairs of a chunk in which either side is infinite or NaN."""

    positions: Tensor
    """int64, within the chunk."""
    reference: Tensor
    candidate: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class PairChunk:
    """Consecutive elements of both tensors; only valid until the next chunk is drawn.

    In float64; or in float32 where that holds all elements of both tensors, the chunk is whole rows of
    `ROW_ELEMENTS` on the CPU, and all pairs and their differences are finite. A difference in float32 is rounded once.
    """

    start: int
    """Flat index of its first element."""
    elements: int
    """Of both kinds, finite pairs or not."""
    raw: tuple[Tensor, Tensor]
    """Reference and candidate, each `(finite pairs,)`: in float64, or for a float32 chunk as narrow as they came."""
    max_abs_error: float
    """-inf without finite pairs; inf where a difference of finite values exceeds float64."""
    positions: Tensor | None = None
    """Places of the finite pairs within the chunk; None where all pairs are finite."""
    nonfinite: NonfinitePairs | None = None
    is_single: bool = False
    """Whether the values are float32."""
    measures: Measures | None = None
    """Of float32 chunks, where they were asked for."""

    @cached_property
    def reference(self) -> Tensor:
        """`(finite pairs,)`, as is the candidate."""
        return self.raw[0].float() if self.is_single else self.raw[0]

    @cached_property
    def candidate(self) -> Tensor:
        """Of the model under test."""
        return self.raw[1].float() if self.is_single else self.raw[1]

    @cached_property
    def error(self) -> Tensor:
        """Candidate - reference."""
        return self.candidate - self.reference

    @cached_property
    def abs_error(self) -> Tensor:
        """|candidate - reference|."""
        return self.error.abs()

    @property
    def max_place(self) -> int:
        """Of the first largest error among the finite pairs; 0 without any."""
        return first_largest(self.abs_error)[0]

    @property
    def is_compiled(self) -> bool:
        """Whether it is worth a compiled loop: a float32 chunk so large that others take longer than compiling."""
        return self.is_single and self.elements >= COMPILED_ELEMENTS

    def widened(self) -> PairChunk:
        """The same pairs in float64."""
        return _double_chunk(self.start, self.reference.double(), self.candidate.double())

    def index_of(self, place: int) -> int:
        """Flat index in the whole tensor of the finite pair at `place`."""
        return self.start + (place if self.positions is None else int(self.positions[place]))


def pair_chunks(
    reference: Tensor,
    candidate: Tensor | NumericFormat,
    *,
    domain: Domain | None = None,
    chunk_elements: int | None = None,
) -> Iterator[PairChunk]:
    """Both tensors, chunk by chunk in C order, upcast before anything is subtracted.

    Pairs that are not finite on both sides are set apart. Empty tensors give no chunk. Any device and dtype; what is
    on a CUDA device is read there, what is on any other accelerator is brought to the CPU.

    Args:
        reference: Real tensor of any shape.
        candidate: Tensor of the same shape; or a format: the reference itself, rounded to it, overflowing to
            infinity or NaN, is then the candidate.
        domain: What float32 chunks are measured for while they are read; None for no measures.
        chunk_elements: How many elements at a time; None for what suits the device.
    """
    flat_reference = reference.detach().reshape(-1)
    flat_candidate = candidate if isinstance(candidate, NumericFormat) else candidate.detach().reshape(-1)
    device = _device(reference, candidate)
    buffers = _Buffers(device, chunk_elements)
    total, start = flat_reference.numel(), 0
    if are_single(reference, candidate):
        in_threads = domain is not None and total >= 2 * MIN_SPAN_ELEMENTS
        size = span_elements(total) if in_threads else SPAN_ELEMENTS
        parts = _parts(flat_reference, flat_candidate, min(chunk_elements or size, size))
        for span in spans(parts, domain=domain, in_threads=in_threads):
            first, start = span.part.start, span.part.start + span.part.reference.numel()
            if math.isfinite(span.max_abs_error):
                yield PairChunk(
                    start=first,
                    elements=start - first,
                    raw=(span.part.reference, span.part.candidate),
                    is_single=True,
                    max_abs_error=span.max_abs_error,
                    measures=span.measures,
                )
            else:
                yield from buffers.double_chunks(flat_reference, flat_candidate, first, start)
    yield from buffers.double_chunks(flat_reference, flat_candidate, start, total)


def are_single(reference: Tensor, candidate: Tensor | NumericFormat) -> bool:
    """Whether chunks of this pair are float32, as far as all is finite."""
    wide = torch.float64 in {x.dtype for x in (reference, candidate) if isinstance(x, Tensor)}
    on_cpu = _device(reference, candidate).type == "cpu"
    return on_cpu and not wide and reference.numel() >= SINGLE_MIN_ELEMENTS


def _parts(reference: Tensor, candidate: Tensor | NumericFormat, elements: int) -> Iterator[Part]:
    """Whole rows; what is left at the end is no part."""
    start, whole = 0, reference.numel() // ROW_ELEMENTS * ROW_ELEMENTS
    step = elements // ROW_ELEMENTS * ROW_ELEMENTS
    while step and start < whole:
        end = min(start + step, whole)
        r = reference[start:end]
        if isinstance(candidate, NumericFormat):
            r = r.resolve_neg().float()
            dtype = _CAST_DTYPES.get(candidate.name)
            yield Part(start, r, round_to(r, candidate, saturate=False) if dtype is None else r.to(dtype))
        else:
            yield Part(start, r, candidate[start:end])
        start = end


def _device(reference: Tensor, candidate: Tensor | NumericFormat) -> torch.device:
    """Where to compute: not every accelerator has float64 (Apple's has not)."""
    same = isinstance(candidate, NumericFormat) or candidate.device == reference.device
    return reference.device if same and reference.device.type == "cuda" else torch.device("cpu")


class _Buffers:
    """Memory for one float64 chunk, used again for the next."""

    def __init__(self, device: torch.device, chunk_elements: int | None) -> None:
        self._device = device
        suits = CHUNK_ELEMENTS if device.type == "cpu" else ACCELERATOR_CHUNK_ELEMENTS
        self._elements = chunk_elements or suits
        self._both: Tensor | None = None

    def double_chunks(
        self, reference: Tensor, candidate: Tensor | NumericFormat, start: int, end: int
    ) -> Iterator[PairChunk]:
        """The elements from `start` to `end` in float64."""
        for first in range(start, end, self._elements):
            part = slice(first, min(first + self._elements, end))
            other = candidate if isinstance(candidate, NumericFormat) else candidate[part]
            yield self._chunk(first, reference[part], other)

    def _chunk(self, start: int, reference: Tensor, candidate: Tensor | NumericFormat) -> PairChunk:
        r, y = self._of(reference.numel())
        _widen(reference, out=r)
        if isinstance(candidate, NumericFormat):
            y.copy_(round_to(r, candidate, saturate=False))
        else:
            _widen(candidate, out=y)
        return _double_chunk(start, r, y)

    def _of(self, size: int) -> tuple[Tensor, Tensor]:
        if self._both is None or self._both.shape[1] < size:
            self._both = torch.empty(2, size, dtype=torch.float64, device=self._device)
        return self._both[0, :size], self._both[1, :size]


def _widen(x: Tensor, *, out: Tensor) -> None:
    # Through float32, which holds every narrower value, because torch converts float16 to float64 seven times slower
    # than in these two steps.
    here = x.to(out.device)
    out.copy_(here if x.dtype == torch.float64 else here.float())


def _double_chunk(start: int, r: Tensor, y: Tensor) -> PairChunk:
    largest = float(torch.sub(y, r).abs_().amax()) if r.numel() else -math.inf  # NaN where there is one
    if math.isfinite(largest):
        return PairChunk(start=start, elements=r.numel(), raw=(r, y), max_abs_error=largest)
    finite = torch.isfinite(r) & torch.isfinite(y)
    if finite.all():  # only a difference exceeds float64
        return PairChunk(start=start, elements=r.numel(), raw=(r, y), max_abs_error=math.inf)
    positions, others = finite.nonzero().squeeze(1), (~finite).nonzero().squeeze(1)
    nonfinite = NonfinitePairs(positions=others, reference=r[others], candidate=y[others])
    r, y = r[positions], y[positions]
    return PairChunk(
        start=start,
        elements=finite.numel(),
        raw=(r, y),
        max_abs_error=float((y - r).abs_().amax()) if r.numel() else -math.inf,
        positions=positions,
        nonfinite=nonfinite,
    )


def first_largest(x: Tensor) -> tuple[int, float]:
    """Place of the first of the largest values, or of the first NaN, and its value; (0, -inf) where there are none."""
    if not x.numel():
        return 0, -math.inf
    if x.device.type == "cpu":  # ten times faster than torch's
        values = x.numpy()
        place = int(values.argmax())
        return place, float(values[place])
    # torch's argmax promises no first one.
    places = (x == x.amax()).nonzero()
    place = int(places[0] if places.numel() else x.isnan().nonzero()[0])
    return place, float(x[place])
