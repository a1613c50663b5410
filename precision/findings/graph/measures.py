"""What the boxes of a graph are coloured by, and the number that each shows."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Self

from precision.findings.fit.fitness import Fit
from precision.findings.fit.table import FitTable
from precision.findings.graph.tree import Box, Graph
from precision.findings.sensitivity.rows import rows_of
from precision.results import LayersReport
from precision.results.ranges import Ranges, by_module
from precision.results.sensitivity import SensitivityReport
from precision.text.units import short_text

NONFINITE = "∞ / NaN"
_MOST_DECADES = 4.0
_LEAST = 0.04
"""Of a bar, for what is smallest but not zero."""


class Reading(NamedTuple):
    """What one box shows."""

    text: str = ""
    share: float | None = None
    """Of a bar, from 0 to 1; None without a bar."""
    born: float = 0.0
    """Of a bar laid over it."""
    category: str = ""
    """A dtype or a verdict on the fit instead, which has a colour."""


Readings = Mapping[Box, Reading]


def errors_read(graph: Graph, value: Callable[[Box], float | None], *, with_born: bool = False) -> Readings:
    """Errors, with bars on one logarithmic scale; `with_born`: also what each box adds itself."""
    found = {box: value(box) for box in graph.model.all}
    scale = Scale.of(found[box] for box in graph.model.leaves)
    return {
        box: Reading(
            NONFINITE if box.is_broken else short_text(error),
            None if box.is_broken else scale.length(error),
            born=scale.length(box.born) if with_born else 0.0,
        )
        for box, error in found.items()
        if error is not None or box.is_broken
    }


class Scale(NamedTuple):
    """Lengths of bars, from 0 for nothing to 1 for the largest value: logarithmic, over one to four decades."""

    largest: float
    decades: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Self:
        """That shows the smallest of some values as a short bar, if it is within four decades of the largest."""
        known = [value for value in values if value] or [1.0]
        decades = math.log10(max(known) / min(known))
        return cls(max(known), min(max(decades, 1.0), _MOST_DECADES))

    def length(self, value: float | None) -> float:
        """Of the bar of one value.

        >>> Scale(largest=1.0, decades=2.0).length(0.1)
        0.52
        """
        if not value:
            return 0.0
        below = min(max(-math.log10(value / self.largest) / self.decades, 0.0), 1.0)
        return round(1 - (1 - _LEAST) * below, 3)


def fits_read(graph: Graph, report: LayersReport, ranges: Ranges, table: FitTable, fmt: str) -> Readings:
    """How the values of each module fit a format, the worst of its weights, inputs and outputs."""
    of_module = {each.module: table.worst(each.tensors, fmt) for each in by_module(ranges.tensors)}
    found = {box: of_module.get(report.rows[box.row].fqn) for box in _modules(graph) if box.row is not None}
    return {
        box: Reading(fit.verdict.value, category=fit.verdict.value)
        for box, fit in found.items()
        if fit is not None and fit.verdict is not Fit.NOTHING
    }


def sensitivities_read(graph: Graph, report: LayersReport, sensitivity: SensitivityReport, fmt: str) -> Readings:
    """The relative error of the model's output if a layer alone is in a format, for each layer that was measured."""
    place = sensitivity.formats.index(fmt)
    of_layer = {row.name: row.cells[place] for row in rows_of(sensitivity, by="layer", order="model order")}
    found: dict[Box, float] = {}
    for box in _modules(graph):
        cell = of_layer.get(report.rows[box.row].fqn) if box.row is not None else None
        if cell is not None and cell.sqnr_db is not None:
            found[box] = 10 ** (-cell.sqnr_db / 20)
    scale = Scale.of(found.values())
    return {box: Reading(short_text(error), scale.length(error)) for box, error in found.items()}


def dtypes_read(graph: Graph) -> Readings:
    """The candidate's dtype of what each box returns."""
    return {box: Reading(box.dtype, category=box.dtype) for box in graph.model.all if box.dtype}


def _modules(graph: Graph) -> list[Box]:
    return [box for box in graph.model.all if box.kind in ("model", "module")]
