"""The sums, maxima and counts of float32 chunks, added up."""

import math
from typing import Literal, get_args

from precision.measure.metrics.chunks import PairChunk
from precision.measure.metrics.measures import Measures

_NEGLIGIBLE_SQUARE = 2.0**-103
"""Sums of squares of at least this per element lost less than 1e-7 of themselves to underflow."""
_COSINE_SAFE_SHARE = 1 / 16
"""As long as the error's square is at most this share of the reference's, r·y and y·y lose nothing where they are
taken from r·r, r·e and e·e; and a cosine close to 1 keeps its distance from it."""

Maximum = Literal["relative", "scaled", "small"]
Sum = Literal["rr", "re", "ry", "yy", "ee", "signed", "error"] | Maximum
"""Of r·r, r·e, r·y, y·y, e·e, e and |e|; `relative`: of |e|/|r| where |r| is at least the smallest normal; `scaled`: of
|e| / max(2^floor(log2|r|), smallest normal), the ULP error but for a power of two; `small`: of the other |e|."""
Count = Literal["below", "equal", "small", "outside"]
"""Pairs with y < r, with y = r, with |r| below the smallest normal, and outside the tolerance (0 without one)."""
MAXIMA: tuple[Maximum, ...] = get_args(Maximum)
SUMS: tuple[Sum, ...] = ("rr", "re", "ry", "yy", "ee", "signed", "error", *MAXIMA)
COUNTS: tuple[Count, ...] = get_args(Count)


class SinglePrecision:
    """Adds up what was measured of float32 chunks.

    Sums have a relative error below 1e-6; counts and the largest error are exact.
    """

    def __init__(self) -> None:
        self.sums = dict.fromkeys(SUMS, 0.0)
        self.maxima = dict.fromkeys(MAXIMA, 0.0)
        self.counts = dict.fromkeys(COUNTS, 0)
        self.max_error = -math.inf
        self.max_place = 0
        """Of the first largest error."""

    def add(self, chunk: PairChunk, measures: Measures) -> bool:
        """Add `chunk`, unless float32 overflowed on the way, or underflowed so far that it shows: then False."""
        rr, re, ee, ry, yy, signed, error, relative, scaled, small, *others = measures.found
        tiny = chunk.elements * _NEGLIGIBLE_SQUARE
        if not rr + ee + relative + scaled < math.inf or (ee < tiny and chunk.max_abs_error > 0):
            return False
        if rr < tiny and chunk.raw[0].any():
            return False
        if ee <= _COSINE_SAFE_SHARE * rr:
            ry, yy = rr + re, rr + 2 * re + ee
        elif not yy < math.inf or (yy < tiny and chunk.raw[1].any()):
            return False
        parts = (rr, re, ry, yy, ee, signed, error, relative, scaled, small)
        for name, part in zip(SUMS, parts, strict=True):
            self.sums[name] += part
        for maximum, largest in zip(MAXIMA, others, strict=False):
            self.maxima[maximum] = max(self.maxima[maximum], largest)
        for count, pairs in zip(COUNTS, others[len(MAXIMA) :], strict=True):
            self.counts[count] += int(pairs)
        if measures.max_abs_error > self.max_error:
            self.max_error = measures.max_abs_error
            self.max_place = chunk.start + measures.max_place
        return True
