"""A pair of tensors as a stream of cache-sized chunks, so that no statistic needs a whole-array temporary."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from precision.formats import NumericFormat
from precision.rounding import round_to

ROW_ELEMENTS = 2**10
"""float32 chunks are whole rows of so many elements: short enough that a float32 sum over one keeps 1e-6."""
SINGLE_MIN_ELEMENTS = 2**14
"""Smaller tensors are measured in float64: that is as quick as compiling anything for them."""
CHUNK_ELEMENTS = 30 * ROW_ELEMENTS
"""120 KiB of float32: the handful of buffers a chunk needs stay in the second-level cache, and torch hands most work
only of 2^15 elements and more to several threads."""
SINGLE_CHUNK_ELEMENTS = 4 * CHUNK_ELEMENTS
"""Of float32 chunks that are read once, from two buffers."""
ACCELERATOR_CHUNK_ELEMENTS = 2**21
"""Large enough that starting a kernel costs little beside it, and small beside an accelerator's memory."""

_APART = 80
"""Elements left between buffers: at equal distances of whole memory pages they would evict one another."""


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
    reference: Tensor
    """`(finite pairs,)`, as is the candidate."""
    candidate: Tensor
    max_abs_error: float
    """-inf without finite pairs; inf where a difference of finite values exceeds float64."""
    positions: Tensor | None = None
    """Places of the finite pairs within the chunk; None where all pairs are finite."""
    nonfinite: NonfinitePairs | None = None

    @cached_property
    def error(self) -> Tensor:
        """Candidate - reference."""
        return self.candidate - self.reference

    @cached_property
    def abs_error(self) -> Tensor:
        """|candidate - reference|."""
        return self.error.abs()

    @property
    def is_single(self) -> bool:
        """Whether the values are float32."""
        return self.reference.dtype == torch.float32

    @property
    def max_place(self) -> int:
        """Of the first largest error among the finite pairs; 0 without any."""
        return first_largest(self.abs_error)[0]

    def widened(self) -> PairChunk:
        """The same pairs in float64."""
        return _double_chunk(self.start, self.reference.double(), self.candidate.double())

    def index_of(self, place: int) -> int:
        """Flat index in the whole tensor of the finite pair at `place`."""
        return self.start + (place if self.positions is None else int(self.positions[place]))


def pair_chunks(
    reference: Tensor, candidate: Tensor | NumericFormat, *, chunk_elements: int | None = None
) -> Iterator[PairChunk]:
    """Both tensors, chunk by chunk in C order, upcast before anything is subtracted.

    Pairs that are not finite on both sides are set apart. Empty tensors give no chunk. Any device and dtype; what is
    on a CUDA device is read there, what is on any other accelerator is brought to the CPU.

    Args:
        reference: Real tensor of any shape.
        candidate: Tensor of the same shape; or a format: the reference itself, rounded to it, overflowing to
            infinity or NaN, is then the candidate.
        chunk_elements: How many elements at a time; None for what suits the device.
    """
    flat_reference = reference.detach().reshape(-1)
    flat_candidate = candidate if isinstance(candidate, NumericFormat) else candidate.detach().reshape(-1)
    device = _device(reference, candidate)
    single_elements = chunk_elements or SINGLE_CHUNK_ELEMENTS
    if chunk_elements is None:
        chunk_elements = CHUNK_ELEMENTS if device.type == "cpu" else ACCELERATOR_CHUNK_ELEMENTS
    buffers = _Buffers(device)
    dtypes = {x.dtype for x in (reference, candidate) if isinstance(x, Tensor)}
    single = device.type == "cpu" and torch.float64 not in dtypes and flat_reference.numel() >= SINGLE_MIN_ELEMENTS
    start, total = 0, flat_reference.numel()
    while start < total:
        size = min(single_elements, total - start) // ROW_ELEMENTS * ROW_ELEMENTS if single else 0
        pair = flat_reference[start : start + size], _part(flat_candidate, start, size)
        chunk = buffers.single_chunk(start, *pair) if size else None
        if chunk is not None:
            yield chunk
        else:
            size = size or total - start
            for first in range(start, start + size, chunk_elements):
                elements = min(chunk_elements, start + size - first)
                part = flat_reference[first : first + elements], _part(flat_candidate, first, elements)
                yield buffers.double_chunk(first, *part)
        start += size


