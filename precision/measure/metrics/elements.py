"""Single elements of a comparison: the first, and the worst."""

import math
from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
import numpy.typing as npt
import torch

from precision.formats import AnyFormat, NumericFormat, ulp_format
from precision.measure.metrics.chunks import PairChunk
from precision.measure.metrics.outputs import Leaf
from precision.measure.metrics.spans import raw_bits
from precision.measure.metrics.statistics import integer_mismatches, nonfinite_agree, unravel
from precision.results import ElementPair

PREVIEW_ELEMENTS = 64
WORST_ELEMENTS = 20


class WorstElements:
    """The pairs with the largest absolute error, fed chunk by chunk; equal errors in order of index.

    Pairs that are not finite on both sides and not the same come before all, in order of index. Pairs without error
    are left out, so an exact output has none.
    """

    def __init__(self, fmt: AnyFormat, reference: Leaf, *, limit: int = WORST_ELEMENTS) -> None:
        self._format = fmt
        self._leaf = reference
        self._limit = limit
        self._nonfinite: list[tuple[int, float, float]] = []
        self._finite: list[tuple[float, int, float, float]] = []
        """(-|e|, place, r, y), the worst first."""

    def update(self, chunk: PairChunk) -> None:
        """Take in one chunk."""
        if chunk.nonfinite is not None and len(self._nonfinite) < self._limit:
            pairs = chunk.nonfinite
            differ = (~nonfinite_agree(pairs.reference, pairs.candidate)).nonzero().squeeze(1)
            for i in differ[: self._limit - len(self._nonfinite)].tolist():
                place = chunk.start + int(pairs.positions[i])
                self._nonfinite.append((place, float(pairs.reference[i]), float(pairs.candidate[i])))
        least = -self._finite[-1][0] if len(self._finite) == self._limit else 0.0
        if chunk.max_abs_error > least:
            places, r, y = _pairs_above(chunk, least, limit=self._limit)
            errors = np.abs(y - r)
            kept = self._largest(errors)
            columns = (x[kept].tolist() for x in (-errors, places, r, y))
            self._finite += [(e, chunk.index_of(i), *pair) for e, i, *pair in zip(*columns, strict=True)]
            self._finite = sorted(self._finite)[: self._limit]

    def _largest(self, errors: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
        """Places of the largest; among equal ones the first."""
        if errors.size <= self._limit:
            return np.arange(errors.size)
        smallest_kept = np.partition(errors, -self._limit)[-self._limit]
        larger, equal = np.flatnonzero(errors > smallest_kept), np.flatnonzero(errors == smallest_kept)
        return np.concatenate([larger, equal[: self._limit - larger.size]])

    def result(self) -> tuple[ElementPair, ...]:
        """The worst pairs, worst first."""
        worst = [*self._nonfinite, *((place, r, y) for _, place, r, y in self._finite)][: self._limit]
        return tuple(_element(self._leaf, self._format, place=place, r=r, y=y) for place, r, y in worst)


_Doubles = npt.NDArray[np.float64]


def _pairs_above(chunk: PairChunk, least: float, *, limit: int) -> tuple[npt.NDArray[np.intp], _Doubles, _Doubles]:
    """Places, r and y of all errors above `least`, without some that cannot be among the `limit` largest of them."""
    if chunk.measures is None:
        places = np.flatnonzero(chunk.abs_error.cpu().numpy() > least)
        r, y = (x[torch.from_numpy(places).to(x.device)].cpu().double().numpy() for x in chunk.raw)
        return places, r, y
    from precision.measure.metrics import kernels  # only where there is much to compare: it takes a second to compile

    maxima = chunk.measures.maxima
    # So many blocks have an error of at least this.
    enough = float(np.partition(maxima, -limit)[-limit]) if maxima.size >= limit else 0.0
    room = kernels.BLOCK * int(np.count_nonzero(maxima >= np.float32(max(least, enough))))
    r, y = raw_bits(chunk.raw[0]), raw_bits(chunk.raw[1])
    places, values = np.empty(room, dtype=np.int64), np.empty((2, room))
    found = kernels.pairs_above(r, y, maxima, (least, enough), places, values)
    return places[:found], values[0, :found], values[1, :found]


def worst_integers(reference: Leaf, candidate: Leaf, fmt: AnyFormat) -> tuple[ElementPair, ...]:
    """The first pairs of integers that differ."""
    places = (
        start + int(place)
        for start, different in integer_mismatches(reference.tensor, candidate.tensor)
        for place in different
    )
    found = (_elements(reference, candidate, fmt, start=place, count=1) for place in islice(places, WORST_ELEMENTS))
    return tuple(chain.from_iterable(found))


def preview(reference: Leaf, candidate: Leaf, fmt: AnyFormat) -> tuple[ElementPair, ...]:
    """The first pairs, in C order."""
    return tuple(_elements(reference, candidate, fmt, start=0, count=PREVIEW_ELEMENTS))


def _elements(reference: Leaf, candidate: Leaf, fmt: AnyFormat, *, start: int, count: int) -> Iterator[ElementPair]:
    part = slice(start, start + count)
    sides = (_values(leaf, part) for leaf in (reference, candidate))
    for place, (r, y) in enumerate(zip(*sides, strict=True), start):
        yield _element(reference, fmt, place=place, r=r, y=y)


def _values(leaf: Leaf, part: slice) -> list[int] | list[float]:
    """As Python numbers; integers stay integers, because float64 does not hold all of 64 bits."""
    values = leaf.tensor.reshape(-1)[part].cpu()
    if leaf.has_magnitudes:
        return [float(value) for value in values.to(torch.float64).tolist()]
    return [int(value) for value in values.tolist()]


def _element(leaf: Leaf, fmt: AnyFormat, *, place: int, r: int | float, y: int | float) -> ElementPair:
    has_magnitude = leaf.has_magnitudes and math.isfinite(r) and math.isfinite(y)
    abs_error = abs(y - r) if has_magnitude else None
    numeric = ulp_format(fmt)
    return ElementPair(
        output=leaf.path,
        index=leaf.index(unravel(place, tuple(leaf.tensor.shape))),
        reference=r,
        candidate=y,
        abs_error=abs_error,
        ulp_error=None if abs_error is None or numeric is None else _ulps(abs_error, r, numeric),
    )


def _ulps(abs_error: float, r: float, fmt: NumericFormat) -> float:
    power = math.ldexp(0.5, math.frexp(r)[1]) if r else 0.0
    return abs_error / max(power, fmt.smallest_normal) * 2.0**fmt.mantissa_bits
