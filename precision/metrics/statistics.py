"""Error statistics of a candidate against a reference, accumulated chunk by chunk."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from precision.formats import NumericFormat
from precision.metrics.chunks import CHUNK_ELEMENTS, NonfinitePairs, PairChunk
from precision.metrics.exact_sum import ExactSum, log10_square_root, square_root
from precision.metrics.quantiles import QuantileSample
from precision.results import ErrorMetrics
from precision.rounding import powers_of_two_below

_SAFE_SQUARES = (2.0**-600, 2.0**1000)
"""Sums of squares between these lost nothing to underflow or overflow that float64 would notice."""


class ErrorStatistics:
    """Every metric of `ErrorMetrics` over one or several pairs of real tensors, fed chunk by chunk.

    Non-finite elements are counted and reach no mean, sum or quantile. Nothing is divided by a padded denominator:
    zero cases are those of the glossary. Sums over the chunks are exact, so results do not depend on chunk size or
    order beyond the rounding inside one chunk (1e-12 relative). What exceeds float64's range is infinite.

    Args:
        fmt: The candidate's format: gives the ULP, the smallest normal and the tolerances.
        elements: How many elements will be fed in all; decides the stride of the quantile sample.
        shape: Of the one tensor that is fed, for the index of the maximum; None where there are several.
    """

    def __init__(self, fmt: NumericFormat, elements: int, *, shape: tuple[int, ...] | None = None) -> None:
        self.sample = QuantileSample(elements)
        self._format = fmt
        self._shape = shape
        self._elements = 0
        self._finite_pairs = 0
        self._nonfinite = _NonfiniteCounts()
        self._max_error = -math.inf
        self._max_place = 0
        self._abs, self._ee, self._rr, self._yy, self._ry = (ExactSum() for _ in range(5))
        self._relative, self._small_abs, self._ulp = (ExactSum() for _ in range(3))
        self._max_relative, self._max_small, self._max_ulp = 0.0, 0.0, 0.0
        self._small = 0
        self._above_minus_below = 0
        self._different = 0
        self._outside = 0
        self._scratch, self._magnitude = torch.empty((2, CHUNK_ELEMENTS), dtype=torch.float64).unbind()

    def update(self, chunk: PairChunk) -> None:
        """Take in one chunk."""
        if chunk.nonfinite is not None:
            self._nonfinite.add(chunk.nonfinite)
        n = chunk.error.numel()
        self.sample.add(chunk)
        if n:
            if n > self._scratch.numel():
                self._scratch, self._magnitude = torch.empty((2, n), dtype=torch.float64).unbind()
            scratch, magnitude = self._scratch[:n], self._magnitude[:n]
            torch.abs(chunk.reference, out=magnitude)
            self._add_maximum(chunk)
            self._add_products(chunk, scratch)
            self._add_signs(chunk, scratch)
            self._add_tolerance(chunk, magnitude, scratch)
            self._add_ulp(chunk, scratch)
            self._add_relative(chunk, magnitude, scratch)
        self._elements += chunk.elements
        self._finite_pairs += n

    def _add_maximum(self, chunk: PairChunk) -> None:
        if chunk.max_abs_error > self._max_error:
            self._max_error = chunk.max_abs_error
            self._max_place = chunk.index_of(int(chunk.abs_error.argmax()))

    def _add_products(self, chunk: PairChunk, scratch: Tensor) -> None:
        r, y, e, a = chunk.reference, chunk.candidate, chunk.error, chunk.abs_error
        i = j = k = 0
        squares = [_dot(x, x, scratch) for x in (r, y, e)]
        low, high = _SAFE_SQUARES
        if not all(low < square < high for square in squares):
            if math.isinf(chunk.max_abs_error):
                e, k = y * 0.25 - r * 0.25, 2
            (r, i), (y, j), (e, more) = _normalized(r), _normalized(y), _normalized(e)
            k += more
            a = e.abs()
            squares = [_dot(x, x, scratch) for x in (r, y, e)]
        self._rr.add(squares[0], exponent=2 * i)
        self._yy.add(squares[1], exponent=2 * j)
        self._ee.add(squares[2], exponent=2 * k)
        self._ry.add(_dot(r, y, scratch), exponent=i + j)
        self._abs.add(float(a.sum()), exponent=k)

    def _add_signs(self, chunk: PairChunk, scratch: Tensor) -> None:
        torch.sign(chunk.error, out=scratch)
        self._above_minus_below += int(scratch.sum())
        self._different += int(scratch.abs_().sum())

    def _add_tolerance(self, chunk: PairChunk, magnitude: Tensor, scratch: Tensor) -> None:
        rtol, atol = self._format.relative_tolerance, self._format.absolute_tolerance
        if rtol is not None and atol is not None:
            torch.mul(magnitude, rtol, out=scratch).add_(atol)
            self._outside += int(scratch.lt_(chunk.abs_error).sum())

    def _add_ulp(self, chunk: PairChunk, scratch: Tensor) -> None:
        ulp_errors(chunk, self._format, out=scratch)
        self._ulp.add(float(scratch.sum()))
        self._max_ulp = max(self._max_ulp, float(scratch.amax()))

    def _add_relative(self, chunk: PairChunk, magnitude: Tensor, scratch: Tensor) -> None:
        normal = self._format.smallest_normal
        if float(magnitude.amin()) < normal:
            torch.lt(magnitude, normal, out=scratch)
            self._small += int(scratch.sum())
            # Selects exactly; a product would turn an infinite error into NaN.
            small = chunk.abs_error[scratch.bool()]
            self._small_abs.add(float(small.sum()))
            self._max_small = max(self._max_small, float(small.amax()))
            # x > the float before `normal` is x >= `normal`; an infinite denominator leaves nothing of the rest.
            torch.nn.functional.threshold(magnitude, math.nextafter(normal, 0.0), math.inf, inplace=True)
        torch.div(chunk.abs_error, magnitude, out=scratch)
        self._relative.add(float(scratch.sum()))
        self._max_relative = max(self._max_relative, float(scratch.amax()))

    def result(self) -> ErrorMetrics:
        """The metrics of everything fed so far."""
        n, small = self._finite_pairs, self._small
        agree = self._nonfinite.agree
        has_tolerance = self._format.relative_tolerance is not None and self._format.absolute_tolerance is not None
        median, p99 = self.sample.quantiles((0.5, 0.99))
        return ErrorMetrics(
            elements=self._elements,
            finite_pairs=n,
            **self._nonfinite.as_fields(),
            mean_abs_error=self._abs.mean(n),
            median_abs_error=median,
            p99_abs_error=p99,
            max_abs_error=self._max_error if n else None,
            max_abs_error_index=self._max_index(),
            quantile_elements=self.sample.size,
            rmse=square_root(self._ee.value / n) if n else None,
            normalized_l2=self._normalized_l2() if n else None,
            sqnr_db=self._sqnr_db() if n else None,
            cosine_similarity=self._cosine() if n else None,
            mean_relative_error=self._relative.mean(n - small),
            max_relative_error=self._max_relative if n > small else None,
            small_value_share=_share(small, n),
            small_value_mean_abs_error=self._small_abs.mean(small),
            small_value_max_abs_error=self._max_small if small else None,
            mean_ulp_error=self._ulp.mean(n),
            max_ulp_error=self._max_ulp if n else None,
            error_balance=_share(self._above_minus_below, n),
            exact_share=_share(n - self._different + agree, self._elements),
            within_tolerance_share=_share(n - self._outside + agree, self._elements) if has_tolerance else None,
            relative_tolerance=self._format.relative_tolerance,
            absolute_tolerance=self._format.absolute_tolerance,
        )

    def _max_index(self) -> tuple[int, ...] | None:
        if self._shape is None or not self._finite_pairs:
            return None
        return unravel(self._max_place, self._shape)

    def _normalized_l2(self) -> float:
        if not self._rr.value:
            return math.inf if self._ee.value else 0.0
        return square_root(self._ee.value / self._rr.value)

    def _sqnr_db(self) -> float:
        if not self._ee.value:
            return math.inf
        if not self._rr.value:
            return -math.inf
        return 20 * log10_square_root(self._rr.value / self._ee.value)

    def _cosine(self) -> float:
        rr, yy, ry = self._rr.value, self._yy.value, self._ry.value
        if not rr or not yy:
            return 1.0 if rr == yy else 0.0
        size = min(1.0, square_root(ry * ry / (rr * yy)))
        return size if ry >= 0 else -size


class _NonfiniteCounts:
    """Where infinities and NaNs are, and whether both sides have the same."""

    def __init__(self) -> None:
        self.agree = 0
        self._reference = 0
        self._candidate = 0
        self._both = 0

    def add(self, pairs: NonfinitePairs) -> None:
        r, y = pairs.reference, pairs.candidate
        r_bad, y_bad = ~torch.isfinite(r), ~torch.isfinite(y)
        self._reference += int(r_bad.sum())
        self._candidate += int(y_bad.sum())
        self._both += int((r_bad & y_bad).sum())
        self.agree += int(nonfinite_agree(r, y).sum())

    def as_fields(self) -> dict[str, int]:
        return {
            "ref_nonfinite": self._reference,
            "cand_nonfinite": self._candidate,
            "ref_only_nonfinite": self._reference - self._both,
            "cand_only_nonfinite": self._candidate - self._both,
            "both_nonfinite": self._both,
            "nonfinite_agree": self.agree,
        }


def mismatch_metrics(pairs: Iterable[tuple[Tensor, Tensor]], *, chunk_elements: int = CHUNK_ELEMENTS) -> ErrorMetrics:
    """Metrics of integer and boolean outputs: the share of equal elements, and no magnitudes.

    Labels, token ids and masks differ or do not; by how much means nothing. Compared exactly, whatever the widths
    of the two dtypes. Without elements the share is None.

    Args:
        pairs: (reference, candidate) tensors of equal shapes.
        chunk_elements: How many elements are compared at a time.
    """
    elements = equal = 0
    for reference, candidate in pairs:
        elements += reference.numel()
        for start, different in integer_mismatches(reference, candidate, chunk_elements=chunk_elements):
            equal += min(chunk_elements, reference.numel() - start) - different.size
    fields = dict.fromkeys(ErrorMetrics.model_fields)
    counts = dict.fromkeys(_NonfiniteCounts().as_fields(), 0)
    return ErrorMetrics.model_validate(
        {
            **fields,
            **counts,
            "elements": elements,
            "finite_pairs": elements,
            "quantile_elements": 0,
            "exact_share": _share(equal, elements),
        }
    )


def integer_mismatches(
    reference: Tensor, candidate: Tensor, *, chunk_elements: int = CHUNK_ELEMENTS
) -> Iterable[tuple[int, np.ndarray[tuple[int], np.dtype[np.int64]]]]:
    """Per chunk: its start, and the places within it where two integer tensors differ."""
    r, y = reference.detach().reshape(-1), candidate.detach().reshape(-1)
    for start in range(0, r.numel(), chunk_elements):
        part = slice(start, start + chunk_elements)
        # NumPy compares int64 with uint64 by value; torch cannot.
        yield start, np.flatnonzero(np.not_equal(r[part].cpu().numpy(), y[part].cpu().numpy()))


def nonfinite_agree(reference: Tensor, candidate: Tensor) -> Tensor:
    """Whether each pair is NaN on both sides, or the same infinity on both."""
    both_nan = reference.isnan() & candidate.isnan()
    return both_nan | (reference.isinf() & (reference == candidate))


def ulp_errors(chunk: PairChunk, fmt: NumericFormat, *, out: Tensor) -> Tensor:
    """|e| / ulp(r) with ulp(r) = 2^(max(floor(log2|r|), min_exponent) - mantissa_bits), into `out`."""
    binade = powers_of_two_below(chunk.reference, smallest=fmt.smallest_normal)
    return torch.div(chunk.abs_error, binade, out=out).mul_(2.0**fmt.mantissa_bits)


def unravel(place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index, in a tensor of `shape`, of the element at flat `place`."""
    return tuple(int(i) for i in np.unravel_index(place, shape))


def _dot(x: Tensor, y: Tensor, scratch: Tensor) -> float:
    # Not torch.dot: whether its BLAS uses several threads, and so the last bits, would depend on the machine.
    return float(torch.mul(x, y, out=scratch).sum())


def _normalized(x: Tensor) -> tuple[Tensor, int]:
    """(x · 2^-k, k) with the largest magnitude between 0.5 and 1; zeros as they are."""
    k = math.frexp(float(x.abs().amax()))[1]
    # In two steps: 2^-k itself may be beyond float64.
    return x * 2.0 ** -(k // 2) * 2.0 ** -(k - k // 2), k


def _share(count: int, of: int) -> float | None:
    return count / of if of else None
