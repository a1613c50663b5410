"""The verdict on one comparison, in words: rules over stored metrics, applied without running anything.

Every output is judged by its own numbers, and the worst one decides. First comes what became of what matters to it,
which can be compared between formats; then how its error compares with that of rounding, which cannot.
"""

import math
from typing import get_args

from precision.findings.against_rounding import against_rounding
from precision.findings.decisions_judged import Yardsticks, what_matters
from precision.results import CompareResult, Comparison, ErrorMetrics, OutputComparison, Verdict
from precision.results.comparison import Word
from precision.text.units import fine_share_text, number_text, share_text

_BEST_FIRST = get_args(Word)


def judge(result: CompareResult, limits: Yardsticks | None = None) -> Verdict:
    """The verdict on a comparison: that of its worst output; of equally bad ones, the first."""
    limits = limits or Yardsticks()
    comparison = result.comparison
    if comparison is None:
        why = result.failure.message if result.failure else "The comparison did not finish."
        return Verdict(word="not measured", sentence=why, rule="There is no comparison to judge.")
    if (impossible := _not_comparable(comparison)) is not None:
        return impossible
    judged = [_judged(output, result, limits) for output in comparison.outputs if output.metrics.elements]
    worst = max(judged, key=lambda verdict: _BEST_FIRST.index(verdict.word))
    if len(judged) == 1:
        return worst.model_copy(update={"output": ""})
    return worst.model_copy(update={"sentence": f"Output {worst.output}: {worst.sentence}"})


def technical_text(verdict: Verdict) -> str:
    """How the deciding output's error compares with rounding, in a sentence; empty where it has no size."""
    found = verdict.against_rounding
    return f"{found.word.capitalize()}: {found.sentence}" if found else ""


def _not_comparable(comparison: Comparison) -> Verdict | None:
    if comparison.uncompared:
        return Verdict(
            word="not measured",
            sentence=f"Not every output can be compared: {comparison.uncompared[0]}",
            rule="Every output needs a counterpart of the same shape and kind.",
        )
    if not any(output.metrics.elements for output in comparison.outputs):
        return Verdict(
            word="not measured",
            sentence=comparison.notes[0] if comparison.notes else "The output has no elements.",
            rule="The outputs have no pair of elements to compare.",
        )
    return None


def _judged(output: OutputComparison, result: CompareResult, limits: Yardsticks) -> Verdict:
    """The verdict on one output; the first rule that applies wins."""
    metrics, dtype = output.metrics, result.spec.dtype
    verdict = (
        _not_finite(metrics, dtype)
        or _other_integers(output)
        or _exact(metrics)
        or _below_noise(output)
        or _by_what_matters(output, result, limits)
    )
    technical = against_rounding(output, result.spec, limits)
    if technical is not None and technical.word == "amplified" and _not_the_formats(output, result, limits):
        technical = None  # whose error it is is not known
    return verdict.model_copy(update={"output": output.path, "against_rounding": technical})


def _not_finite(metrics: ErrorMetrics, dtype: str) -> Verdict | None:
    if metrics.ref_only_nonfinite:
        return Verdict(
            word="not measured",
            sentence=f"{metrics.ref_only_nonfinite:,} of {metrics.elements:,} elements are infinite or NaN in the "
            "reference and finite in the candidate: this reference cannot be trusted. Choose a wider one.",
            rule="The reference must be finite where the candidate is.",
        )
    if metrics.cand_only_nonfinite:
        return Verdict(
            word="broken",
            sentence=f"{metrics.cand_only_nonfinite:,} of {metrics.elements:,} elements became infinite or NaN "
            f"in {dtype}; the reference's are finite.",
            rule="Broken: an element is not finite where the reference is finite.",
        )
    if metrics.nonfinite_differ:
        return Verdict(
            word="broken",
            sentence=f"{metrics.nonfinite_differ:,} of {metrics.elements:,} elements are infinite or NaN in both, "
            "but not the same.",
            rule="Broken: an infinite or NaN element differs from the reference's.",
        )
    if metrics.ref_nonfinite == metrics.elements:
        return Verdict(
            word="not measured",
            sentence=f"All {metrics.elements:,} elements are infinite or NaN in the reference itself: there is nothing "
            "to compare.",
            rule="At least one pair of elements must be finite.",
        )
    return None


