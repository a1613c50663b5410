"""Plans in words."""

from __future__ import annotations

from collections import Counter

from precision.results import SensitivityReport
from precision.results.plan import Plan, Verification, sqnr_db
from precision.text.units import number_text

LAYER_TIMES = (
    "every layer was timed once, by itself, in each format that this device computes in; between two runs on a busy "
    "machine this may differ several times over. --verify measures the whole pass."
)
"""How the times of layers were measured."""


def formats_text(plan: Plan) -> str:
    """How many layers have which format, the most frequent first."""
    counts = Counter(name for _, name in plan.pairs).most_common()
    return ", ".join(f"{count:,} × {name}" for name, count in counts)


def comparison_text(verification: Verification, report: SensitivityReport, plan: Plan) -> str:
    """The measured error beside those of casts to one format that take no more bytes.

    A plan that is such a cast itself is not held against itself.

    Args:
        verification: of the plan.
        report: the sensitivity, whose whole casts were run too.
        plan: says what each cast takes.
    """
    measured = verification.measured_squared_error
    if measured is None:
        return ""
    sizes = {each.dtype: each.totals.stored_bytes for each in plan.uniform}
    own = {name for _, name in plan.pairs}
    small = [
        check for check in report.uniform if sizes[check.dtype] <= verification.predicted_bytes and {check.dtype} != own
    ]
    if not small:
        return "No other cast to one format of those measured takes as few bytes."
    names = {
        check.dtype: "not finite"
        if check.measured_squared_error is None
        else f"{number_text(sqnr_db(report.output_mean_square, check.measured_squared_error))} dB"
        for check in small
    }
    better = [
        check.dtype
        for check in small
        if check.measured_squared_error is not None and check.measured_squared_error < measured
    ]
    listed = ", ".join(f"{name} {said}" for name, said in names.items())
    if better:
        return f"Of the other casts to one format of no more bytes, {', '.join(better)} measured less error: {listed}."
    return f"More exact than, or as exact as, every other cast to one format of no more bytes, all measured: {listed}."
