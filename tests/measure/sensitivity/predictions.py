"""What was predicted of each layer of a model, beside the run in which it alone is lowered."""

from __future__ import annotations

import math

import numpy as np

from precision.results import SensitivityReport

MOST_OFF = 2.0


def logarithms(report: SensitivityReport, at: int) -> list[tuple[float, float]]:
    """Of the predicted and the measured error of each layer that is not doubted, none of them far apart.

    Errors that float32's own rounding hides are left out.
    """
    hidden = report.output_mean_square * 10 * 2.0**-46
    found = []
    for layer in report.layers:
        each = layer.contributions[at]
        predicted, exact = each.squared_error, each.exact_squared_error
        if predicted and exact and exact > hidden and not each.is_doubted:
            found.append((math.log(predicted), math.log(exact)))
            ratio = math.sqrt(predicted / exact)
            assert 1 / MOST_OFF <= ratio <= MOST_OFF, (report.formats[at], layer.fqn, ratio)
    return found


def correlation(report: SensitivityReport, at: int) -> float:
    """Of these logarithms, for a model of ten layers or more."""
    logs = logarithms(report, at)
    assert len(logs) >= 10
    return float(np.corrcoef(np.array(logs).T)[0, 1])
