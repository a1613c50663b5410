"""Error statistics of a candidate against a reference, accumulated chunk by chunk."""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from precision.formats import AnyFormat, NumericFormat, ulp_format
from precision.measure.metrics.chunks import CHUNK_ELEMENTS, NonfinitePairs, PairChunk, pair_chunks
from precision.measure.metrics.measures import SMALLEST_NORMAL, Domain
from precision.measure.metrics.quantiles import QuantileSample
from precision.measure.metrics.scaled_sum import ScaledSum
from precision.measure.metrics.single import COUNTS, MAXIMA, SUMS, Maximum, SinglePrecision
from precision.measure.rounding import powers_of_two_below
from precision.results import ErrorMetrics

_FEW = 8
"""With fewer pairs, an error that looks systematic may be chance."""
_SAFE_SQUARES = (2.0**-600, 2.0**1000)
"""Sums of squares between these lost nothing to underflow or overflow that float64 would notice."""


class ErrorStatistics:
    """Every metric of `ErrorMetrics` over one or several pairs of real tensors, fed chunk by chunk.

    Non-finite elements are counted and left out of every mean, sum and quantile. Nothing is divided by a padded
    denominator: zero cases are those of `precision.text.metrics`. However the tensors are cut, counts and the largest
    error are exact and the rest agrees to 1e-6 (to 1e-12 for float64 tensors and chunks). What exceeds float64's range
    is infinite.

    A format with scales has no ULP and no small-value domain: these are None, and relative errors are taken where
    |r| is at least float32's smallest normal value.

    Args:
        fmt: The candidate's format: gives the ULP, the smallest normal and the tolerances.
        elements: How many elements will be fed in all; decides the stride of the quantile sample. None for no
            quantiles.
        shape: Of the one tensor that is fed, for the index of the maximum; None where there are several.
    """

    def __init__(self, fmt: AnyFormat, elements: int | None, *, shape: tuple[int, ...] | None = None) -> None:
        self.sample = QuantileSample(elements or 0)
        self._takes_quantiles = elements is not None
        self._ulp_format = ulp_format(fmt)
        self.domain = domain_of(fmt)
        """What the chunks are to be measured for."""
        self._single = SinglePrecision()
        self._shape = shape
        self._elements = 0
        self._finite_pairs = 0
        self._nonfinite = _NonfiniteCounts()
        self._max_error = -math.inf
        self._max_place = 0
        self._sums = {name: ScaledSum() for name in SUMS}
        self._maxima = dict.fromkeys(MAXIMA, 0.0)
        self._counts = dict.fromkeys(COUNTS, 0)

    def add(self, reference: Tensor, candidate: Tensor | NumericFormat) -> None:
        """Take in a pair of tensors of the same shape, or a tensor and its own rounding to a format."""
        for chunk in pair_chunks(reference, candidate, domain=self.domain):
            self.update(chunk)

    def update(self, chunk: PairChunk) -> None:
        """Take in one chunk: quickly, if it was measured for this `domain`."""
        if self._takes_quantiles:
            self.sample.add(chunk)
        if chunk.nonfinite is not None:
            self._nonfinite.add(chunk.nonfinite)
        n = chunk.raw[0].numel()
        if n:
            if not chunk.is_single:
                self._add_double(chunk)
            elif not self._add_single(chunk):
                self._add_double(chunk.widened())
        self._elements += chunk.elements
        self._finite_pairs += n

    def _add_single(self, chunk: PairChunk) -> bool:
        measures = chunk.measures
        return (
            measures is not None
            and measures.domain == self.domain
            and self.domain.fits_single
            and self._single.add(chunk, measures)
        )

    def _add_largest(self, largest: float, place: int) -> None:
        if largest > self._max_error:
            self._max_error, self._max_place = largest, place

    def _add_part(self, name: Maximum, errors: Tensor) -> None:
        """Add a sum of errors, and their maximum."""
        self._sums[name].add(float(errors.sum()))
        self._maxima[name] = max(self._maxima[name], float(errors.amax()))

    def _gather(self) -> None:
        """Move what was measured in float32 into the totals."""
        found, self._single = self._single, SinglePrecision()
        if found.max_error == self._max_error:
            self._max_place = min(self._max_place, found.max_place)
        self._add_largest(found.max_error, found.max_place)
        for name, part in found.sums.items():
            self._sums[name].add(part)
        for maximum, largest in found.maxima.items():
            self._maxima[maximum] = max(self._maxima[maximum], largest)
        for count, pairs in found.counts.items():
            self._counts[count] += pairs

    def _add_double(self, chunk: PairChunk) -> None:
        self._add_largest(chunk.max_abs_error, chunk.index_of(chunk.max_place))
        self._add_products(chunk)
        self._counts["below"] += int((chunk.error < 0).sum())
        self._counts["equal"] += int((chunk.error == 0).sum())
        magnitude = chunk.reference.abs()
        rtol, atol = self.domain.relative_tolerance, self.domain.absolute_tolerance
        if rtol is not None and atol is not None:
            self._counts["outside"] += int((chunk.abs_error > magnitude * rtol + atol).sum())
        self._add_part("scaled", scaled_errors(chunk, self.domain.smallest_normal))
        self._add_relative(chunk, magnitude)

    def _add_products(self, chunk: PairChunk) -> None:
        r, y, e, a = chunk.reference, chunk.candidate, chunk.error, chunk.abs_error
        i = j = k = 0
        squares = [_dot(x, x) for x in (r, y, e)]
        low, high = _SAFE_SQUARES
        if not all(low < square < high for square in squares):
            if math.isinf(chunk.max_abs_error):
                e, k = y * 0.25 - r * 0.25, 2
            (r, i), (y, j), (e, more) = _normalized(r), _normalized(y), _normalized(e)
            k += more
            a = e.abs()
            squares = [_dot(x, x) for x in (r, y, e)]
        self._sums["rr"].add(squares[0], exponent=2 * i)
        self._sums["yy"].add(squares[1], exponent=2 * j)
        self._sums["ee"].add(squares[2], exponent=2 * k)
        self._sums["ry"].add(_dot(r, y), exponent=i + j)
        self._sums["re"].add(_dot(r, e), exponent=i + k)
        self._sums["signed"].add(float(e.sum()), exponent=k)
        self._sums["error"].add(float(a.sum()), exponent=k)

    def _add_relative(self, chunk: PairChunk, magnitude: Tensor) -> None:
        normal = self.domain.smallest_normal
        small = magnitude < normal
        count = int(small.sum())
        if count:
            self._counts["small"] += count
            # Selects exactly; a product would turn an infinite error into NaN.
            self._add_part("small", chunk.abs_error[small])
            magnitude.masked_fill_(small, math.inf)
        self._add_part("relative", chunk.abs_error / magnitude)

    def result(self) -> ErrorMetrics:
        """The metrics of everything fed so far."""
        self._gather()
        n, sums, maxima, counts = self._finite_pairs, self._sums, self._maxima, self._counts
        small, agree = counts["small"], self._nonfinite.agree
        rtol, atol = self.domain.relative_tolerance, self.domain.absolute_tolerance
        has_small = n and self._ulp_format is not None
        per_ulp = None if self._ulp_format is None or not n else 2.0**self._ulp_format.mantissa_bits
        median, p99 = self.sample.quantiles((0.5, 0.99))
        return ErrorMetrics(
            elements=self._elements,
            finite_pairs=n,
            **self._nonfinite.as_fields(),
            mean_abs_error=sums["error"].mean(n),
            median_abs_error=median,
            p99_abs_error=p99,
            max_abs_error=self._max_error if n else None,
            max_abs_error_index=unravel(self._max_place, self._shape) if self._shape is not None and n else None,
            quantile_elements=self.sample.size,
            rmse=sums["ee"].root_mean(n),
            normalized_l2=self._normalized_l2() if n else None,
            sqnr_db=self._sqnr_db() if n else None,
            cosine_similarity=self._cosine() if n else None,
            mean_relative_error=sums["relative"].mean(n - small),
            max_relative_error=maxima["relative"] if n > small else None,
            small_value_share=_share(small, n) if has_small else None,
            small_value_mean_abs_error=sums["small"].mean(small) if has_small else None,
            small_value_max_abs_error=maxima["small"] if has_small and small else None,
            mean_ulp_error=None if per_ulp is None else sums["scaled"].mean(n, times=per_ulp),
            max_ulp_error=None if per_ulp is None else maxima["scaled"] * per_ulp,
            error_balance=_share(n - counts["equal"] - 2 * counts["below"], n),
            exact_share=_share(counts["equal"] + agree, self._elements),
            within_tolerance_share=None if rtol is None else _share(n - counts["outside"] + agree, self._elements),
            relative_tolerance=rtol,
            absolute_tolerance=atol,
            **self._systematic(n),
        )

    def _systematic(self, n: int) -> dict[str, float | None]:
        """The mean signed error and the common factor, each with its standard error."""
        sums = self._sums
        rmse, mean = sums["ee"].root_mean(n), sums["signed"].mean(n)
        if n < _FEW or rmse is None or mean is None or not math.isfinite(rmse) or not math.isfinite(mean):
            return {}
        root = math.sqrt(n - 1)
        found: dict[str, float | None] = {"mean_signed_error": mean, "mean_signed_error_se": _rest(rmse, mean) / root}
        if not sums["rr"] or not math.isfinite(size := self._normalized_l2()):
            return found
        factor = sums["re"].ratio(sums["rr"])
        return found | {"factor_error": factor, "factor_error_se": _rest(size, factor) / root}

    def _normalized_l2(self) -> float:
        rr, ee = self._sums["rr"], self._sums["ee"]
        if not rr:
            return math.inf if ee else 0.0
        return ee.root_of_ratio(rr)

    def _sqnr_db(self) -> float:
        rr, ee = self._sums["rr"], self._sums["ee"]
        if not ee:
            return math.inf
        return 20 * rr.log10_of_ratio_root(ee) if rr else -math.inf

    def _cosine(self) -> float:
        rr, yy = self._sums["rr"], self._sums["yy"]
        if not rr or not yy:
            return 0.0 if rr or yy else 1.0
        return self._sums["ry"].cosine(rr, yy)


