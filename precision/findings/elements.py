"""Outputs of both models as tables: element by element, and every metric of them."""

from collections.abc import Iterable

from precision.findings.tables import Column, Table, of_kind, table_of
from precision.results import Comparison, ElementPair, ErrorMetrics, OutputComparison, WorstElement
from precision.text.metrics import METRICS, metric_named
from precision.text.units import number_text

_COLUMNS = (Column("index"), *of_kind("value", "reference", "candidate"), Column("absolute error", "error"))
METRICS_OF = ("this output", "all outputs", "rounding floor, all outputs", "repeat floor, all outputs")
"""The columns of `metrics_table`: what each number is measured over."""


def pairs_table(pairs: Iterable[ElementPair]) -> Table:
    """A row for each element of an output."""
    rows = ((_index(pair), pair.reference, pair.candidate, pair.abs_error, pair.ulp_error) for pair in pairs)
    return table_of((*_COLUMNS, Column("ULP error", "error")), rows)


def worst_table(elements: Iterable[WorstElement]) -> Table:
    """A row for each element of a layer's outputs."""
    rows = ((each.path, _index(each), each.reference, each.candidate, each.abs_error) for each in elements)
    return table_of((Column("tensor"), *_COLUMNS), rows)


def metrics_table(output: OutputComparison, comparison: Comparison) -> Table:
    """A row for each metric: of one output, of all outputs and of the two floors. Numbers are text: units differ."""
    sides = (output.metrics, comparison.overall, comparison.rounding_floor, comparison.repeat_floor)
    rows = (
        (
            metric.label,
            metric.unit,
            *(metric_text(metrics, metric.name) for metrics in sides),
            metric.definition,
        )
        for metric in METRICS
    )
    return table_of(of_kind("text", "metric", "unit", *METRICS_OF, "definition"), rows)


def metric_text(metrics: ErrorMetrics, name: str) -> str:
    """A metric as text; with `≈` where it was taken from a sample of the elements: see `quantile_elements`."""
    value = getattr(metrics, name)
    return f"≈ {number_text(value)}" if is_sampled(metrics, name) else number_text(value)


def is_sampled(metrics: ErrorMetrics, name: str) -> bool:
    """Whether a metric was taken from a sample of the elements; not where it was not measured."""
    measured = getattr(metrics, name, None) is not None
    return measured and metric_named(name).is_quantile and metrics.quantile_elements < metrics.finite_pairs


def _index(element: ElementPair | WorstElement) -> str:
    return str(list(element.index))
