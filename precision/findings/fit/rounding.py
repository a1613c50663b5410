"""What rounding to a format does to values of which only an exponent histogram is known."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from precision.formats import IntegerGrid, NumericFormat
from precision.results.ranges import ExponentHistogram


class Share(NamedTuple):
    """A share of the finite non-zero values that lies between two bounds; mostly they are equal."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Window:
    """The magnitudes that a format represents, or would represent of values multiplied by a power of two."""

    mantissa_bits: int
    min_exponent: int
    """Of the smallest normal value."""
    overflow_at: float
    """Halfway between the largest value and the next there would be."""
    tie_overflows: bool
    """Whether a value of exactly `overflow_at` rounds up."""

    @property
    def vanish_exponent(self) -> int:
        """Values of 2 to this power, half the smallest subnormal value, and below round to zero."""
        return self.min_exponent - self.mantissa_bits - 1

    def overflows(self, magnitude: float) -> bool:
        """Whether a value rounds to beyond the largest one."""
        return magnitude > self.overflow_at or (self.tie_overflows and magnitude == self.overflow_at)

    def of_values_times(self, exponent: int) -> Window:
        """The window as values see it that are multiplied by 2^exponent before they are rounded."""
        return Window(
            mantissa_bits=self.mantissa_bits,
            min_exponent=self.min_exponent - exponent,
            overflow_at=_ldexp(self.overflow_at, -exponent),
            tie_overflows=self.tie_overflows,
        )


def window_of(fmt: NumericFormat) -> Window:
    """The window of an unscaled format."""
    return Window(
        mantissa_bits=fmt.mantissa_bits,
        min_exponent=fmt.min_exponent,
        overflow_at=fmt.max + 2.0 ** (fmt.max_exponent - fmt.mantissa_bits - 1),
        tie_overflows=not fmt.max_is_even,
    )


def overflow_share(histogram: ExponentHistogram, window: Window) -> Share:
    """Share of values beyond the window.

    Exact, but for the values in the binade of the bound itself where the largest value is beyond it.
    """
    if not histogram.largest or not window.overflows(histogram.largest):
        return Share(0.0, 0.0)
    if histogram.smallest and window.overflows(histogram.smallest):
        return Share(1.0, 1.0)
    bound = math.frexp(window.overflow_at)[1] - 1
    surely = _count_from(histogram, bound + 1)
    within = _count_from(histogram, bound) - surely
    if histogram.last_exponent == bound:
        surely, within = 1, within - 1
    return Share(surely / histogram.nonzero, (surely + within) / histogram.nonzero)


def underflow_share(histogram: ExponentHistogram, window: Window) -> Share:
    """Share of values that round to zero.

    Exact, but for values of exactly the bound, half the smallest subnormal value, where smaller ones exist too: it
    is a power of two, so all other values of its binade are above it.
    """
    if not histogram.smallest or not histogram.largest:
        return Share(0.0, 0.0)
    bound = window.vanish_exponent
    surely = histogram.nonzero - _count_from(histogram, bound)
    within = _count_from(histogram, bound) - _count_from(histogram, bound + 1)
    if within and math.frexp(histogram.smallest) == (0.5, bound + 1):
        surely, within = surely + 1, within - 1
    elif histogram.first_exponent >= bound:
        within = 0
    if not histogram.mantissa_bits:  # powers of two only
        surely, within = surely + within, 0
    return Share(surely / histogram.nonzero, (surely + within) / histogram.nonzero)


def subnormal_share(histogram: ExponentHistogram, window: Window) -> Share:
    """Share of values below the smallest normal one that do not become zero; as exact as the underflow."""
    below = histogram.nonzero - _count_from(histogram, window.min_exponent)
    zero = underflow_share(histogram, window)
    share = below / histogram.nonzero if histogram.nonzero else 0.0
    return Share(max(share - zero.high, 0.0), max(share - zero.low, 0.0))


def best_scale_exponent(histogram: ExponentHistogram, window: Window) -> int:
    """The largest power of two by which all values can be multiplied without one overflowing; 0 without values."""
    if not histogram.largest or math.isinf(window.overflow_at):
        return 0
    bound, bound_exponent = math.frexp(window.overflow_at)
    largest, largest_exponent = math.frexp(histogram.largest)
    above = largest > bound or (largest == bound and window.tie_overflows)
    return bound_exponent - largest_exponent - above


