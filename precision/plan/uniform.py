"""One format for all layers: a plan has to be better than that."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from precision.plan.constraints import Constraints, kept_layers
from precision.plan.totals import totals_of
from precision.results.plan import Totals, Uniform
from precision.results.sensitivity import SensitivityReport


class UniformChoice(NamedTuple):
    """One format for all layers except those that are kept."""

    formats: tuple[str, ...]
    totals: Totals


def uniform_choices(
    report: SensitivityReport, constraints: Constraints, *, reference: str, known: Iterable[Uniform] = ()
) -> Iterator[UniformChoice]:
    """One choice for each allowed format in which every layer has a prediction.

    `known` are totals that were computed before, without any kept layer.
    """
    kept = kept_layers(report, constraints)
    ready = {uniform.dtype: uniform.totals for uniform in known if not kept}
    for name in report.formats:
        if name != reference and (constraints.formats is None or name in constraints.formats):
            formats = tuple(reference if at in kept else name for at in range(len(report.layers)))
            totals = ready.get(name) or totals_of(report, formats, reference)
            if totals.squared_error is not None:
                yield UniformChoice(formats, totals)
