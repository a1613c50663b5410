"""Metrics as text: what was taken from a sample is marked."""

from __future__ import annotations

import pytest
import torch

from precision.charts.error_histogram import plot_error_histogram
from precision.findings.elements import metric_text, metrics_table
from precision.findings.thresholds import parse_threshold, violations
from precision.formats import format_named
from precision.measure.metrics.comparison import compare_outputs
from precision.measure.metrics.outputs import flatten
from precision.measure.metrics.quantiles import SAMPLE_ELEMENTS
from precision.results import Comparison
from precision.text.units import number_text


def compared(elements: int) -> Comparison:
    reference = torch.randn(elements, generator=torch.Generator().manual_seed(1))
    same = flatten(reference)
    return compare_outputs(
        reference=same, candidate=flatten(reference.half()), repeat=same, fmt=format_named("float16")
    )


def test_quantiles_of_a_sample_are_marked_where_they_are_shown() -> None:
    more = SAMPLE_ELEMENTS + 1000
    for elements, mark in ((1000, False), (more, True)):
        comparison = compared(elements)
        (output,) = comparison.outputs
        metrics = output.metrics
        assert (metrics.quantile_elements < metrics.finite_pairs) == mark
        for name in ("median_abs_error", "p99_abs_error"):
            assert metric_text(metrics, name).startswith("≈ ") == mark
        assert metric_text(metrics, "max_abs_error") == number_text(metrics.max_abs_error)
        table = metrics_table(output, comparison)
        marked = {row[0] for row in table.rows if str(row[2]).startswith("≈")}
        assert marked == ({"Median absolute error", "99th percentile of the absolute error"} if mark else set())
        drawn = plot_error_histogram(output, "float16", kind="absolute").to_json()
        assert ("at most \\u2248" in drawn or "at most ≈" in drawn) == mark
        limit = parse_threshold("median_abs_error=1e-9", higher_is_better=False)
        assert ("median_abs_error ≈" in violations(comparison, (limit,))[0]) == mark


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 - 2**-53, "1 − 1.1e-16"),
        (-(1 - 2**-53), "−1 + 1.1e-16"),
        (1 - 3e-9, "1 − 3.0e-9"),
        (1 - 3e-7, "0.999999700"),
        (0.9999857, "0.9999857"),
    ],
)
def test_a_number_near_one_is_short(value: float, text: str) -> None:
    assert number_text(value) == text
