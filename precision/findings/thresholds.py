"""Limits on error metrics, judged over stored numbers without running anything."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from precision.errors import InputError
from precision.findings.elements import is_sampled
from precision.results import Comparison
from precision.text.metrics import DECISION_METRICS, metric_named


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The worst value of one metric that still passes; for a signed metric, the largest magnitude."""

    metric: str
    """A field of `ErrorMetrics`, or a name in `DECISION_METRICS`."""
    value: float
    higher_is_better: bool

    def violation(self, measured: float | None, *, is_sampled: bool = False) -> str | None:
        """What is wrong with the metric's value, in one sentence; None where it keeps to the threshold.

        A metric that was not measured is a violation, and so is a NaN. `is_sampled` marks the value with `≈`.
        """
        if measured is None:
            return f"{self.metric} was not measured, so its limit {self.value:g} cannot be checked."
        judged = abs(measured) if metric_named(self.metric).higher_is_better is None else measured
        kept = judged >= self.value if self.higher_is_better else judged <= self.value
        if kept:
            return None
        word = "above" if judged > self.value else "below" if judged < self.value else "not comparable with"
        return f"{self.metric} {'≈' if is_sampled else '='} {measured!r} is {word} {self.value:g}."


def violations(comparison: Comparison, thresholds: Sequence[Threshold]) -> tuple[str, ...]:
    """The reasons why a comparison does not pass; empty where it passes, or without thresholds.

    What no metric covers violates every threshold: outputs that could not be compared, elements that are infinite or
    NaN and not the same on both sides, and integer outputs that differ.
    """
    if not thresholds:
        return ()
    metrics = comparison.overall
    uncovered = [f"A limit cannot be checked on all outputs: {reason}" for reason in comparison.uncompared]
    if metrics.nonfinite_differ:
        uncovered.append(
            f"{metrics.nonfinite_differ:,} of {metrics.elements:,} elements are infinite or NaN, and not the same on "
            "both sides: no metric covers them."
        )
    uncovered += [
        f"{output.path}: {output.differs_as_integer:,} of {output.metrics.elements:,} integer elements differ, "
        "which no metric of the other outputs covers."
        for output in comparison.outputs
        if output.differs_as_integer and metrics.mean_abs_error is not None
    ]
    return (*uncovered, *(found for each in thresholds if (found := _violation(comparison, each))))


_OF_DECISIONS = {metric.name for metric in DECISION_METRICS}


def _violation(comparison: Comparison, threshold: Threshold) -> str | None:
    """A metric of decisions is judged by its worst output."""
    if threshold.metric not in _OF_DECISIONS:
        value = getattr(comparison.overall, threshold.metric)
        return threshold.violation(value, is_sampled=is_sampled(comparison.overall, threshold.metric))
    measured: list[float] = [
        found
        for output in comparison.outputs
        if (found := getattr(output.decisions, threshold.metric, None)) is not None
    ]
    if not measured:
        return threshold.violation(None)
    return threshold.violation(min(measured) if threshold.higher_is_better else max(measured, key=abs))


def parse_threshold(text: str, *, higher_is_better: bool) -> Threshold:
    """A threshold from `metric=value`: the smallest value that passes if `higher_is_better`, else the largest.

    Raises:
        InputError: not of that form, no such metric, no number, or a limit on the metric's good side.
    """
    name, separator, number = (part.strip() for part in text.partition("="))
    if not separator:
        raise InputError(f"{text!r} is not a limit. Write metric=value, such as mean_abs_error=1e-3.")
    return threshold_on(name, number, higher_is_better=higher_is_better, low="--fail-below", high="--fail-above")


def threshold_on(name: str, number: str | float, *, higher_is_better: bool, low: str, high: str) -> Threshold:
    """A limit on the metric of that name.

    Args:
        name: a field of `ErrorMetrics`, or a name in `DECISION_METRICS`.
        number: the smallest value that passes if `higher_is_better`, else the largest.
        higher_is_better: as the metric's own, where it has one.
        low: how the caller sets a smallest value, for messages.
        high: how the caller sets a largest value.

    Raises:
        InputError: no such metric, no number, or a limit on the metric's good side.
    """
    metric = metric_named(name)
    if metric.is_setting:
        raise InputError(f"{name} is how the comparison was made, not what it found. Limit an error, such as rmse.")
    if metric.higher_is_better is not None and metric.higher_is_better != higher_is_better:
        better, option = ("higher", low) if metric.higher_is_better else ("lower", high)
        raise InputError(f"{name}: {better} is better, so its limit is set by {option}.")
    try:
        value = float(number)
    except (TypeError, ValueError):
        value = math.nan
    if math.isnan(value):
        raise InputError(f"{name}={number}: the limit must be a number, such as 1e-3.")
    return Threshold(metric=name, value=value, higher_is_better=higher_is_better)
