"""The sums, maxima and counts of float32 chunks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from precision.metrics.chunks import PairChunk

SMALLEST_NORMAL = 2.0**-126
"""Of float32."""
_NEGLIGIBLE_SQUARE = 2.0**-103
"""Sums of squares of at least this per element lost less than 1e-7 of themselves to underflow."""
_COSINE_SAFE_SHARE = 1 / 16
"""As long as the error's square is at most this share of the reference's, r·y and y·y lose nothing where they are
taken from r·r, r·e and e·e; and a cosine close to 1 keeps its distance from it."""


@dataclass(frozen=True, kw_only=True)
class Domain:
    """What a format says about errors."""

    smallest_normal: float
    """Errors relative to references smaller than this are not taken."""
    relative_tolerance: float | None
    absolute_tolerance: float | None

    @property
    def fits_single(self) -> bool:
        """Whether float32 resolves what the format resolves."""
        return SMALLEST_NORMAL <= self.smallest_normal <= 1.0


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
    """Measures float32 chunks, one after the other.

    Args:
        domain: of the candidate's format; `fits_single`.
    """

    def __init__(self, domain: Domain) -> None:
        rtol, atol = domain.relative_tolerance, domain.absolute_tolerance
        rtol, atol = (0.0, math.inf) if rtol is None or atol is None else (rtol, atol)
        self._limits = np.array([rtol, atol, domain.smallest_normal], dtype=np.float32)
        self._tolerances = np.array([atol, rtol])
        self._largest = np.array([-math.inf, 0.0])
        self.totals = SingleTotals()

    def measure(self, chunk: PairChunk) -> bool:
        """Add `chunk` to the totals, unless float32 overflows on the way, or underflows so far that it shows."""
        from precision.metrics import kernels  # only where there is much to measure: it takes a second to compile

        r, y = chunk.reference.numpy(), chunk.candidate.numpy()
        found = np.zeros(kernels.FOUND)
        before = self._largest[0]
        kernels.measure(r, y, self._limits, self._tolerances, found, self._largest)
        if self._largest[0] > before:
            self.totals.max_error = float(self._largest[0])
            self.totals.max_place = chunk.start + int(self._largest[1])
        return self._add(found.tolist(), r, y, has_error=chunk.max_abs_error > 0)

    def _add(
        self, found: list[float], r: npt.NDArray[np.float32], y: npt.NDArray[np.float32], *, has_error: bool
    ) -> bool:
        rr, re, ee, ry, yy, abs_error, relative, scaled, small_abs, *others = found
        tiny = r.size * _NEGLIGIBLE_SQUARE
        if not rr + ee + relative + scaled < math.inf or (ee < tiny and has_error) or (rr < tiny and r.any()):
            return False
        if ee <= _COSINE_SAFE_SHARE * rr:
            ry, yy = rr + re, rr + 2 * re + ee
        elif not yy < math.inf or (yy < tiny and y.any()):
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
