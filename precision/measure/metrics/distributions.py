"""How the errors of one output are distributed, binned where they are computed."""

import math
import sys

import numpy as np
import numpy.typing as npt
from torch import Tensor

from precision.formats import AnyFormat, NumericFormat, ulp_format
from precision.measure.metrics.chunks import PairChunk, pair_chunks
from precision.measure.metrics.log_bins import (
    BINNED,
    EIGHTHS,
    OCTAVE_OF_ONE,
    UNDER,
    ZERO,
    LogAxis,
    SizeCounts,
    Sizes,
    drawn,
)
from precision.measure.metrics.pair_sizes import PairSizes
from precision.measure.metrics.spans import raw_bits
from precision.results import ErrorDistributions, Histogram, Histogram2D

SIGNED_BINS = 101
"""Odd: the middle bin is centred on zero."""
MAX_LOG_BINS = 200
MAX_MAP_BINS = 64
_SAFE_SINGLE = 1e-30
"""float32 resolves bins of wider errors, and of narrower ones than its reciprocal."""


def distributions(
    reference: Tensor, candidate: Tensor, fmt: AnyFormat, *, sizes: PairSizes, largest: float
) -> ErrorDistributions:
    """Histograms of the signed, absolute and ULP error, and error against magnitude.

    Only pairs that are finite on both sides, of which there is one. Bins contain their lower edge; the last one of the
    signed histogram its upper edge too. Exact zeros have no place on a log axis and are counted apart, and so is the
    thousandth of the elements with the smallest errors, or the hundredth where the axis would otherwise reach many
    octaves further down. The ULP is that of the candidate's format.

    Args:
        reference: Of the trusted model.
        candidate: Of the model under test, of the same shape.
        fmt: The candidate's format.
        sizes: Of all chunks of the pair.
        largest: The largest absolute error.
    """
    errors, references, counts = sizes.cells()
    absolute, ulp, magnitude = SizeCounts(), SizeCounts(), SizeCounts()
    absolute.add(errors, counts)
    magnitude.add(references, counts)
    numeric = ulp_format(fmt)
    if numeric is not None:
        ulp.add(_in_ulps(errors, references, numeric), counts)
    signed = _SignedCounts(largest, fmt)
    for chunk in pair_chunks(reference, candidate):
        signed.add(chunk)
    return ErrorDistributions(
        signed=signed.histogram(),
        absolute=absolute.histogram(MAX_LOG_BINS),
        ulp=ulp.histogram(MAX_LOG_BINS),
        error_by_magnitude=_map(
            drawn(errors), drawn(references), counts, x=magnitude.axis(MAX_MAP_BINS), y=absolute.axis(MAX_MAP_BINS)
        ),
    )


def _in_ulps(errors: Sizes, references: Sizes, fmt: NumericFormat) -> Sizes:
    """Sizes of errors in units of 2^(max(floor(log2|r|), min exponent) - mantissa bits): whole octaves away."""
    normal = OCTAVE_OF_ONE + math.frexp(fmt.smallest_normal)[1] - 1
    octaves = np.maximum(references // EIGHTHS, normal) - OCTAVE_OF_ONE - fmt.mantissa_bits
    found: Sizes = np.where(errors == 0, 0, np.maximum(errors - octaves * EIGHTHS, 1))
    return found


class _SignedCounts:
    """Equal bins from -largest to +largest; a single one where they would have no width."""

    def __init__(self, largest: float, fmt: AnyFormat) -> None:
        largest = min(largest, sys.float_info.max)
        numeric = ulp_format(fmt)
        self._bins = SIGNED_BINS if largest > SIGNED_BINS * sys.float_info.min else 1
        self._half_width = largest or (1.0 if numeric is None else numeric.epsilon)
        self._edges = self._half_width * ((2 * np.arange(self._bins + 1, dtype=np.float64) - self._bins) / self._bins)
        self._counts: npt.NDArray[np.int64] = np.zeros(self._bins, dtype=np.int64)

    def add(self, chunk: PairChunk) -> None:
        if self._bins == 1:
            self._counts += chunk.raw[0].numel()
        elif chunk.is_compiled and _SAFE_SINGLE < self._half_width < 1 / _SAFE_SINGLE:
            from precision.measure.metrics import counting_kernels as kernels  # only where there is much to count

            counts = np.zeros((kernels.BIN_LANES, self._bins), dtype=np.int64)
            kernels.count_signed(raw_bits(chunk.raw[0]), raw_bits(chunk.raw[1]), self._edges, counts)
            self._counts += counts.sum(axis=0)
        else:
            self._add(chunk.widened().error.cpu().numpy())

    def _add(self, error: npt.NDArray[np.float64]) -> None:
        error = np.clip(error, -self._half_width, self._half_width)
        # Arithmetic may be off by one at an edge; close to one, the edges themselves decide.
        guess = error / self._half_width
        guess += 1
        guess *= self._bins / 2
        bins = guess.astype(np.int64)
        guess -= np.rint(guess)
        places = np.flatnonzero(np.abs(guess, out=guess) < 1e-9)
        exact = np.searchsorted(self._edges, error[places], side="right") - 1
        bins[places] = np.minimum(exact, self._bins - 1)
        self._counts += np.bincount(bins, minlength=self._bins)

    def histogram(self) -> Histogram:
        return Histogram(edges=tuple(self._edges.tolist()), counts=tuple(self._counts.tolist()))


def _map(errors: Sizes, references: Sizes, counts: npt.NDArray[np.int64], *, x: LogAxis, y: LogAxis) -> Histogram2D:
    """Counts by the places of |r| (columns) and |e| (rows) on their axes."""
    cells = np.zeros((y.bins + BINNED, x.bins + BINNED), dtype=np.int64)
    np.add.at(cells, (y.places(errors), x.places(references)), counts)
    return Histogram2D(
        x_edges=x.edges,
        y_edges=y.edges,
        counts=tuple(tuple(row) for row in cells[BINNED:, BINNED:].tolist()),
        zero_error=tuple(cells[ZERO, BINNED:].tolist()),
        zero_reference=int(cells[:, ZERO].sum()),
        below=int(cells[:, UNDER].sum() + cells[UNDER, BINNED:].sum()),
    )
