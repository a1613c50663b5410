"""The sums, maxima and counts of float32 chunks, added up."""

import math
from collections.abc import Sequence

from precision.measure.metrics.chunks import PairChunk
from precision.measure.metrics.measures import Measures

_NEGLIGIBLE_SQUARE = 2.0**-103
"""Sums of squares of at least this per element lost less than 1e-7 of themselves to underflow."""
_COSINE_SAFE_SHARE = 1 / 16
"""As long as the error's square is at most this share of the reference's, r·y and y·y lose nothing where they are
taken from r·r, r·e and e·e; and a cosine close to 1 keeps its distance from it."""


class SingleTotals:
    """Of all float32 chunks measured. Sums have a relative error below 1e-6; counts and the largest error are exact."""

    def __init__(self) -> None:
        self.rr, self.ry, self.yy, self.ee, self.abs_error = 0.0, 0.0, 0.0, 0.0, 0.0
        self.below = 0
        """Pairs with y < r."""
        self.equal = 0
        self.outside = 0
        """Pairs outside the tolerance; 0 where there is none."""
        self.small = 0
        """Pairs with |r| below the smallest normal."""
        self.small_abs_error, self.max_small = 0.0, 0.0
        self.relative, self.max_relative = 0.0, 0.0
        """Of |e|/|r| over the other pairs."""
        self.scaled, self.max_scaled = 0.0, 0.0
        """Of |e| / max(2^floor(log2|r|), smallest normal): the ULP error but for a power of two."""
        self.max_error = -math.inf
        self.max_place = 0
        """Of the first largest error."""


class SinglePrecision:
    """Adds up what was measured of float32 chunks."""

    def __init__(self) -> None:
        self.totals = SingleTotals()

    def add(self, chunk: PairChunk, measures: Measures) -> bool:
        """Add `chunk` to the totals, unless float32 overflowed on the way, or underflowed so far that it shows."""
        if not self._add(measures.found, chunk):
            return False
        if measures.max_abs_error > self.totals.max_error:
            self.totals.max_error = measures.max_abs_error
            self.totals.max_place = chunk.start + measures.max_place
        return True

    def _add(self, found: Sequence[float], chunk: PairChunk) -> bool:
        rr, re, ee, ry, yy, abs_error, relative, scaled, small_abs, *others = found
        tiny = chunk.elements * _NEGLIGIBLE_SQUARE
        if not rr + ee + relative + scaled < math.inf or (ee < tiny and chunk.max_abs_error > 0):
            return False
        if rr < tiny and chunk.raw[0].any():
            return False
        if ee <= _COSINE_SAFE_SHARE * rr:
            ry, yy = rr + re, rr + 2 * re + ee
        elif not yy < math.inf or (yy < tiny and chunk.raw[1].any()):
            return False
        max_relative, max_scaled, max_small, below, equal, small, outside = others
        sums = self.totals
        sums.rr, sums.ry, sums.yy, sums.ee = sums.rr + rr, sums.ry + ry, sums.yy + yy, sums.ee + ee
        sums.abs_error += abs_error
        sums.below, sums.equal = sums.below + int(below), sums.equal + int(equal)
        sums.small, sums.outside = sums.small + int(small), sums.outside + int(outside)
        sums.small_abs_error, sums.max_small = sums.small_abs_error + small_abs, max(sums.max_small, max_small)
        sums.relative, sums.max_relative = sums.relative + relative, max(sums.max_relative, max_relative)
        sums.scaled, sums.max_scaled = sums.scaled + scaled, max(sums.max_scaled, max_scaled)
        return True
