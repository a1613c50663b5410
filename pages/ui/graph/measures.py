"""What the boxes of the graph are coloured by: readings of this run, and of others where they were measured."""

from typing import NamedTuple

from pages.ui import measured
from precision.charts.palette import colour_of, colour_of_fit
from precision.findings.fit.table import fit_table
from precision.findings.graph.measures import Readings, dtypes_read, errors_read, fits_read, sensitivities_read
from precision.findings.graph.tree import Graph
from precision.formats import any_format_named
from precision.results import LayersReport, SensitivityResult
from precision.results.ranges import RangesResult

CARRIED, BORN, DTYPE, FIT, SENSITIVITY = "error carried", "error born", "dtype", "fit", "sensitivity"
MEASURES = (CARRIED, BORN, DTYPE, FIT, SENSITIVITY)


class LegendEntry(NamedTuple):
    """One colour of a graph."""

    words: str
    look: str = ""
    """A class of the style sheet."""
    colour: str = ""
    """Instead of that of the class."""


class View(NamedTuple):
    """What the boxes show."""

    readings: Readings
    legend: tuple[LegendEntry, ...]
    colours: dict[str, str]
    """Of the readings' categories."""


def view_of(measure: str, graph: Graph, report: LayersReport, fmt: str) -> View:
    """One of `MEASURES` in a format. Where another analysis measures it: that, or a button that starts it."""
    if measure == DTYPE:
        readings = dtypes_read(graph)
        return _categories(readings, {reading.category: colour_of(reading.category) for reading in readings.values()})
    if measure == FIT:
        readings = _fits(graph, report, fmt)
        return _categories(readings, {each.category: colour_of_fit(each.category) for each in readings.values()})
    if measure == SENSITIVITY:
        return View(_sensitivities(graph, report, fmt), (LegendEntry("output error if alone in it", "carried"),), {})
    if measure == BORN:
        return View(errors_read(graph, lambda box: box.born), (LegendEntry("born here", "carried"),), {})
    legend = LegendEntry("born here", "born"), LegendEntry("carried", "carried")
    return View(errors_read(graph, lambda box: box.carried, with_born=True), legend, {})


def _categories(readings: Readings, colours: dict[str, str]) -> View:
    return View(readings, tuple(LegendEntry(name, colour=colour) for name, colour in colours.items()), colours)


def _fits(graph: Graph, report: LayersReport, fmt: str) -> Readings:
    says = "One pass of the reference, as on the page Ranges."
    found = measured.known_or_offered(RangesResult, place="colour", label="Count the values", says=says)
    if found is None or found.ranges is None:
        return {}
    table = fit_table(found.ranges, (any_format_named(fmt),))
    return fits_read(graph, report, found.ranges, table, fmt)


def _sensitivities(graph: Graph, report: LayersReport, fmt: str) -> Readings:
    says = "Of every layer, in several formats, as on the page Mixed precision."
    found = measured.known_or_offered(SensitivityResult, place="colour", label="Measure sensitivities", says=says)
    if found is None or found.report is None or fmt not in found.report.formats:
        return {}
    return sensitivities_read(graph, report, found.report, fmt)
