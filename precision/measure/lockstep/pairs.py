"""The tensors of two calls, matched and compared: what is kept of them is numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from precision.formats import AnyFormat
from precision.measure.metrics.chunks import pair_chunks
from precision.measure.metrics.elements import WorstElements
from precision.measure.metrics.octaves import OctaveCounts
from precision.measure.metrics.outputs import Paired, flatten, paired
from precision.measure.metrics.statistics import ErrorStatistics, integer_mismatches
from precision.results.layers import ErrorOctaves, LayerErrors, TensorPair, WorstElement

MAX_TENSORS = 8
"""Of one call's inputs, and of its outputs, so many are listed; all are compared."""
MAX_WORST = 3
DIGITS = 6
"""Significant digits of what is kept: thousands of rows are stored and sent."""

_SINGLE_DIGITS = 9
"""Significant digits that tell every float32 from its neighbours."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Matched(Paired):
    """The tensors that two structures have in the same places, and what is said of the rest."""

    unread: tuple[str, ...]
    """What is no tensor, or has no values that could be read."""

    def without(self, data: Tensor | None) -> Matched:
        """With only the positions that are data, where tensors have positions; see `Leaf.without`."""
        if data is None:
            return self
        return replace(self, pairs=tuple((r.without(data), y.without(data)) for r, y in self.pairs))

    @property
    def uncompared(self) -> tuple[str, ...]:
        """What is left out, in sentences."""
        return (*(f"{difference}." for difference in self.differences), *self.unread)

    @property
    def listed(self) -> tuple[TensorPair, ...]:
        """The first of them, in words."""
        return tuple(
            TensorPair(
                path=reference.path,
                shape=reference.shape,
                reference_dtype=reference.dtype,
                candidate_dtype=candidate.dtype,
            )
            for reference, candidate in self.pairs[:MAX_TENSORS]
        )


def matched(reference: object, candidate: object) -> Matched:
    """The tensors of two structures of any kind, by their places; what differs in shape or kind is noted."""
    flat, other = flatten(reference), flatten(candidate)
    found = paired(flat, other)
    unread = [note for note in (*flat.notes, *other.notes) if note.endswith("not compared.")]
    return Matched(pairs=found.pairs, differences=found.differences, unread=tuple(dict.fromkeys(unread)))


@dataclass(frozen=True, kw_only=True)
class PairNumbers:
    """All that is kept of one call's outputs."""

    errors: LayerErrors | None
    """None without floating-point tensors."""
    octaves: ErrorOctaves | None
    worst: tuple[WorstElement, ...]
    integers_differ: int
    integers: int
    """Elements of integer and boolean tensors."""


def numbers_of(pairs: Matched, fmt: AnyFormat, *, detailed: bool) -> PairNumbers:
    """Errors over all floating-point tensors together; the histogram and the worst elements where `detailed`.

    NaN and infinities are counted and left out of every mean; without elements every metric is None.
    """
    floating = pairs.floating
    statistics = ErrorStatistics(fmt, None)
    octaves = OctaveCounts()
    worst: list[WorstElement] = []
    for reference, candidate in floating:
        largest = WorstElements(fmt, reference, limit=MAX_WORST)
        for chunk in pair_chunks(reference.tensor, candidate.tensor, domain=statistics.domain):
            statistics.update(chunk)
            if detailed:
                octaves.add(chunk)
                largest.update(chunk)
        worst += [
            WorstElement(
                path=element.output,
                index=element.index,
                reference=rounded(float(element.reference), _SINGLE_DIGITS),
                candidate=rounded(float(element.candidate), _SINGLE_DIGITS),
                abs_error=None if element.abs_error is None else rounded(element.abs_error),
            )
            for element in largest.result()
        ]
    metrics = statistics.result()
    integers = [(r.tensor, y.tensor) for r, y in pairs.pairs if not r.has_magnitudes]
    return PairNumbers(
        errors=_rounded_errors(LayerErrors.of(metrics)) if floating else None,
        octaves=octaves.result() if detailed and metrics.finite_pairs else None,
        worst=tuple(sorted(worst, key=_badness, reverse=True)[:MAX_WORST]),
        integers_differ=sum(places.size for r, y in integers for _, places in integer_mismatches(r, y)),
        integers=sum(r.numel() for r, _ in integers),
    )


def rounded(value: float, digits: int = DIGITS) -> float:
    """`value` to as many significant digits as are kept."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else value


def _rounded_errors(errors: LayerErrors) -> LayerErrors:
    return errors.model_copy(
        update={
            name: _rounded_share(value)
            for name in LayerErrors.model_fields
            if isinstance(value := getattr(errors, name), float)
        }
    )


def _rounded_share(value: float) -> float:
    # A share just below one is what tells an inexact output from an exact one.
    return next((short for digits in (DIGITS, 9, 12) if (short := rounded(value, digits)) != 1), value)


def _badness(element: WorstElement) -> float:
    return math.inf if element.abs_error is None else element.abs_error


def same_outputs(one: object, other: object) -> bool:
    """Whether two structures hold the same tensors in the same places, bit for bit; all NaNs count as the same."""
    found = matched(one, other)
    return not found.differences and all(same_values(a.tensor, b.tensor) for a, b in found.pairs)


def same_values(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same dtype, shape and values, NaN being the same as NaN."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return torch.equal(one, other) or bool(((one == other) | ((one != one) & (other != other))).all())
