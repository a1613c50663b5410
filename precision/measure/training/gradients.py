"""Gradients in a format against those of float32, counted and compared."""

from collections.abc import Callable, Iterable

from precision.formats import AnyFormat, format_named
from precision.measure.metrics.chunks import pair_chunks
from precision.measure.metrics.statistics import ErrorStatistics
from precision.measure.ranges.counts import exponents_of
from precision.measure.ranges.exponents import ExponentCounts
from precision.measure.training.backward import Gradients
from precision.results.ranges import ExponentHistogram
from precision.results.training import GradientErrors


def counts_of(gradients: Gradients) -> dict[str, ExponentCounts]:
    """Each parameter's gradient by exponent."""
    return {name: exponents_of(gradient) for name, gradient in gradients.items()}


def merged(counts: Iterable[ExponentCounts]) -> ExponentHistogram:
    """All of them together."""
    whole = ExponentCounts()
    for each in counts:
        whole.merge(each)
    return whole.result()


def gradient_errors(
    reference: Gradients, candidate: Gradients, fmt: AnyFormat, *, on_parameter: Callable[[str], None]
) -> tuple[GradientErrors, tuple[GradientErrors, ...]]:
    """Errors of the candidate's unscaled gradients, over all parameters together and for each of the reference's.

    A gradient that the candidate lacks counts as zero.

    `on_parameter` is told the fqn of each parameter before it is compared, and may raise to stop.
    """
    together = ErrorStatistics(fmt, None)
    rows = []
    for name, expected in reference.items():
        on_parameter(name)
        found = candidate[name].float() if name in candidate else expected.new_zeros(expected.shape)
        alone = ErrorStatistics(fmt, None)
        for chunk in pair_chunks(expected, found, domain=alone.domain):
            alone.update(chunk)
            together.update(chunk)
        finite = expected.isfinite()
        nonzero = finite & (expected != 0)
        rows.append(
            _errors(
                alone,
                elements=expected.numel(),
                nonzero=int(nonzero.sum()),
                underflowed=int((nonzero & (found == 0)).sum()),
                infinite=int((finite & found.isinf()).sum()),
                nan=int((finite & found.isnan()).sum()),
            )
        )
    counted = ("elements", "nonzero", "underflowed", "infinite", "nan")
    return _errors(together, **{name: sum(getattr(row, name) for row in rows) for name in counted}), tuple(rows)


def own_errors(exact: Gradients, found: Gradients) -> dict[str, float | None]:
    """The normalized L2 error of each float32 gradient against float64's; None where one is missing or not finite."""
    errors: dict[str, float | None] = {}
    for name, gradient in found.items():
        statistics = ErrorStatistics(format_named("float32"), None)
        if name in exact:
            statistics.add(exact[name], gradient)
        whole = statistics.result()
        is_finite = whole.finite_pairs == gradient.numel()
        errors[name] = whole.normalized_l2 if is_finite else None
    return errors


def _errors(
    statistics: ErrorStatistics, *, elements: int, nonzero: int, underflowed: int, infinite: int, nan: int
) -> GradientErrors:
    measured = None if infinite or nan else statistics.result()
    return GradientErrors(
        elements=elements,
        nonzero=nonzero,
        underflowed=underflowed,
        infinite=infinite,
        nan=nan,
        normalized_l2=measured and measured.normalized_l2,
        cosine_similarity=measured and measured.cosine_similarity,
    )
