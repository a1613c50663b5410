"""Counting positive numbers by magnitude: finely and exactly first, then in bins for drawing."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from precision.results import Histogram

Magnitudes = npt.NDArray[np.float32] | npt.NDArray[np.float64]

_SUB_BITS = 9
"""Leading mantissa bits in a fine bin: 512 to the octave."""
_SHIFT = 52 - _SUB_BITS
_SINGLE_OFFSET = (1023 - 127) << _SUB_BITS
"""Between the exponent biases of float64 and float32."""
_OCTAVE = 1 << _SUB_BITS
_FINE_BINS = 2047 << _SUB_BITS
_BINS_PER_OCTAVE = (8, 4, 2, 1)
UNDER, ZERO, BINNED = 0, 1, 2
"""What a place on an axis means: under all bins, a zero, and the first of the bins."""
_TAIL, _LONG_TAIL = 0.001, 0.01
"""Share of the smallest magnitudes that may lie under an axis: the second one where they would make it much longer."""
_LONG_TAIL_OCTAVES = 10


def _leading_bits(magnitudes: Magnitudes) -> tuple[npt.NDArray[Any], int]:
    """An integer that grows with each magnitude, 512 values to an octave, and what to add to it for its fine bin.

    Right for all but float32's subnormals, which are below `_OCTAVE`.
    """
    if magnitudes.dtype == np.float32:
        return np.right_shift(magnitudes.view(np.int32), 23 - _SUB_BITS), _SINGLE_OFFSET
    return np.minimum(np.right_shift(magnitudes.view(np.int64), _SHIFT), _FINE_BINS - 1), 0


class MagnitudeCounts:
    """Counts of magnitudes by fine bin, zeros apart.

    A fine bin holds the magnitudes whose leading bits as float64 are the same, 512 to an octave; infinity is in that
    of float64's largest value.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(_FINE_BINS, dtype=np.int64)
        self.zeros = 0

    def add(self, magnitudes: Magnitudes) -> None:
        """Count non-negative magnitudes, float32 or float64, contiguous."""
        bits, offset = _leading_bits(magnitudes)
        zeros = np.flatnonzero(magnitudes == 0)
        if zeros.size == bits.size:
            self.zeros += zeros.size
            return
        # Zeros are counted where there is something else: in their own bin they would stretch the range to it.
        last = int(bits.max())
        bits[zeros] = last
        first = int(bits.min())
        if offset and first < _OCTAVE:
            self.add(magnitudes.astype(np.float64))
            return
        self.zeros += zeros.size
        counts = np.bincount(np.subtract(bits, first, dtype=np.int64))
        counts[last - first] -= zeros.size
        self._counts[first + offset : first + offset + counts.size] += counts

    def axis(self, max_bins: int) -> LogAxis:
        """An axis of at most `max_bins` bins, from the 0.1 % quantile of all that was counted but zeros to the maximum.

        It begins at the 1 % quantile where that is many octaves higher: a channel of an output may be as good as dead.
        """
        occupied = np.flatnonzero(self._counts)
        if not occupied.size:
            return LogAxis((), max_bins)
        up_to = np.cumsum(self._counts[occupied])
        first, shorter = (
            int(occupied[np.searchsorted(up_to, tail * up_to[-1], side="right")]) for tail in (_TAIL, _LONG_TAIL)
        )
        if shorter - first > _LONG_TAIL_OCTAVES * _OCTAVE:
            first = shorter
        return LogAxis((first, int(occupied[-1])), max_bins)

    def histogram(self, max_bins: int) -> Histogram:
        """The counts, gathered into at most `max_bins` bins of nearly equal width on a log axis."""
        axis = self.axis(max_bins)
        if not axis.bins:
            return Histogram(edges=(), counts=(), zeros=self.zeros, log=True)
        gathered = np.add.reduceat(self._counts[: axis.starts[-1]], axis.starts[:-1])
        return Histogram(
            edges=axis.edges,
            counts=tuple(gathered.tolist()),
            zeros=self.zeros,
            log=True,
            below=int(self._counts[: axis.starts[0]].sum()),
        )


class LogAxis:
    """Bins of nearly equal width on a log axis, each a run of whole fine bins, so that counts are exact.

    As fine as `max_bins` allows: eighths of an octave, quarters, halves, octaves, groups of octaves. `ends` are the
    lowest and the highest fine bin to cover; empty for an axis without bins.
    """

    def __init__(self, ends: Sequence[int], max_bins: int) -> None:
        self.starts: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
        """Fine bins at which the bins begin, and the end of the last."""
        if ends:
            self.starts = next(starts for starts in _candidates(*ends) if starts.size <= max_bins + 1)
        self._first = int(self.starts[0]) if self.bins else 0
        places = np.repeat(np.arange(self.bins), np.diff(self.starts)) + BINNED
        self._places = np.concatenate([np.array([UNDER]), places])

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return max(0, self.starts.size - 1)

    @property
    def edges(self) -> tuple[float, ...]:
        """Values at which the bins begin, and the end of the last; positive and finite."""
        return tuple(_value(start) for start in self.starts.tolist())

    def places(self, magnitudes: Magnitudes) -> npt.NDArray[np.intp]:
        """`BINNED` + the bin of each magnitude, `ZERO` for zeros, `UNDER` under the axis. None may be above it."""
        bits, offset = _leading_bits(magnitudes)
        if offset and self._first < offset + _OCTAVE:
            return self.places(magnitudes.astype(np.float64))
        within = np.subtract(bits, self._first - 1 - offset, dtype=np.int64)
        places: npt.NDArray[np.intp] = np.take(self._places, within, mode="clip")
        places[np.flatnonzero(magnitudes == 0)] = ZERO
        return places


def _candidates(first: int, last: int) -> Iterator[npt.NDArray[np.int64]]:
    """Starts of the bins between two fine bins, from the finest division to the coarsest."""
    low, high = first >> _SUB_BITS, (last >> _SUB_BITS) + 1
    for per_octave in _BINS_PER_OCTAVE:
        within = np.rint(_OCTAVE * (2.0 ** (np.arange(per_octave) / per_octave) - 1)).astype(np.int64)
        starts = np.append((np.arange(low, high)[:, None] * _OCTAVE + within).ravel(), high * _OCTAVE)
        yield starts[np.searchsorted(starts, first, side="right") - 1 : np.searchsorted(starts, last, side="right") + 1]
    octaves = 2
    while True:
        groups = np.arange(low // octaves, -(-high // octaves) + 1)
        yield np.minimum(groups * octaves * _OCTAVE, _FINE_BINS)
        octaves *= 2


def _value(fine_bin: int) -> float:
    value: float = struct.unpack("<d", struct.pack("<q", fine_bin << _SHIFT))[0]
    smallest_positive = 5e-324
    return min(max(value, smallest_positive), sys.float_info.max)
