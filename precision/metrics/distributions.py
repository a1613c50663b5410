"""How the errors of one output are distributed, binned where they are computed."""

from __future__ import annotations

import math
import sys

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from precision.formats import NumericFormat
from precision.metrics.chunks import CHUNK_ELEMENTS, PairChunk, pair_chunks
from precision.metrics.log_bins import LogAxis, MagnitudeCounts
from precision.metrics.quantiles import QuantileSample
from precision.metrics.statistics import ulp_errors
from precision.results import Ecdf, ErrorDistributions, Histogram, Histogram2D

SIGNED_BINS = 101
"""Odd: the middle bin is centred on zero."""
MAX_LOG_BINS = 200
MAX_MAP_BINS = 64
ECDF_POINTS = 201


def distributions(
    reference: Tensor,
    candidate: Tensor,
    fmt: NumericFormat,
    *,
    sample: QuantileSample,
    chunk_elements: int = CHUNK_ELEMENTS,
) -> ErrorDistributions | None:
    """Histograms of the signed, absolute and ULP error, its ECDF, and error against magnitude; None if empty.

    Only pairs that are finite on both sides; without any, None. Bins contain their lower edge; the last one of the
    signed histogram its upper edge too. Exact zeros have no place on a log axis and are counted apart, and so is one
    percent of the elements where a log axis would have to reach many octaves further down for them.

    Args:
        reference: Real tensor of any shape.
        candidate: Tensor of the same shape.
        fmt: The candidate's format, for the ULP.
        sample: The absolute errors that the ECDF is taken from.
        chunk_elements: How many elements at a time; does not affect the result.
    """
    absolute, ulp, magnitude = MagnitudeCounts(), MagnitudeCounts(), MagnitudeCounts()
    largest = -math.inf
    scratch = torch.empty(chunk_elements, dtype=torch.float64)
    for chunk in pair_chunks(reference, candidate, chunk_elements=chunk_elements):
        part = scratch[: chunk.error.numel()]
        absolute.add(chunk.abs_error)
        ulp.add(ulp_errors(chunk, fmt, out=part))
        magnitude.add(torch.abs(chunk.reference, out=part))
        largest = max(largest, chunk.max_abs_error)
    if largest < 0:
        return None
    signed = _SignedCounts(largest, fmt)
    by_magnitude = _MagnitudeMap(x=magnitude.axis(MAX_MAP_BINS), y=absolute.axis(MAX_MAP_BINS))
    for chunk in pair_chunks(reference, candidate, chunk_elements=chunk_elements):
        signed.add(chunk.error)
        by_magnitude.add(chunk)
    return ErrorDistributions(
        signed=signed.histogram(),
        absolute=absolute.histogram(MAX_LOG_BINS),
        ulp=ulp.histogram(MAX_LOG_BINS),
        ecdf=_ecdf(sample),
        error_by_magnitude=by_magnitude.histogram(),
    )


class _SignedCounts:
    """Equal bins from -largest to +largest; a single one where they would have no width."""

    def __init__(self, largest: float, fmt: NumericFormat) -> None:
        largest = min(largest, sys.float_info.max)
        bins = SIGNED_BINS if largest > SIGNED_BINS * sys.float_info.min else 1
        half_width = largest or fmt.epsilon
        self._edges = half_width * ((2 * torch.arange(bins + 1, dtype=torch.float64) - bins) / bins)
        self._largest = half_width
        self._counts = torch.zeros(bins, dtype=torch.int64)

    def add(self, error: Tensor) -> None:
        bins = self._counts.numel()
        if bins == 1:
            self._counts += error.numel()
            return
        guess = torch.div(error, self._largest).add_(1).mul_(bins / 2).clamp_(min=0, max=bins - 1).to(torch.int64)
        # Arithmetic may be off by one at an edge; the edges themselves decide.
        guess -= (error < self._edges[guess]).to(torch.int64)
        guess += (error >= self._edges[guess + 1]).to(torch.int64)
        self._counts += torch.bincount(guess.clamp_(min=0, max=bins - 1), minlength=bins)

    def histogram(self) -> Histogram:
        return Histogram(edges=tuple(self._edges.tolist()), counts=tuple(self._counts.tolist()))


class _MagnitudeMap:
    """Counts by |r| and |e|; row 0 for errors of zero, column 0 for references of zero."""

    def __init__(self, *, x: LogAxis, y: LogAxis) -> None:
        self._x, self._y = x, y
        self._counts: npt.NDArray[np.int64] = np.zeros((y.bins + 1, x.bins + 1), dtype=np.int64)
        self._below = 0

    def add(self, chunk: PairChunk) -> None:
        columns = self._x.places(chunk.reference.abs())
        rows = self._y.places(chunk.abs_error)
        under = (columns < 0) | ((rows < 0) & (columns > 0))
        cells = rows.clamp_(min=0).mul_(self._x.bins + 1).add_(columns)
        if below := int(under.sum()):
            self._below += below
            cells = cells[~under]
        self._counts += torch.bincount(cells, minlength=self._counts.size).numpy().reshape(self._counts.shape)

    def histogram(self) -> Histogram2D:
        return Histogram2D(
            x_edges=self._x.edges,
            y_edges=self._y.edges,
            counts=tuple(tuple(row) for row in self._counts[1:, 1:].tolist()),
            zero_error=tuple(self._counts[0, 1:].tolist()),
            zero_reference=int(self._counts[:, 0].sum()),
            below=self._below,
        )


def _ecdf(sample: QuantileSample) -> Ecdf:
    points = min(ECDF_POINTS, sample.size)
    probabilities = tuple(i / (points - 1) for i in range(points)) if points > 1 else (1.0,) * points
    values = tuple(value for value in sample.quantiles(probabilities) if value is not None)
    return Ecdf(probabilities=probabilities, values=values)