def predicted_sqnr_db(histogram: ExponentHistogram, window: Window) -> float | None:
    """Signal to rounding noise, if the mantissas of each binade are spread evenly over the bits in use.

    10 log10(sum x^2 / sum n_e v_e), n_e the number of values from 2^e to 2^(e+1), v_e the mean squared error of
    rounding one of them. With spacing q = 2^(max(e, smallest normal exponent) - mantissa bits): v_e = q^2/12 as long
    as 2^e ≥ q/2, and below, where values vanish, their own mean square, (7/3) 4^e. Where values have only b mantissa
    bits and keep a of them, v_e = 0 if a ≥ b, else (q^2/12)(1 + 2/4^(b-a)): as if the lower bits were random.

    No rounding error is larger than q/2, so a measured SQNR is never more than 10 log10(3) = 4.8 dB below, however
    the mantissas are spread. Above it there is no bound: values that happen to be representable have no error.

    Infinite where all values are representable, 0 where all vanish. None where one overflows, which is no matter of
    rounding, and without non-zero values.

    Source: Widrow and Kollar, "Quantization Noise" (2008), chapter 12.
    """
    if not histogram.largest or not histogram.norm or math.isinf(histogram.norm) or window.overflows(histogram.largest):
        return None
    if histogram.largest <= _ldexp(1.0, window.vanish_exponent):
        return 0.0
    noise = _noise_by_lost_bits(window.mantissa_bits, histogram.mantissa_bits)
    exponents = np.arange(histogram.first_exponent, histogram.last_exponent + 1)
    lost = np.clip(window.min_exponent - exponents, 0, noise.size - 1)
    binades = np.ldexp(noise[lost], 2 * (exponents - histogram.last_exponent))
    return _ratio_db(histogram, float(binades @ np.asarray(histogram.counts, dtype=np.float64)))


@functools.lru_cache(maxsize=4096)
def _noise_by_lost_bits(mantissa_bits: int, used: int) -> npt.NDArray[np.float64]:
    """v_e in units of 4^e, by how many mantissa bits are lost to e being below the normal range."""
    steps = 2.0**used
    noise = []
    for kept in range(mantissa_bits, -1, -1):
        spacing = (1 + 2 * _ldexp(1.0, 2 * (kept - used))) / 12
        noise.append(0.0 if kept >= used else _ldexp(spacing, -2 * kept))
    # from half the smallest subnormal value, which vanishes, up to it
    noise.append((1 + 1 / steps) * (1 + 0.5 / steps) / 3)
    noise.append(1 + (steps - 1) / steps + (1 - 1 / steps) * (2 - 1 / steps) / 6)
    return np.asarray(noise)


def integer_underflow_share(histogram: ExponentHistogram, grid: IntegerGrid) -> Share:
    """Share of values that round to zero on a grid whose largest integer stands for the largest value."""
    if not histogram.largest or not histogram.smallest:
        return Share(0.0, 0.0)
    bound = histogram.largest / grid.max / 2
    if histogram.smallest > bound:
        return Share(0.0, 0.0)
    exponent = math.frexp(bound)[1] - 1
    surely = histogram.nonzero - _count_from(histogram, exponent)
    within = _count_from(histogram, exponent) - _count_from(histogram, exponent + 1)
    return Share(surely / histogram.nonzero, (surely + within) / histogram.nonzero)


def integer_sqnr_db(histogram: ExponentHistogram, grid: IntegerGrid) -> float | None:
    """Signal to rounding noise on a grid whose largest integer stands for the largest value.

    As `predicted_sqnr_db`, with one spacing q = largest / grid maximum for all, and with values taken to be spread
    evenly over each binade: v_e is the mean over it of the squared distance to the nearest multiple of q. Infinite
    where all values have one magnitude. None without non-zero values.
    """
    if not histogram.largest or not histogram.norm or math.isinf(histogram.norm):
        return None
    if histogram.smallest == histogram.largest:
        return math.inf
    top = _ldexp(histogram.largest, -histogram.last_exponent)
    spacing = top / grid.max
    noise = []
    for exponent, count in enumerate(histogram.counts, histogram.first_exponent):
        start = _ldexp(1.0, exponent - histogram.last_exponent)
        end = min(2 * start, top)
        if count and end > start:
            area = _squared_distance_integral(end, spacing) - _squared_distance_integral(start, spacing)
            noise.append(count * max(area, 0.0) / (end - start))
    return _ratio_db(histogram, math.fsum(noise))


def _squared_distance_integral(end: float, spacing: float) -> float:
    """Of the squared distance to the nearest multiple of `spacing`, from 0 to `end`."""
    whole = math.floor(end / spacing + 0.5)
    rest = end - whole * spacing
    return whole * spacing**3 / 12 + rest**3 / 3


def _ratio_db(histogram: ExponentHistogram, noise: float) -> float:
    """`noise` in units of 4^(last exponent)."""
    signal = _ldexp(histogram.norm or 0.0, -histogram.last_exponent)
    return 20 * math.log10(signal) - 10 * math.log10(noise) if noise else math.inf


def _count_from(histogram: ExponentHistogram, exponent: int) -> int:
    """How many values are at least 2^exponent."""
    return sum(histogram.counts[max(exponent - histogram.first_exponent, 0) :])


def _ldexp(value: float, exponent: int) -> float:
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.inf
