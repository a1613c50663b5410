"""Sums that neither overflow nor depend on the order or the number of their parts."""

from __future__ import annotations

import math
from fractions import Fraction


class ExactSum:
    """The sum of floats, each times a power of two, rounded once; infinite once an infinite part was added."""

    def __init__(self) -> None:
        self._parts: list[float] = []
        self._scaled = Fraction(0)
        self._infinite = False

    def add(self, part: float, *, exponent: int = 0) -> None:
        """Add part · 2^exponent."""
        if math.isinf(part):
            self._infinite = True
        elif exponent:
            self._scaled += Fraction(part) * Fraction(2) ** exponent
        else:
            self._parts.append(part)

    def mean(self, n: int) -> float | None:
        """Sum / n as float64, inf beyond its range; None for n = 0."""
        if not n:
            return None
        return math.inf if self._infinite else to_float(self.value / n)

    @property
    def value(self) -> Fraction:
        """The finite parts' sum."""
        try:
            return Fraction(math.fsum(self._parts)) + self._scaled
        except OverflowError:
            return sum(map(Fraction, self._parts), self._scaled)


def to_float(value: Fraction) -> float:
    """The nearest float64 to a non-negative fraction, inf beyond its range."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def square_root(value: Fraction) -> float:
    """Square root of a non-negative fraction as float64, inf beyond its range; accurate to an ulp or two."""
    mantissa, half = _split(value)
    try:
        return math.ldexp(math.sqrt(mantissa), half)
    except OverflowError:
        return math.inf


def log10_square_root(value: Fraction) -> float:
    """log10 of the square root of a positive fraction."""
    mantissa, half = _split(value)
    return math.log10(mantissa) / 2 + half * math.log10(2)


def _split(value: Fraction) -> tuple[float, int]:
    """(m, h) with value = m · 4^h and m within the range where float64 is accurate; (0, 0) for 0."""
    if not value:
        return 0.0, 0
    half = (value.numerator.bit_length() - value.denominator.bit_length()) // 2
    if abs(half) < 100:  # no need to split, and none to lose accuracy in the logarithm
        half = 0
    return float(value / Fraction(4) ** half), half
