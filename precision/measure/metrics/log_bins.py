"""Counting positive numbers by size: in eighths of octaves first, then in bins for drawing."""

from __future__ import annotations

import math
import sys

import numpy as np
import numpy.typing as npt

from precision.results import Histogram

Magnitudes = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Sizes = npt.NDArray[np.int64]
"""Of each magnitude: 0 for a zero, else `EIGHTHS` · (floor(log2) + 1075) + the eighth of that octave."""

EIGHTHS = 8
_MANTISSA_BITS = 9
_STARTS = np.rint((1 << _MANTISSA_BITS) * (2.0 ** (np.arange(EIGHTHS) / EIGHTHS) - 1)).astype(np.int64)
"""Leading mantissa bits at which the eighths begin: exact in every dtype, and within 0.1 % of an even width."""
_EIGHTH = np.searchsorted(_STARTS, np.arange(1 << _MANTISSA_BITS), side="right") - 1
OCTAVE_OF_ONE = 1075
"""Float64's smallest number, 2^-1074, begins the first octave: that before it is of zeros."""
SIZES = EIGHTHS * (OCTAVE_OF_ONE + 1024)
_LOWEST = EIGHTHS * (OCTAVE_OF_ONE - 1023)
"""What float64 has no normal number for is drawn as one octave: eighths of those below would be smaller than any."""
SINGLE_STARTS: tuple[int, ...] = tuple(int(start) << (23 - _MANTISSA_BITS) for start in _STARTS)
"""The same, of the mantissa of float32."""
UNDER, ZERO, BINNED = 0, 1, 2
"""What a place on an axis means: under all bins, a zero, and the first of the bins."""
_TAIL, _LONG_TAIL = 0.001, 0.01
"""Share of the smallest magnitudes that may lie under an axis: the second one where they would make it much longer."""
_LONG_TAIL_OCTAVES = 10


def sizes_of(magnitudes: Magnitudes) -> Sizes:
    """The size of each non-negative magnitude; infinity has that of float64's largest value."""
    values = np.ascontiguousarray(magnitudes, dtype=np.float64)
    leading = np.minimum(values, sys.float_info.max).view(np.int64) >> (52 - _MANTISSA_BITS)
    octaves = leading >> _MANTISSA_BITS
    sizes: Sizes = (octaves + (OCTAVE_OF_ONE - 1023)) * EIGHTHS
    sizes += np.take(_EIGHTH, leading & ((1 << _MANTISSA_BITS) - 1))
    few = np.flatnonzero(octaves == 0)  # zeros, and subnormals, whose exponent field says nothing
    if few.size:
        small = values[few]
        sizes[few] = np.where(small == 0, 0, sizes_of(small * 2.0**64) - 64 * EIGHTHS) if small.any() else 0
    return sizes


class SizeCounts:
    """Counts of magnitudes by size, zeros apart."""

    def __init__(self) -> None:
        self._counts = np.zeros(SIZES, dtype=np.int64)

    @property
    def zeros(self) -> int:
        """How many were zero."""
        return int(self._counts[0])

    def add(self, sizes: Sizes, counts: npt.NDArray[np.int64]) -> None:
        """So many of each size; a size may come again."""
        np.add.at(self._counts, drawn(sizes), counts)

    def axis(self, max_bins: int) -> LogAxis:
        """An axis of at most `max_bins` bins, from the 0.1 % quantile of all that was counted but zeros to the maximum.

        It begins at the 1 % quantile where that is many octaves higher: a channel of an output may be as good as dead.
        """
        occupied = np.flatnonzero(self._counts[1:]) + 1
        if not occupied.size:
            return LogAxis(None, max_bins)
        up_to = np.cumsum(self._counts[occupied])
        first, shorter = (
            int(occupied[np.searchsorted(up_to, tail * up_to[-1], side="right")]) for tail in (_TAIL, _LONG_TAIL)
        )
        if shorter - first > _LONG_TAIL_OCTAVES * EIGHTHS:
            first = shorter
        return LogAxis((first, int(occupied[-1])), max_bins)

    def histogram(self, max_bins: int) -> Histogram:
        """The counts, gathered into at most `max_bins` bins of nearly equal width on a log axis."""
        axis, occupied = self.axis(max_bins), np.flatnonzero(self._counts)
        gathered = np.zeros(BINNED + axis.bins, dtype=np.int64)
        np.add.at(gathered, axis.places(occupied), self._counts[occupied])
        return Histogram(
            edges=axis.edges,
            counts=tuple(gathered[BINNED:].tolist()),
            zeros=self.zeros,
            log=True,
            below=int(gathered[UNDER]),
        )


def drawn(sizes: Sizes) -> Sizes:
    """Sizes as they are drawn: those below float64's normal numbers in one."""
    found: Sizes = np.where(sizes > 0, np.clip(sizes, _LOWEST, SIZES - 1), 0)
    return found


class LogAxis:
    """Bins of nearly equal width on a log axis, each a run of whole eighths, so that counts are exact.

    As fine as `max_bins` allows: eighths of an octave, quarters, halves, octaves, groups of octaves. `ends` are the
    smallest and the largest size to cover; None for an axis without bins.
    """

    def __init__(self, ends: tuple[int, int] | None, max_bins: int) -> None:
        self._step, self._first, self.bins = 1, 0, 0
        if ends is None:
            return
        low, high = ends
        while high // self._step - low // self._step >= max_bins:
            self._step *= 2
        self._first = low // self._step
        self.bins = high // self._step + 1 - self._first
        """How many bins there are."""

    @property
    def edges(self) -> tuple[float, ...]:
        """Values at which the bins begin, and the end of the last; positive and finite."""
        if not self.bins:
            return ()
        return tuple(_value((self._first + place) * self._step) for place in range(self.bins + 1))

    def places(self, sizes: Sizes) -> Sizes:
        """`BINNED` + the bin of each size as drawn, `ZERO` for zeros, `UNDER` under the axis. None may be above it."""
        within = np.maximum(sizes // self._step - self._first, UNDER - BINNED) + BINNED
        found: Sizes = np.where(sizes == 0, ZERO, np.where(within < BINNED, UNDER, within))
        return found


def _value(size: int) -> float:
    if size <= _LOWEST:
        return sys.float_info.min * sys.float_info.epsilon
    if size >= SIZES:
        return sys.float_info.max
    octave, eighth = divmod(size, EIGHTHS)
    return math.ldexp(1 + int(_STARTS[eighth]) / (1 << _MANTISSA_BITS), octave - OCTAVE_OF_ONE)
