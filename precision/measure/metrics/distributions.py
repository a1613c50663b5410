"""How the errors of one output are distributed, binned where they are computed."""

import math
import sys

import numpy as np
import numpy.typing as npt
from torch import Tensor

from precision.formats import AnyFormat, ulp_format
from precision.measure.metrics.chunks import CHUNK_ELEMENTS, PairChunk, pair_chunks
from precision.measure.metrics.log_bins import BINNED, UNDER, ZERO, LogAxis, MagnitudeCounts, Magnitudes
from precision.measure.metrics.measures import SMALLEST_NORMAL
from precision.measure.metrics.statistics import domain_of, scaled_errors
from precision.results import ErrorDistributions, Histogram, Histogram2D

SIGNED_BINS = 101
"""Odd: the middle bin is centred on zero."""
MAX_LOG_BINS = 200
MAX_MAP_BINS = 64
_SAFE_SINGLE = 1e-30
"""float32 does not resolve narrower bins."""


def distributions(
    reference: Tensor,
    candidate: Tensor,
    fmt: AnyFormat,
) -> ErrorDistributions | None:
    """Histograms of the signed, absolute and ULP error, and error against magnitude; None if empty.

    Only pairs that are finite on both sides; without any, None. Bins contain their lower edge; the last one of the
    signed histogram its upper edge too. Exact zeros have no place on a log axis and are counted apart, and so is the
    thousandth of the elements with the smallest errors, or the hundredth where the axis would otherwise reach many
    octaves further down. The ULP is that of the candidate's format.
    """
    smallest_normal = domain_of(fmt).smallest_normal
    numeric = ulp_format(fmt)
    absolute, ulp, magnitude = MagnitudeCounts(), MagnitudeCounts(), MagnitudeCounts()
    largest = -math.inf
    for chunk in pair_chunks(reference, candidate, chunk_elements=CHUNK_ELEMENTS):
        absolute.add(array_of(chunk.abs_error))
        magnitude.add(array_of(chunk.reference.abs()))
        if numeric is not None:
            in_range = chunk.widened() if chunk.is_single and smallest_normal < SMALLEST_NORMAL else chunk
            ulp.add(array_of(scaled_errors(in_range, smallest_normal).mul_(2.0**numeric.mantissa_bits)))
        largest = max(largest, chunk.max_abs_error)
    if largest < 0:
        return None
    signed = _SignedCounts(largest, fmt)
    by_magnitude = _MagnitudeMap(x=magnitude.axis(MAX_MAP_BINS), y=absolute.axis(MAX_MAP_BINS))
    for chunk in pair_chunks(reference, candidate, chunk_elements=CHUNK_ELEMENTS):
        signed.add(array_of(chunk.error))
        by_magnitude.add(chunk)
    return ErrorDistributions(
        signed=signed.histogram(),
        absolute=absolute.histogram(MAX_LOG_BINS),
        ulp=ulp.histogram(MAX_LOG_BINS),
        error_by_magnitude=by_magnitude.histogram(),
    )


def array_of(x: Tensor) -> Magnitudes:
    """A tensor of float32 or float64, from any device, for NumPy."""
    array: Magnitudes = x.cpu().numpy()
    return array


class _SignedCounts:
    """Equal bins from -largest to +largest; a single one where they would have no width."""

    def __init__(self, largest: float, fmt: AnyFormat) -> None:
        largest = min(largest, sys.float_info.max)
        numeric = ulp_format(fmt)
        self._bins = SIGNED_BINS if largest > SIGNED_BINS * sys.float_info.min else 1
        self._half_width = largest or (1.0 if numeric is None else numeric.epsilon)
        self._edges = self._half_width * ((2 * np.arange(self._bins + 1, dtype=np.float64) - self._bins) / self._bins)
        self._counts: npt.NDArray[np.int64] = np.zeros(self._bins, dtype=np.int64)

    def add(self, error: Magnitudes) -> None:
        if self._bins == 1:
            self._counts += error.size
            return
        if error.dtype == np.float64 or self._half_width < _SAFE_SINGLE:
            error = np.clip(error, -self._half_width, self._half_width, dtype=np.float64)
        # Arithmetic may be off by one at an edge; close to one, the edges themselves decide.
        unsure = 1e-4 if error.dtype == np.float32 else 1e-9
        guess = error / error.dtype.type(self._half_width)
        guess += 1
        guess *= error.dtype.type(self._bins / 2)
        bins = guess.astype(np.int64)
        guess -= np.rint(guess)
        places = np.flatnonzero(np.abs(guess, out=guess) < unsure)
        exact = np.searchsorted(self._edges, error[places].astype(np.float64), side="right") - 1
        bins[places] = np.minimum(exact, self._bins - 1)
        self._counts += np.bincount(bins, minlength=self._bins)

    def histogram(self) -> Histogram:
        return Histogram(edges=tuple(self._edges.tolist()), counts=tuple(self._counts.tolist()))


class _MagnitudeMap:
    """Counts by the places of |r| (columns) and |e| (rows) on their axes."""

    def __init__(self, *, x: LogAxis, y: LogAxis) -> None:
        self._x, self._y = x, y
        self._counts: npt.NDArray[np.int64] = np.zeros((y.bins + BINNED, x.bins + BINNED), dtype=np.int64)

    def add(self, chunk: PairChunk) -> None:
        cells = self._y.places(array_of(chunk.abs_error))
        cells *= self._counts.shape[1]
        cells += self._x.places(array_of(chunk.reference.abs()))
        self._counts += np.bincount(cells, minlength=self._counts.size).reshape(self._counts.shape)

    def histogram(self) -> Histogram2D:
        counts = self._counts
        return Histogram2D(
            x_edges=self._x.edges,
            y_edges=self._y.edges,
            counts=tuple(tuple(row) for row in counts[BINNED:, BINNED:].tolist()),
            zero_error=tuple(counts[ZERO, BINNED:].tolist()),
            zero_reference=int(counts[:, ZERO].sum()),
            below=int(counts[:, UNDER].sum() + counts[UNDER, BINNED:].sum()),
        )
