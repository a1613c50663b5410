"""The verdict on one comparison, in words: rules over stored metrics, applied without running anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from precision.formats import format_named
from precision.results import CompareResult, Comparison, ErrorMetrics

Word = Literal[
    "exact", "below noise", "rounding only", "amplified", "broken", "finer than the reference", "not measured"
]


@dataclass(frozen=True, kw_only=True)
class Yardsticks:
    """The limits that the rules use."""

    rounding_multiple: float = 2.0
    """Errors up to this many rounding floors are called rounding only."""
    broken_below_db: float = 10.0
    """Below this signal-to-noise ratio an output is called broken."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One word, the sentence that says it of this run, and the rule that gave it."""

    word: Word
    sentence: str
    rule: str


def judge(result: CompareResult, limits: Yardsticks | None = None) -> Verdict:
    """The verdict on a comparison; the first rule that applies wins.

    Errors are judged by their root mean square, against the same measure of the two floors.
    """
    limits = limits or Yardsticks()
    comparison = result.comparison
    if comparison is None:
        why = result.failure.message if result.failure else "The comparison did not finish."
        return Verdict(word="not measured", sentence=why, rule="There is no comparison to judge.")
    return (
        _nothing_to_compare(comparison)
        or _broken(comparison.overall, result.spec.dtype, limits)
        or _exact(comparison.overall)
        or _integers(comparison.overall)
        or _finer(result, comparison.overall)
        or _against_floors(comparison, limits, result.spec.dtype)
    )


def _nothing_to_compare(comparison: Comparison) -> Verdict | None:
    if comparison.overall.elements:
        return None
    reason = comparison.notes[0] if comparison.notes else "The output has no elements."
    return Verdict(word="not measured", sentence=reason, rule="The outputs have no pair of elements to compare.")


def _broken(metrics: ErrorMetrics, dtype: str, limits: Yardsticks) -> Verdict | None:
    if metrics.cand_only_nonfinite:
        return Verdict(
            word="broken",
            sentence=f"{metrics.cand_only_nonfinite:,} of {metrics.elements:,} outputs became infinite or NaN "
            f"in {dtype}; the reference's are finite.",
            rule="Broken: an output is not finite where the reference's is.",
        )
    if metrics.finite_pairs == 0:
        return None
    if metrics.sqnr_db is not None and metrics.sqnr_db < limits.broken_below_db:
        return Verdict(
            word="broken",
            sentence=f"The error is too near the size of the signal: SQNR {metrics.sqnr_db:.1f} dB.",
            rule=f"Broken: SQNR below {limits.broken_below_db:g} dB.",
        )
    return None


def _exact(metrics: ErrorMetrics) -> Verdict | None:
    if metrics.exact_share != 1:
        return None
    return Verdict(
        word="exact",
        sentence=f"All {metrics.elements:,} outputs equal the reference's.",
        rule="Exact: every output equals the reference's.",
    )


def _integers(metrics: ErrorMetrics) -> Verdict | None:
    if metrics.rmse is not None:
        return None
    if metrics.finite_pairs == 0 and metrics.ref_nonfinite:
        return Verdict(
            word="not measured",
            sentence="The reference has no finite output where the candidate has one: no error can be measured.",
            rule="There is no pair of finite elements.",
        )
    share = 1 - (metrics.exact_share or 0)
    return Verdict(
        word="amplified",
        sentence=f"{share:.2%} of the integer outputs differ from the reference's.",
        rule="Integer outputs have no rounding: any difference is the model's.",
    )


def _finer(result: CompareResult, metrics: ErrorMetrics) -> Verdict | None:
    if result.spec.format.mantissa_bits <= format_named(result.spec.reference).mantissa_bits:
        return None
    return Verdict(
        word="finer than the reference",
        sentence=f"{result.spec.dtype} is finer than the {result.spec.reference} reference: "
        f"the difference (RMSE {metrics.rmse:.2e}) is mostly the reference's own error.",
        rule="Finer: the candidate's format has more mantissa bits than the reference's.",
    )


def _against_floors(comparison: Comparison, limits: Yardsticks, dtype: str) -> Verdict:
    rmse = comparison.overall.rmse or 0.0
    repeat, rounding = comparison.repeat_floor.rmse or 0.0, comparison.rounding_floor.rmse or 0.0
    if rmse <= repeat:
        return Verdict(
            word="below noise",
            sentence=f"The error (RMSE {rmse:.2e}) is no larger than the difference between two runs of the "
            f"reference ({repeat:.2e}).",
            rule="Below noise: RMSE ≤ repeat floor.",
        )
    if rmse <= limits.rounding_multiple * rounding:
        return Verdict(
            word="rounding only",
            sentence=f"The error is {rmse / rounding:.1f} × that of merely rounding the outputs to {dtype}: "
            f"no computation in {dtype} could do much better.",
            rule=f"Rounding only: RMSE ≤ {limits.rounding_multiple:g} × rounding floor.",
        )
    if rounding:
        size = f"The error is {rmse / rounding:.1f} × that of merely rounding the outputs to {dtype}"
    else:
        size = f"The outputs would round to {dtype} without error, yet differ (RMSE {rmse:.2e})"
    return Verdict(
        word="amplified",
        sentence=f"{size}: the model's layers add to it.",
        rule=f"Amplified: RMSE > {limits.rounding_multiple:g} × rounding floor, outputs finite, "
        f"SQNR ≥ {limits.broken_below_db:g} dB.",
    )
