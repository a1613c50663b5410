"""Limits on error metrics, judged over stored numbers without running anything."""

from __future__ import annotations

import math
from dataclasses import dataclass

from precision.errors import InputError
from precision.glossary import metric_named
from precision.results import ErrorMetrics


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The worst value of one metric that still passes.

    Nothing passes unseen: a metric that was not measured, a NaN, and outputs of which only one side is
    finite (no error of theirs is in any metric) all count as violations.
    """

    metric: str
    """A field of `ErrorMetrics`."""
    value: float
    higher_is_better: bool

    def violation(self, metrics: ErrorMetrics) -> str | None:
        """What is wrong, in one sentence; None where `metrics` keeps to the threshold."""
        measured = getattr(metrics, self.metric)
        if measured is None:
            return f"{self.metric} was not measured, so its limit {self.value:g} cannot be checked."
        one_sided = metrics.ref_only_nonfinite + metrics.cand_only_nonfinite
        if one_sided:
            return (
                f"{self.metric} leaves out {one_sided:,} of {metrics.elements:,} elements "
                f"that are infinite or NaN on one side only."
            )
        kept = measured >= self.value if self.higher_is_better else measured <= self.value
        if kept:
            return None
        word = "above" if measured > self.value else "below" if measured < self.value else "not comparable with"
        return f"{self.metric} = {measured!r} is {word} {self.value:g}."


def parse_threshold(text: str, *, higher_is_better: bool) -> Threshold:
    """A threshold from `metric=value`.

    Args:
        text: such as `mean_abs_error=1e-3`.
        higher_is_better: True for a least value that passes, False for a largest.

    Raises:
        InputError: not of that form, no such metric, no number, or a limit on the metric's good side.
    """
    name, separator, number = (part.strip() for part in text.partition("="))
    if not separator:
        raise InputError(f"{text!r} is no limit. Write metric=value, such as mean_abs_error=1e-3.")
    metric = metric_named(name)
    if metric.higher_is_better is not None and metric.higher_is_better != higher_is_better:
        better, option = ("higher", "--fail-below") if metric.higher_is_better else ("lower", "--fail-above")
        raise InputError(f"{name}: {better} is better, so its limit is set by {option}.")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise InputError(f"{name}={number}: the limit must be a number, such as 1e-3.")
    return Threshold(metric=name, value=value, higher_is_better=higher_is_better)