def _rest(whole: float, part: float) -> float:
    """sqrt(whole² - part²), 0 where rounding made the part larger."""
    return whole * math.sqrt(max(1 - (part / whole) ** 2, 0.0)) if whole else 0.0


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


def mismatch_metrics(pairs: Iterable[tuple[Tensor, Tensor]]) -> ErrorMetrics:
    """Metrics of integer and boolean outputs: the share of equal elements, and no magnitudes.

    Labels, token ids and masks differ or do not; by how much means nothing. Compared exactly, whatever the widths
    of the two dtypes. Without elements the share is None.
    """
    elements = equal = 0
    for reference, candidate in pairs:
        elements += reference.numel()
        equal += reference.numel() - sum(different.size for _, different in integer_mismatches(reference, candidate))
    found = {"elements": elements, "finite_pairs": elements, "exact_share": _share(equal, elements)}
    nothing = {**dict.fromkeys(ErrorMetrics.model_fields), **_NonfiniteCounts().as_fields(), "quantile_elements": 0}
    return ErrorMetrics.model_validate({**nothing, **found})


def integer_mismatches(
    reference: Tensor, candidate: Tensor
) -> Iterator[tuple[int, np.ndarray[tuple[int], np.dtype[np.int64]]]]:
    """Per chunk: its start, and the places within it where two integer tensors differ."""
    r, y = reference.detach().reshape(-1), candidate.detach().reshape(-1)
    for start in range(0, r.numel(), CHUNK_ELEMENTS):
        part = slice(start, start + CHUNK_ELEMENTS)
        # NumPy compares int64 with uint64 by value; torch cannot.
        yield start, np.flatnonzero(np.not_equal(r[part].cpu().numpy(), y[part].cpu().numpy()))


