"""Gradients in a format against those of float32, counted and compared."""

from __future__ import annotations

from collections.abc import Iterable

from precision.formats import AnyFormat
from precision.metrics.chunks import pair_chunks
from precision.metrics.statistics import ErrorStatistics
from precision.ranges.exponents import ExponentCounts
from precision.results.ranges import ExponentHistogram
from precision.results.training import GradientErrors
from precision.training.backward import Gradients


def counts_of(gradients: Gradients) -> dict[str, ExponentCounts]:
    """Each parameter's gradient by exponent."""
    counts = {name: ExponentCounts() for name in gradients}
    for name, gradient in gradients.items():
        counts[name].add(gradient)
    return counts


def merged(counts: Iterable[ExponentCounts]) -> ExponentHistogram:
    """All of them together."""
    whole = ExponentCounts()
    for each in counts:
        whole.merge(each)
    return whole.result()


def gradient_errors(
    reference: Gradients, candidate: Gradients, fmt: AnyFormat
) -> tuple[GradientErrors, tuple[GradientErrors, ...]]:
    """Over all parameters together, and for each of the reference's.

    A gradient that the candidate lacks counts as zero.

    Args:
        reference: in float32.
        candidate: of the same parameters, unscaled, in any dtype.
        fmt: the candidate's format.
    """
    together = ErrorStatistics(fmt, None)
    rows = []
    for name, expected in reference.items():
        found = candidate[name].float() if name in candidate else expected.new_zeros(expected.shape)
        alone = ErrorStatistics(fmt, None)
        for chunk in pair_chunks(expected, found, domain=alone.domain):
            alone.update(chunk)
            together.update(chunk)
        finite = expected.isfinite()
        nonzero = finite & (expected != 0)
        errors = alone.result()
        rows.append(
            GradientErrors(
                elements=expected.numel(),
                nonzero=int(nonzero.sum()),
                underflowed=int((nonzero & (found == 0)).sum()),
                infinite=int((finite & found.isinf()).sum()),
                nan=int((finite & found.isnan()).sum()),
                normalized_l2=errors.normalized_l2,
                cosine_similarity=errors.cosine_similarity,
            )
        )
    return _total(rows, together), tuple(rows)


def _total(rows: list[GradientErrors], together: ErrorStatistics) -> GradientErrors:
    errors = together.result()
    return GradientErrors(
        elements=sum(row.elements for row in rows),
        nonzero=sum(row.nonzero for row in rows),
        underflowed=sum(row.underflowed for row in rows),
        infinite=sum(row.infinite for row in rows),
        nan=sum(row.nan for row in rows),
        normalized_l2=errors.normalized_l2,
        cosine_similarity=errors.cosine_similarity,
    )
