"""What a cast did to the values stored in one tensor."""

import math

import torch
from torch import Tensor

from precision.formats import AnyFormat, NumericFormat, ScaledFormat, format_named
from precision.measure.rounding import dtype_name
from precision.results import StoredValues

_BLOCK_ELEMENTS = 2**15
"""Compared at a time: the temporaries stay in the processor's cache, and no block is worth splitting over threads."""


def stored_values(before: Tensor, after: Tensor, *, fmt: AnyFormat | None = None, scaled: bool = False) -> StoredValues:
    """Compare the values of `before` with what a cast stored of them in `after`.

    Overflow is counted by the value before the cast, as a saturating cast leaves no trace of it, on both sides of
    zero. A true zero is no underflow. Non-finite values before count in `nonfinite_before` and, where they were
    infinite and are stored as the largest value, in `saturated`; they enter no error. Errors are |after - before| /
    |before| over the elements finite and non-zero before and finite after (None where there are none). Of a complex
    tensor they use the complex modulus, so a lost imaginary part shows. An empty tensor has counts of 0.

    Differences are taken in float32 where both dtypes fit in it (a value and its rounding are within a factor of
    two, so their difference is exact: Sterbenz 1974), else in float64; sums in float64.

    Args:
        before: floating-point or complex, any shape.
        after: floating-point or complex, the same shape.
        fmt: the format that `after` was rounded to, where its dtype merely holds the values; a scaled one has no
            range of its own, so that nothing saturates or becomes subnormal by rule: these counts are None.
        scaled: whether the values were scaled before they were rounded to `fmt`, whatever format that is.
    """
    scaled = scaled or isinstance(fmt, ScaledFormat)
    numeric = fmt if isinstance(fmt, NumericFormat) and not scaled else format_named(dtype_name(after.dtype.to_real()))
    wide = _wide(before.dtype, after.dtype)
    source, target = before.detach().cpu().reshape(-1), after.detach().cpu().reshape(-1)
    tally = _Tally(numeric, torch.finfo(before.dtype).smallest_normal)
    for start in range(0, source.numel(), _BLOCK_ELEMENTS):
        block = slice(start, start + _BLOCK_ELEMENTS)
        tally.add(source[block].to(wide), target[block].to(wide))
    return StoredValues(
        elements=source.numel(),
        became_nonfinite=tally.became_nonfinite,
        saturated=None if scaled else tally.saturated,
        became_zero=tally.became_zero,
        became_subnormal=None if scaled else tally.became_subnormal,
        nonfinite_before=tally.nonfinite_before,
        max_relative_error=tally.max_error if tally.errors else None,
        rms_relative_error=math.sqrt(tally.square_sum / tally.errors) if tally.errors else None,
        max_absolute_value=tally.max_absolute if source.numel() > tally.nonfinite_before else None,
    )


def _wide(before: torch.dtype, after: torch.dtype) -> torch.dtype:
    if before.is_complex:
        return torch.complex128
    return torch.float64 if torch.float64 in {before, after} else torch.float32


class _Tally:
    """Counts and error sums over blocks of one tensor; the usual block, all finite and in range, is never masked."""

    def __init__(self, fmt: NumericFormat, smallest_normal_before: float) -> None:
        self.fmt = fmt
        self.smallest_normal_before = smallest_normal_before
        self.became_nonfinite = self.saturated = self.became_zero = self.became_subnormal = 0
        self.nonfinite_before = self.errors = 0
        self.max_error = self.square_sum = self.max_absolute = 0.0

    def add(self, x: Tensor, y: Tensor) -> None:
        x_size, y_size = x.abs(), y.abs()
        (x_low, x_high), (y_low, y_high) = _extremes(x_size), _extremes(y_size)
        if not (x_high <= self.fmt.max and y_high <= self.fmt.max):
            self._add_beyond(x_size, y_size)
            finite = x_size.isfinite()
            x_high = _extremes(x_size[finite])[1]
            finite &= y_size.isfinite()
            x, y, x_size, y_size = x[finite], y[finite], x_size[finite], y_size[finite]
            (x_low, _), (y_low, _) = _extremes(x_size), _extremes(y_size)
        self.max_absolute = max(self.max_absolute, x_high)
        if y_low < self.fmt.smallest_normal:
            self._add_small(x_size, y_size, x_low)
        errors = _absolute(y - x).div_(x_size)
        self._add_errors(errors if x_low > 0 else errors[x_size > 0])

    def _add_beyond(self, x_size: Tensor, y_size: Tensor) -> None:
        self.nonfinite_before += _count(~x_size.isfinite())
        self.became_nonfinite += _count(x_size.isfinite() & ~y_size.isfinite())
        half_a_unit_above = self.fmt.max + 2.0 ** (self.fmt.max_exponent - self.fmt.mantissa_bits - 1)
        # a tie goes to the even neighbour: beyond the range where the largest mantissa is all ones
        beyond = x_size > half_a_unit_above if self.fmt.max_is_even else x_size >= half_a_unit_above
        self.saturated += _count(beyond & (y_size == self.fmt.max))

    def _add_small(self, x_size: Tensor, y_size: Tensor, x_low: float) -> None:
        """Count by differences, which takes few passes: a cast keeps every zero."""
        small, nonzero = y_size < self.fmt.smallest_normal, _count(y_size)
        self.became_zero += _count(x_size) - nonzero
        self.became_subnormal += _count(small) - (y_size.numel() - nonzero)
        if x_low < self.smallest_normal_before:
            self.became_subnormal -= _count(small & (y_size > 0) & (x_size < self.smallest_normal_before))

    def _add_errors(self, errors: Tensor) -> None:
        """Add relative errors, signed or not."""
        if errors.numel():
            low, high = _extremes(errors)
            self.errors += errors.numel()
            self.max_error = max(self.max_error, -low, high)
            self.square_sum += float(torch.linalg.vector_norm(errors, dtype=torch.float64)) ** 2


def _absolute(differences: Tensor) -> Tensor:
    """Something whose square is that of the modulus."""
    return differences.abs() if differences.is_complex() else differences


def _extremes(values: Tensor) -> tuple[float, float]:
    """Smallest and largest; NaN if one is; zeros of none."""
    if not values.numel():
        return 0.0, 0.0
    low, high = values.aminmax()
    return float(low), float(high)


def _count(values: Tensor) -> int:
    return int(values.count_nonzero())
