"""Gradients in a format against those of float32, counted and compared."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from precision.formats import AnyFormat, format_named
from precision.measure.metrics.chunks import pair_chunks
from precision.measure.metrics.statistics import ErrorStatistics
from precision.measure.ranges.exponents import ExponentCounts, exponents_of
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
    together, whole = ErrorStatistics(fmt, None), Counter[str]()
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
        counts = {
            "elements": expected.numel(),
            "nonzero": int(nonzero.sum()),
            "underflowed": int((nonzero & (found == 0)).sum()),
            "infinite": int((finite & found.isinf()).sum()),
            "nan": int((finite & found.isnan()).sum()),
        }
        rows.append(_errors(alone, counts))
        whole.update(counts)
    return _errors(together, whole), tuple(rows)


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


def _errors(statistics: ErrorStatistics, counts: Mapping[str, int]) -> GradientErrors:
    measured = None if counts["infinite"] or counts["nan"] else statistics.result()
    return GradientErrors(
        elements=counts["elements"],
        nonzero=counts["nonzero"],
        underflowed=counts["underflowed"],
        infinite=counts["infinite"],
        nan=counts["nan"],
        normalized_l2=measured and measured.normalized_l2,
        cosine_similarity=measured and measured.cosine_similarity,
    )
