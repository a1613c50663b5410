"""The verdict on one comparison, in words: rules over stored metrics, applied without running anything.

Every output is judged by its own numbers, and the worst one decides. First comes what became of what matters to it,
which can be compared between formats; then how its error compares with that of rounding, which cannot.
"""

import math
from typing import get_args

from precision.findings.against_rounding import against_rounding
from precision.findings.decisions_judged import Judged, Yardsticks, changes_text, could_change_text, what_matters
from precision.results import CompareResult, Comparison, ErrorMetrics, OutputComparison, Verdict
from precision.results.comparison import Word
from precision.spec import RunSpec
from precision.text.units import fine_share_text, number_text, share_text

_BEST_FIRST = get_args(Word)
_AS_FAR = 0.95
"""Share of the candidate's error against float64 from which the reference's is as large."""
_RESTLESS = 0.1
"""Difference of two runs of the reference over the candidate's error, from which each run differs."""
_DECIDED = {"classes": "classes", "crossings": "decisions", "neighbours": "vectors"}
"""What an output is judged by, in a word; values where it decides nothing that is known."""
_FINDINGS: dict[Word, str] = {
    "exact": "its outputs are exactly the reference's",
    "kept": "its {what} are kept",
    "close": "its values are close to the reference's",
    "uncertain": "too few samples to tell whether its {what} are kept",
    "not attributable": "its error may not be the format's",
    "not measured": "its outputs cannot be compared",
    "changed": "{some}its {what} changed",
    "broken": "its outputs are broken",
}
_OTHER_DRAWS = "Not attributable: the two models may draw other random numbers."


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


def finding(verdict: Verdict, result: CompareResult) -> str:
    """The verdict as the end of a title that begins with the model and its format."""
    if result.comparison is None:
        by_reference = result.failure is not None and result.failure.of_reference
        return f"the {result.spec.reference} reference itself fails" if by_reference else "the run did not end"
    decisive = _decisive(verdict, result.comparison)
    found = decisive.decisions if decisive else None
    if verdict.word in ("kept", "changed") and isinstance(found, Judged) and (changes := found.flips_interval):
        counted = changes_text(found).rstrip(".")
        return f"{counted[0].lower()}{counted[1:]}; {could_change_text(found, changes)}"
    counted = _DECIDED[found.kind] if found and found.flips_interval else ""
    return _FINDINGS[verdict.word].format(what=counted or "values", some="some of " if counted else "")


def not_the_formats(result: CompareResult, limits: Yardsticks | None = None) -> str:
    """Why the difference of the output that decides is not the format's; empty where nothing says so."""
    limits = limits or Yardsticks()
    verdict = judge(result, limits)
    output = _decisive(verdict, result.comparison) if result.comparison else None
    if output is None or verdict.word in ("exact", "not measured") or output.metrics.nonfinite_differ:
        return ""
    return _not_the_formats(output, result, limits)


def _decisive(verdict: Verdict, comparison: Comparison) -> OutputComparison | None:
    """The output that decides; None where nothing is compared."""
    outputs = [output for output in comparison.outputs if output.metrics.elements]
    return next((output for output in outputs if verdict.output in ("", output.path)), None)


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
    metrics, spec = output.metrics, result.spec
    not_the_formats = _not_the_formats(output, result, limits)
    verdict = (
        _not_finite(metrics, spec)
        or _exact(metrics)
        or _other_integers(output, result, limits)
        or _by_what_matters(output, result, limits, not_the_formats)
    )
    technical = against_rounding(output, result.spec, limits)
    hidden = technical is not None and technical.word == "amplified" and not_the_formats
    if hidden or _other_draws(result) or _restless(output, limits):
        technical = None  # whose error it is is not known
    if technical is not None and technical.word == "amplified" and spec.weights:
        technical = None  # outputs are not rounded to a format of the weights
    return verdict.model_copy(update={"output": output.path, "against_rounding": technical})