def _part(candidate: Tensor | NumericFormat, start: int, size: int) -> Tensor | NumericFormat:
    return candidate if isinstance(candidate, NumericFormat) else candidate[start : start + size]


def _device(reference: Tensor, candidate: Tensor | NumericFormat) -> torch.device:
    """Where to compute: not every accelerator has float64 (Apple's has not)."""
    same = isinstance(candidate, NumericFormat) or candidate.device == reference.device
    return reference.device if same and reference.device.type == "cuda" else torch.device("cpu")


class _Buffers:
    """Memory for one chunk, used again for the next."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._tensors: dict[torch.dtype, tuple[Tensor, Tensor]] = {}

    def single_chunk(self, start: int, reference: Tensor, candidate: Tensor | NumericFormat) -> PairChunk | None:
        """The pair in float32; None where an element or a difference is not finite."""
        from precision.metrics import kernels  # only where there is much to compare: it takes a second to compile

        r, y = self._of(torch.float32, reference.numel())
        r = _as_single(reference, r)
        y = round_to(r, candidate, saturate=False) if isinstance(candidate, NumericFormat) else _as_single(candidate, y)
        largest = kernels.largest_error(r.numpy(), y.numpy())
        if not math.isfinite(largest):
            return None
        return PairChunk(start=start, elements=r.numel(), reference=r, candidate=y, max_abs_error=largest)

    def double_chunk(self, start: int, reference: Tensor, candidate: Tensor | NumericFormat) -> PairChunk:
        """The pair in float64."""
        r, y = self._of(torch.float64, reference.numel())
        _widen(reference, out=r)
        if isinstance(candidate, NumericFormat):
            y.copy_(round_to(r, candidate, saturate=False))
        else:
            _widen(candidate, out=y)
        return _double_chunk(start, r, y)

    def _of(self, dtype: torch.dtype, size: int) -> tuple[Tensor, Tensor]:
        """The first use is of the largest size."""
        if dtype not in self._tensors:
            both = torch.empty(2, size + _APART, dtype=dtype, device=self._device)
            self._tensors[dtype] = both[0], both[1]
        r, y = self._tensors[dtype]
        return r[:size], y[:size]


def _as_single(x: Tensor, out: Tensor) -> Tensor:
    if x.dtype == torch.float32 and x.device == out.device:
        return x.resolve_neg()  # as the imaginary part of a conjugate has it, which NumPy does not know
    for start in range(0, x.numel(), CHUNK_ELEMENTS):  # in parts that torch does not share among threads
        out[start : start + CHUNK_ELEMENTS].copy_(x[start : start + CHUNK_ELEMENTS])
    return out


def _widen(x: Tensor, *, out: Tensor) -> None:
    # Through float32, which holds every narrower value, because torch converts float16 to float64 seven times slower
    # than in these two steps.
    here = x.to(out.device)
    out.copy_(here if x.dtype == torch.float64 else here.float())


def _double_chunk(start: int, r: Tensor, y: Tensor) -> PairChunk:
    largest = float(torch.sub(y, r).abs_().amax()) if r.numel() else -math.inf  # NaN where there is one
    if math.isfinite(largest):
        return PairChunk(start=start, elements=r.numel(), reference=r, candidate=y, max_abs_error=largest)
    finite = torch.isfinite(r) & torch.isfinite(y)
    if finite.all():  # only a difference exceeds float64
        return PairChunk(start=start, elements=r.numel(), reference=r, candidate=y, max_abs_error=math.inf)
    positions, others = finite.nonzero().squeeze(1), (~finite).nonzero().squeeze(1)
    nonfinite = NonfinitePairs(positions=others, reference=r[others], candidate=y[others])
    r, y = r[positions], y[positions]
    return PairChunk(
        start=start,
        elements=finite.numel(),
        reference=r,
        candidate=y,
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