def nonfinite_agree(reference: Tensor, candidate: Tensor) -> Tensor:
    """Whether each pair is NaN on both sides, or the same infinity on both."""
    both_nan = reference.isnan() & candidate.isnan()
    return both_nan | (reference.isinf() & (reference == candidate))


def domain_of(fmt: AnyFormat) -> Domain:
    """Where the errors of a candidate in `fmt` are relative ones, and which are within its tolerance."""
    numeric = ulp_format(fmt)
    if numeric is None:
        return Domain(smallest_normal=SMALLEST_NORMAL, relative_tolerance=None, absolute_tolerance=None)
    return Domain(
        smallest_normal=numeric.smallest_normal,
        relative_tolerance=numeric.relative_tolerance,
        absolute_tolerance=numeric.absolute_tolerance,
    )


def scaled_errors(chunk: PairChunk, smallest_normal: float) -> Tensor:
    """|e| / 2^max(floor(log2|r|), log2 smallest normal): times 2^mantissa_bits, the error in ULP."""
    return torch.div(chunk.abs_error, powers_of_two_below(chunk.reference, smallest=smallest_normal))


def unravel(place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index, in a tensor of `shape`, of the element at flat `place`."""
    return tuple(int(i) for i in np.unravel_index(place, shape))


def _dot(x: Tensor, y: Tensor) -> float:
    # Not torch.dot: whether its BLAS uses several threads, and so the last bits, would depend on the machine.
    return float((x * y).sum())


def _normalized(x: Tensor) -> tuple[Tensor, int]:
    """(x · 2^-k, k) with the largest magnitude between 0.5 and 1; zeros as they are."""
    k = math.frexp(float(x.abs().amax()))[1]
    # In two steps: 2^-k itself may be beyond float64.
    return x * 2.0 ** -(k // 2) * 2.0 ** -(k - k // 2), k


def _share(count: int, of: int) -> float | None:
    return count / of if of else None