def _not_finite(metrics: ErrorMetrics, spec: RunSpec) -> Verdict | None:
    dtype = spec.candidate if spec.weights else spec.dtype
    if metrics.ref_only_nonfinite:
        is_widest = spec.reference == "float64"
        advice = "None is wider: look at the model and its input." if is_widest else "Choose a wider one."
        return Verdict(
            word="not measured",
            sentence=f"{metrics.ref_only_nonfinite:,} of {metrics.elements:,} elements are infinite or NaN in the "
            f"reference and finite in the candidate: this reference cannot be trusted. {advice}",
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


def _other_integers(output: OutputComparison, result: CompareResult, limits: Yardsticks) -> Verdict | None:
    if not output.differs_as_integer:
        return None
    if other := _other_draws(result):
        return Verdict(word="not attributable", sentence=other, rule=_OTHER_DRAWS)
    if other := _restless(output, limits):
        return Verdict(word="not attributable", sentence=other, rule=_restless_rule(limits))
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


def _by_what_matters(output: OutputComparison, result: CompareResult, limits: Yardsticks, own: str) -> Verdict:
    """Broken, or what became of what the output decides; unless `own` says why the difference is not the format's."""
    verdict = _lost(output.metrics, limits) or what_matters(output, limits)
    if not own:
        return verdict
    if verdict.word in ("kept", "close"):
        return verdict.model_copy(update={"sentence": f"{own} {verdict.sentence}"})
    far = f"Not attributable: the reference's error against float64 is at least {share_text(limits.own_error)} of the "
    rule = f"{far}candidate's."
    if _other_draws(result):
        rule = _OTHER_DRAWS
    elif _restless(output, limits):
        rule = _restless_rule(limits)
    return Verdict(word="not attributable", sentence=f"{own} {verdict.sentence}", rule=rule)


def _not_the_formats(output: OutputComparison, result: CompareResult, limits: Yardsticks) -> str:
    """Why the difference is not the format's: other random numbers, runs of the reference that differ as much, or the
    reference is as far from float64 as the candidate. Empty where none is known.
    """
    if other := _other_draws(result) or _restless(output, limits):
        return other
    truth, repeat = output.truth, (output.repeat_floor and output.repeat_floor.rmse) or 0.0
    if repeat > _RESTLESS * (output.metrics.rmse or 0.0):
        return ""  # each run differs: a run in float64 tells nothing
    share = truth.own_share if truth else None
    if truth is None or truth.reference is None or truth.candidate is None or share is None or share < limits.own_error:
        return ""
    reference, candidate = result.spec.reference, result.spec.candidate
    own, other = f"(RMSE {number_text(truth.reference.rmse)})", f"({number_text(truth.candidate.rmse)})"
    if share >= _AS_FAR:
        said = f"as far from float64 {own} as {candidate} {other}, or farther: {candidate} does no worse here."
    else:
        said = f"{fine_share_text(share)} as far from float64 {own} as {candidate} {other}: much of this difference is "
        said += f"not that of {candidate}."
    return f"The {reference} reference is itself {said}"


def _other_draws(result: CompareResult) -> str:
    """That the models do not draw the same random numbers; empty where they do."""
    if result.comparison is None or result.comparison.noise != "not shared":
        return ""
    return (
        "The model draws random numbers in its forward, and the two models may not get the same ones, because a draw "
        f"depends on values or on the order: this difference cannot be put down to {result.spec.candidate}."
    )


def _restless(output: OutputComparison, limits: Yardsticks) -> str:
    """That two runs of the reference differ by as much as the candidate; empty where they do not."""
    repeat = output.repeat_floor
    if repeat is None:
        return ""
    if differ := output.differs_as_integer:
        again = repeat.elements - round((1.0 if repeat.exact_share is None else repeat.exact_share) * repeat.elements)
        own, other = f"in {again:,} elements", f"in {differ:,}"
        is_restless = again >= limits.own_error * differ
    else:
        size, rmse = repeat.rmse or 0.0, output.metrics.rmse or 0.0
        own, other = f"(RMSE {number_text(size)})", f"(RMSE {number_text(rmse)})"
        is_restless = size > 0 and size >= limits.own_error * rmse
    if not is_restless:
        return ""
    return (
        f"Two runs of the reference differ {own}, the candidate differs from it {other}: the model is not "
        "deterministic here, and this difference cannot be put down to the format."
    )


def _restless_rule(limits: Yardsticks) -> str:
    return (
        f"Not attributable: two runs of the reference differ by at least {share_text(limits.own_error)} of the "
        "candidate's difference."
    )


def _lost(metrics: ErrorMetrics, limits: Yardsticks) -> Verdict | None:
    if metrics.sqnr_db is None or metrics.sqnr_db >= limits.broken_below_db:
        return None
    share = fine_share_text(metrics.normalized_l2 or 0.0)
    size = f"The error is {share} of the signal's size (SQNR {number_text(metrics.sqnr_db)} dB)."
    return Verdict(
        word="broken",
        sentence="The reference is zero, and the candidate is not." if metrics.sqnr_db == -math.inf else size,
        rule=f"Broken: SQNR below {limits.broken_below_db:g} dB.",
    )
