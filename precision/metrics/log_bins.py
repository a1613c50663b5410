"""Counting positive numbers by magnitude: finely and exactly first, in bins fit to be drawn afterwards."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from precision.results import Histogram

_SUB_BITS = 9
"""Leading mantissa bits in a fine bin: 512 to the octave."""
_SHIFT = 52 - _SUB_BITS
_OCTAVE = 1 << _SUB_BITS
_FINE_BINS = 2047 << _SUB_BITS
_BINS_PER_OCTAVE = (8, 4, 2, 1)
_TAIL = 0.01
"""Share of the smallest magnitudes that may lie under an axis …"""
_GAP_OCTAVES = 10
"""… where so wide a gap is between them and all others."""


def fine_bins(magnitudes: Tensor) -> Tensor:
    """The leading bits of each magnitude: an int64 that grows with it, 512 values to an octave.

    Zero is in bin 0 with the very smallest subnormals; infinity is in the bin of float64's largest value.

    Args:
        magnitudes: float64, non-negative, contiguous.
    """
    return torch.bitwise_right_shift(magnitudes.view(torch.int64), _SHIFT).clamp_(max=_FINE_BINS - 1)


class MagnitudeCounts:
    """Counts of magnitudes by fine bin, zeros apart."""

    def __init__(self) -> None:
        self._counts = np.zeros(_FINE_BINS, dtype=np.int64)
        self.zeros = 0

    def add(self, magnitudes: Tensor) -> None:
        """Count non-negative float64 magnitudes."""
        nonzero = magnitudes
        if magnitudes.numel() and float(magnitudes.amin()) == 0:
            nonzero = magnitudes[magnitudes != 0]
            self.zeros += magnitudes.numel() - nonzero.numel()
        if nonzero.numel():
            bins = fine_bins(nonzero)
            first = int(bins.amin())
            counts = torch.bincount(bins.sub_(first)).numpy()
            self._counts[first : first + counts.size] += counts

    def axis(self, max_bins: int) -> LogAxis:
        """An axis of at most `max_bins` bins over all that was counted but the zeros and a long thin tail to them."""
        occupied = np.flatnonzero(self._counts)
        if not occupied.size:
            return LogAxis((), max_bins)
        up_to = np.cumsum(self._counts[occupied])
        tail = occupied[: np.searchsorted(up_to, _TAIL * up_to[-1], side="right") + 1]
        after_gaps = tail[1:][np.diff(tail) > _GAP_OCTAVES * _OCTAVE]
        return LogAxis((int(after_gaps[-1] if after_gaps.size else occupied[0]), int(occupied[-1])), max_bins)

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

    As fine as `max_bins` allows: eighths of an octave, quarters, halves, octaves, groups of octaves.

    Args:
        ends: The lowest and the highest fine bin to cover; empty for an axis without bins.
        max_bins: At most so many bins.
    """

    def __init__(self, ends: Sequence[int], max_bins: int) -> None:
        self.starts: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
        """Fine bins at which the bins begin, and the end of the last."""
        if ends:
            self.starts = next(starts for starts in _candidates(*ends) if starts.size <= max_bins + 1)
        places = np.repeat(np.arange(self.bins), np.diff(self.starts))
        self._places = torch.from_numpy(places) if self.bins else torch.zeros(1, dtype=torch.int64)

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return max(0, self.starts.size - 1)

    @property
    def edges(self) -> tuple[float, ...]:
        """Values at which the bins begin, and the end of the last; positive and finite."""
        return tuple(_value(start) for start in self.starts.tolist())

    def places(self, magnitudes: Tensor) -> Tensor:
        """1 + the bin of each magnitude (int64), 0 for zeros, -1 under the axis. None may be above it."""
        first = int(self.starts[0]) if self.bins else 0
        within = fine_bins(magnitudes).sub_(first)
        under = within < 0
        places = self._places.index_select(0, within.clamp_(min=0, max=self._places.numel() - 1)).add_(1)
        return places.masked_fill_(under, -1).masked_fill_(magnitudes == 0, 0)


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