def _other_integers(output: OutputComparison) -> Verdict | None:
    if not output.differs_as_integer:
        return None
    return Verdict(
        word="changed",
        sentence=f"{output.differs_as_integer:,} of {output.metrics.elements:,} elements of the "
        f"{output.reference_dtype} output differ.",
        rule="Changed: integer outputs are not rounded, so any difference is a different answer.",
    )


def _exact(metrics: ErrorMetrics) -> Verdict | None:
    if metrics.exact_share != 1:
        return None
    finite = "finite " if metrics.ref_nonfinite else ""
    return Verdict(
        word="exact",
        sentence=f"All {metrics.elements - metrics.ref_nonfinite:,} {finite}elements equal the reference's.",
        rule="Exact: every element equals the reference's.",
    )


def _below_noise(output: OutputComparison) -> Verdict | None:
    rmse, repeat = output.metrics.rmse, output.repeat_floor.rmse if output.repeat_floor else None
    if rmse is None or rmse > (repeat or 0.0):
        return None
    return Verdict(
        word="below noise",
        sentence=f"The error (RMSE {number_text(rmse)}) is no larger than the difference between two runs of the "
        f"reference ({number_text(repeat)}).",
        rule="Below noise: RMSE ≤ repeat floor.",
    )


def _by_what_matters(output: OutputComparison, result: CompareResult, limits: Yardsticks) -> Verdict:
    """Broken, or what became of what the output decides; unless the reference is as far off itself."""
    verdict = _lost(output.metrics, limits) or what_matters(output, limits)
    own = _not_the_formats(output, result, limits)
    if not own:
        return verdict
    if verdict.word in ("kept", "close"):
        return verdict.model_copy(update={"sentence": f"{own} {verdict.sentence}"})
    return Verdict(
        word="not attributable",
        sentence=f"{own} {verdict.sentence}",
        rule="Not attributable: the reference's error against float64 is at least "
        f"{share_text(limits.own_error)} of the candidate's, or the two draw other random numbers.",
    )


def _not_the_formats(output: OutputComparison, result: CompareResult, limits: Yardsticks) -> str:
    """Why the difference is not the format's: other random numbers, or the reference is as far from float64 as the
    candidate. Empty where neither is known.
    """
    if result.comparison is not None and result.comparison.noise == "not shared":
        return (
            "The model draws random numbers in its forward that depend on its values, so the two models do not get the "
            f"same ones: this difference cannot be put down to {result.spec.candidate}."
        )
    truth = output.truth
    share = truth.own_share if truth else None
    if truth is None or truth.reference is None or truth.candidate is None or share is None or share < limits.own_error:
        return ""
    reference, candidate = result.spec.reference, result.spec.candidate
    own, other = f"(RMSE {number_text(truth.reference.rmse)})", f"({number_text(truth.candidate.rmse)})"
    far = f"{fine_share_text(share)} as far from float64 {own} as" if share < 1 else f"farther from float64 {own} than"
    return f"The {reference} reference is itself {far} {candidate} is {other}: this is not the error of {candidate}."


def _lost(metrics: ErrorMetrics, limits: Yardsticks) -> Verdict | None:
    if metrics.sqnr_db is None or metrics.sqnr_db >= limits.broken_below_db:
        return None
    size = "The reference is zero" if metrics.sqnr_db == -math.inf else f"SQNR {number_text(metrics.sqnr_db)} dB"
    return Verdict(
        word="broken",
        sentence=f"The error is almost as large as the signal, or larger. {size}.",
        rule=f"Broken: SQNR below {limits.broken_below_db:g} dB.",
    )
