"""Sums with an exponent of their own, so that squares of any float64 numbers neither overflow nor vanish."""

from __future__ import annotations

import math


class ScaledSum:
    """A sum of floats, each times a power of two; infinite once an infinite part was added.

    Each addition rounds as float64 does; nothing overflows or underflows.
    """

    def __init__(self) -> None:
        self._mantissa = 0.0
        self._exponent = 0
        self._infinite = False

    def add(self, part: float, *, exponent: int = 0) -> None:
        """Add part · 2^exponent."""
        if math.isinf(part):
            self._infinite = True
            return
        mantissa, more = math.frexp(part)
        exponent += more
        if not self._mantissa:
            self._mantissa, self._exponent = mantissa, exponent
        elif mantissa:
            top = max(exponent, self._exponent)
            summed = math.ldexp(self._mantissa, self._exponent - top) + math.ldexp(mantissa, exponent - top)
            self._mantissa, more = math.frexp(summed)
            self._exponent = top + more

    def __bool__(self) -> bool:
        """Whether the sum is not zero."""
        return self._infinite or bool(self._mantissa)

    def mean(self, n: int, *, times: float = 1.0) -> float | None:
        """times · sum / n, inf beyond float64's range; None for n = 0."""
        if not n:
            return None
        return math.inf if self._infinite else _ldexp(self._mantissa / n * times, self._exponent)

    def root_mean(self, n: int) -> float | None:
        """Square root of sum / n, inf beyond float64's range; None for n = 0."""
        if not n:
            return None
        return math.inf if self._infinite else _ldexp(*_root(self._mantissa / n, self._exponent))

    def root_of_ratio(self, to: ScaledSum) -> float:
        """Square root of this sum over another one, which is not zero; inf beyond float64's range."""
        return _ldexp(*self._ratio_root(to))

    def ratio(self, to: ScaledSum) -> float:
        """This sum over another one, which is not zero; inf beyond float64's range."""
        return _ldexp(self._mantissa / to._mantissa, self._exponent - to._exponent)

    def log10_of_ratio_root(self, to: ScaledSum) -> float:
        """log10 of the square root of this sum over another; neither is zero."""
        mantissa, exponent = self._ratio_root(to)
        return math.log10(mantissa) + exponent * math.log10(2)

    def cosine(self, first: ScaledSum, second: ScaledSum) -> float:
        """This sum over the square root of the product of two others, clamped to [-1, 1]."""
        product = first._mantissa * second._mantissa
        mantissa, exponent = _root(product, first._exponent + second._exponent)
        return min(1.0, max(-1.0, _ldexp(self._mantissa / mantissa, self._exponent - exponent)))

    def _ratio_root(self, to: ScaledSum) -> tuple[float, int]:
        return _root(self._mantissa / to._mantissa, self._exponent - to._exponent)


def _root(mantissa: float, exponent: int) -> tuple[float, int]:
    odd = exponent % 2
    return math.sqrt(math.ldexp(mantissa, odd)), (exponent - odd) // 2


def _ldexp(mantissa: float, exponent: int) -> float:
    try:
        return math.ldexp(mantissa, exponent)
    except OverflowError:
        return math.copysign(math.inf, mantissa)
