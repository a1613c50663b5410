"""Absolute errors counted by octave: the histogram that is cheap enough for every layer of a model."""

import numpy as np
import numpy.typing as npt

from precision.measure.metrics.chunks import PairChunk
from precision.results.layers import ErrorOctaves

MAX_OCTAVES = 32
"""Kept, from that of the largest error downwards."""
_BIAS, _SINGLE_BIAS = 1023, 127


class OctaveCounts:
    """How many finite pairs have an absolute error in [2^k, 2^(k+1)), and how many have none.

    A difference of finite values beyond float64's range counts as in its last octave.
    """

    def __init__(self) -> None:
        self._counts: npt.NDArray[np.int64] = np.zeros(2048, dtype=np.int64)
        """By float64's exponent field."""
        self._zeros = 0

    def add(self, chunk: PairChunk) -> None:
        """Count one chunk."""
        measures = chunk.measures
        if measures is not None and measures.octaves[0] == measures.equal:
            octaves = measures.octaves.copy()
            octaves[0] = 0
            first = _BIAS - _SINGLE_BIAS
            self._counts[first : first + octaves.size] += octaves
            self._zeros += measures.equal
            return
        # There are float32 subnormals, whose exponent field says nothing.
        errors = chunk.abs_error.cpu().numpy().astype(np.float64)
        # Errors are not negative: no sign bit.
        self._counts += np.bincount(np.right_shift(errors.view(np.int64), 52), minlength=self._counts.size)
        zeros = int(np.count_nonzero(errors == 0))
        self._counts[0] -= zeros
        self._zeros += zeros

    def result(self) -> ErrorOctaves:
        """The octaves from that of the largest error down to the smallest, or `MAX_OCTAVES` of them."""
        counts = self._counts.copy()
        counts[2046] += counts[2047]
        counts[2047] = 0
        occupied = np.flatnonzero(counts)
        if not occupied.size:
            return ErrorOctaves(first=0, counts=(), zeros=self._zeros)
        last = int(occupied[-1])
        first = max(int(occupied[0]), last + 1 - MAX_OCTAVES)
        return ErrorOctaves(
            first=first - _BIAS,
            counts=tuple(counts[first : last + 1].tolist()),
            zeros=self._zeros,
            below=int(counts[:first].sum()),
        )
