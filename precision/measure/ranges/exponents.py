"""Counting values by their exponent, straight from their bits: exact, streamed, the same on every device."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from precision.errors import InputError
from precision.measure.rounding import dtype_name
from precision.results.ranges import ExponentHistogram

_Counts = npt.NDArray[np.int64]

CHUNK_ELEMENTS = 2**16
"""256 KiB of float32: with what is made of them, they stay in the second-level cache."""
CHUNK_ELEMENTS_ELSEWHERE = 2**24
"""On an accelerator, where starting an operator costs more than memory does."""
_SAFE_TO_SQUARE = range(-40, 50)
"""Largest exponents of a float32 chunk whose sum of squares neither overflows nor vanishes in float32."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the fields of an IEEE 754 format are."""

    integer: torch.dtype
    mantissa_bits: int
    bias: int

    @property
    def fields(self) -> int:
        """How many exponent fields there are; the last is that of infinities and NaNs."""
        return 2 * self.bias + 2

    @property
    def magnitude_mask(self) -> int:
        """All bits but the sign."""
        return (self.fields << self.mantissa_bits) - 1

    @property
    def smallest_normal(self) -> int:
        """Bits of the smallest normal number; those of subnormal ones are smaller."""
        return 1 << self.mantissa_bits

    def magnitudes(self, chunk: Tensor) -> Tensor:
        """The bits of |x|: an integer that grows with it."""
        return chunk.view(self.integer).bitwise_and(self.magnitude_mask)

    def value(self, bits: int) -> float:
        """The number that has these bits, which are a normal one's."""
        mantissa = bits & (self.smallest_normal - 1) | self.smallest_normal
        return math.ldexp(mantissa, (bits >> self.mantissa_bits) - self.bias - self.mantissa_bits)


LAYOUTS: Mapping[torch.dtype, Layout] = {
    torch.float32: Layout(integer=torch.int32, mantissa_bits=23, bias=127),
    torch.float64: Layout(integer=torch.int64, mantissa_bits=52, bias=1023),
}


class ExponentCounts:
    """Counts of values by floor(log2|x|), gathered tensor by tensor; in which order and pieces does not matter."""

    def __init__(self) -> None:
        self._elements = self._zeros = self._infinite = self._nan = 0
        self._counts: dict[int, int] = {}
        self._largest, self._smallest = 0.0, math.inf
        self._norm = 0.0
        self._mantissa_bits = 0

    def add(self, values: Tensor, *, chunk_elements: int | None = None) -> None:
        """Count the elements of one tensor.

        Zeros of either sign, infinities and NaNs are counted apart. Subnormal values count at their own exponent
        (-149 is float32's smallest). Of a complex tensor the real and the imaginary parts are counted. Formats
        narrower than float32 are widened, exactly. An empty tensor adds nothing. Any shape, any device; so many
        elements at a time as suit it, unless `chunk_elements` says how many.

        Raises:
            InputError: a dtype without exponents, such as an integer one.
        """
        flat = _flat(values.detach())
        if chunk_elements is None:
            chunk_elements = CHUNK_ELEMENTS if flat.device.type == "cpu" else CHUNK_ELEMENTS_ELSEWHERE
        most_bits = -round(math.log2(torch.finfo(flat.dtype).eps))
        for start in range(0, flat.numel(), chunk_elements):
            chunk = flat[start : start + chunk_elements]
            self._add_chunk(chunk if chunk.dtype in LAYOUTS else chunk.float(), most_bits=most_bits)

    def merge(self, other: ExponentCounts) -> None:
        """Count what `other` has counted, too."""
        self._elements += other._elements
        self._zeros += other._zeros
        self._infinite += other._infinite
        self._nan += other._nan
        for exponent, count in other._counts.items():
            self._counts[exponent] = self._counts.get(exponent, 0) + count
        self._largest = max(self._largest, other._largest)
        self._smallest = min(self._smallest, other._smallest)
        self._norm = math.hypot(self._norm, other._norm)
        self._mantissa_bits = max(self._mantissa_bits, other._mantissa_bits)

    def result(self) -> ExponentHistogram:
        """What was counted so far."""
        first, last = (min(self._counts), max(self._counts)) if self._counts else (0, -1)
        return ExponentHistogram(
            elements=self._elements,
            zeros=self._zeros,
            infinite=self._infinite,
            nan=self._nan,
            first_exponent=first,
            counts=tuple(self._counts.get(exponent, 0) for exponent in range(first, last + 1)),
            largest=self._largest if self._counts else None,
            smallest=self._smallest if self._counts else None,
            norm=self._norm if self._counts else None,
            mantissa_bits=self._mantissa_bits,
        )

    def _add_chunk(self, chunk: Tensor, *, most_bits: int) -> None:
        """Count a chunk of a tensor whose dtype has `most_bits` mantissa bits."""
        layout = LAYOUTS[chunk.dtype]
        by_field = _field_counts(chunk, layout)
        self._elements += chunk.numel()
        if nonfinite := int(by_field[-1]):
            nan = int(chunk.isnan().count_nonzero())
            self._nan += nan
            self._infinite += nonfinite - nan
            chunk = chunk[chunk.isfinite()]
        has_subnormal = bool(by_field[0]) and self._add_small(chunk, int(by_field[0]), layout)
        normal = np.flatnonzero(by_field[1:-1]) + 1
        if normal.size:
            self._add_counts(by_field, normal, -layout.bias)
            lowest, highest = (layout.value(int(normal[end]) << layout.mantissa_bits) for end in (0, -1))
            if self._largest < 2 * highest:
                self._largest = max(self._largest, float(chunk.abs().amax()))
            # Of most tensors, only the first few chunks have something new here.
            if lowest < self._smallest or self._mantissa_bits < most_bits:
                self._add_normal(chunk, layout, has_subnormal=has_subnormal)
        if normal.size or has_subnormal:
            exponent = int(normal[-1]) - layout.bias if normal.size else -layout.bias
            self._norm = math.hypot(self._norm, _norm(chunk, exponent))

    def _add_small(self, chunk: Tensor, count: int, layout: Layout) -> bool:
        """Count zeros and subnormal values, `count` together; returns whether there are any of the latter."""
        bits = layout.magnitudes(chunk)
        # Zeros wrap around to the largest number there is.
        if int(bits.sub(1).bitwise_and_(layout.magnitude_mask).amin()) + 1 >= layout.smallest_normal:
            self._zeros += count
            return False
        subnormal = bits[(bits > 0) & (bits < layout.smallest_normal)]
        self._zeros += count - subnormal.numel()
        # The mantissa, an integer, as a float64: that one is normal, and off by a power of two that is known.
        exact = subnormal.cpu().to(torch.float64)
        wide, unit = LAYOUTS[torch.float64], 1 - layout.bias - layout.mantissa_bits
        by_field = _field_counts(exact, wide)
        self._add_counts(by_field, np.flatnonzero(by_field), -wide.bias + unit)
        self._use_mantissas(exact.view(torch.int64), wide)
        self._largest = max(self._largest, math.ldexp(float(exact.amax()), unit))
        self._smallest = min(self._smallest, math.ldexp(float(exact.amin()), unit))
        return True

    def _add_normal(self, chunk: Tensor, layout: Layout, *, has_subnormal: bool) -> None:
        """Take in the smallest normal value of a finite chunk, and the mantissa bits in use."""
        bits = layout.magnitudes(chunk)
        if has_subnormal:
            bits = bits[bits >= layout.smallest_normal]
        # Here, too, zeros wrap around to where no finite value is.
        above = bits.sub(layout.smallest_normal).bitwise_and_(layout.magnitude_mask).amin()
        self._smallest = min(self._smallest, layout.value(int(above) + layout.smallest_normal))
        self._use_mantissas(bits, layout)

    def _add_counts(self, by_field: _Counts, fields: _Counts, offset: int) -> None:
        """Add the counts of some exponent fields; plus `offset`, they are exponents."""
        for field, count in zip(fields.tolist(), by_field[fields].tolist(), strict=True):
            self._counts[field + offset] = self._counts.get(field + offset, 0) + count

    def _use_mantissas(self, bits: Tensor, layout: Layout) -> None:
        used = _any_bit(torch.bitwise_and(bits, (1 << layout.mantissa_bits) - 1))
        if used:
            trailing_zeros = (used & -used).bit_length() - 1
            self._mantissa_bits = max(self._mantissa_bits, layout.mantissa_bits - trailing_zeros)


