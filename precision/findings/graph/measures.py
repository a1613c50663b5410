"""What the boxes of a graph are coloured by, and the number that each shows."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from precision.findings.fit.fitness import Fit, worst
from precision.findings.fit.table import FitTable
from precision.findings.graph.tree import Box, Graph
from precision.results import LayersReport
from precision.results.ranges import Ranges, by_module
from precision.results.sensitivity import SensitivityReport
from precision.text.units import number_text

NONFINITE = "∞ / NaN"
_DECADES = 4.0
"""What is smaller than the largest by more is drawn as this much smaller."""
_LEAST = 0.04
"""Of a bar, for what is smallest but not zero."""


class Reading(NamedTuple):
    """What one box shows."""

    text: str = ""
    share: float | None = None
    """Of a bar, from 0 to 1; None without a bar."""
    fit: str = ""
    """A verdict of `Fit` instead."""


Readings = Mapping[Box, Reading]


def errors_read(graph: Graph, value: Callable[[Box], float | None]) -> Readings:
    """Errors on one logarithmic scale for all boxes, up to the largest of the innermost."""
    found = {box: value(box) for box in graph.model.all}
    largest = max((error for error in found.values() if error), default=0.0)
    return {
        box: Reading(NONFINITE) if box.is_broken else Reading(number_text(error), scaled(error, largest))
        for box, error in found.items()
        if error is not None or box.is_broken
    }


def scaled(value: float | None, largest: float) -> float:
    """The length of a bar for one of several values, on a logarithmic scale; 0 for 0.

    >>> scaled(0.01, 1.0)
    0.52
    """
    if not value or not largest:
        return 0.0
    decades = max(math.log10(value / largest), -_DECADES)
    return round(1 + (1 - _LEAST) * decades / _DECADES, 3)


def fits_read(graph: Graph, report: LayersReport, ranges: Ranges, table: FitTable, fmt: str) -> Readings:
    """How the values of each module fit a format, the worst of its weights, inputs and outputs."""
    of_module = {module.module: worst([table.fit(each, fmt) for each in module.tensors]) for module in by_module(ranges.tensors)}
    found = {box: of_module.get(report.rows[box.row].fqn) for box in _modules(graph) if box.row is not None}
    return {
        box: Reading(fit.verdict.value, fit=fit.verdict.value)
        for box, fit in found.items()
        if fit is not None and fit.verdict is not Fit.NOTHING
    }


def sensitivities_read(graph: Graph, report: LayersReport, sensitivity: SensitivityReport, fmt: str) -> Readings:
    """How much of the output's error each layer makes when it alone is in a format: relative to the output."""
    place = sensitivity.formats.index(fmt)
    of_layer = {layer.fqn: layer.contributions[place].squared_error for layer in sensitivity.layers}
    size = sensitivity.output_mean_square * sensitivity.output_elements
    found: dict[Box, float] = {}
    for box in _modules(graph):
        squared = of_layer.get(report.rows[box.row].fqn) if box.row is not None else None
        if squared is not None and size > 0:
            found[box] = math.sqrt(squared / size)
    largest = max(found.values(), default=0.0)
    return {box: Reading(number_text(error), scaled(error, largest)) for box, error in found.items()}


def _modules(graph: Graph) -> list[Box]:
    return [box for box in graph.model.all if box.kind in ("model", "module")]