def exponents_of(values: Tensor) -> ExponentCounts:
    """One tensor's values counted by floor(log2|x|); see `ExponentCounts.add`.

    >>> counted = exponents_of(torch.tensor([0.0, 1.0, -1.5, 4.0, torch.inf])).result()
    >>> counted.zeros, counted.infinite, counted.first_exponent, counted.counts
    (1, 1, 0, (2, 0, 1))
    """
    counts = ExponentCounts()
    counts.add(values)
    return counts


def _flat(values: Tensor) -> Tensor:
    """All elements in one dimension, in any order, without a copy where they fill their memory without gaps."""
    if values.is_complex():
        values = torch.view_as_real(values.resolve_conj())
    if not values.is_floating_point():
        raise InputError(f"A {dtype_name(values.dtype)} tensor has no exponents to count. Pass a floating-point one.")
    strides = values.stride()
    by_stride = sorted(range(values.dim()), key=lambda dim: -strides[dim])
    return values.resolve_neg().permute(by_stride).reshape(-1)


def _field_counts(chunk: Tensor, layout: Layout) -> _Counts:
    """How often each exponent field occurs; signs do not matter."""
    shifted = chunk.view(layout.integer).bitwise_right_shift(layout.mantissa_bits)
    # float32's field is the low byte of what is left, below the sign.
    fields = shifted.to(torch.uint8) if layout.fields == 256 else shifted.bitwise_and_(layout.fields - 1)
    counts: _Counts = torch.bincount(fields, minlength=layout.fields).cpu().numpy()
    return counts


def _any_bit(bits: Tensor) -> int:
    """The bitwise or of all elements."""
    while bits.numel() > CHUNK_ELEMENTS:  # on an accelerator, to bring back few
        half = bits.numel() // 2
        bits = torch.cat([bits[:half] | bits[half : 2 * half], bits[2 * half :]])
    return int(np.bitwise_or.reduce(bits.cpu().numpy())) if bits.numel() else 0


def _norm(chunk: Tensor, exponent: int) -> float:
    """Root of the sum of squares of finite values, the largest of which has that exponent."""
    if chunk.dtype == torch.float32 and exponent in _SAFE_TO_SQUARE:
        return float(torch.linalg.vector_norm(chunk))
    # In two steps: 2^-exponent itself may be beyond float64.
    scaled = chunk.cpu().to(torch.float64) * 2.0 ** (-exponent // 2) * 2.0 ** (-exponent - -exponent // 2)
    norm = float(torch.linalg.vector_norm(scaled))
    return norm * 2.0 ** (exponent // 2) * 2.0 ** (exponent - exponent // 2)
