"""What to do with a format: the verdict in everyday language, what is gained, and the next step."""

import math
from typing import Literal, NamedTuple

from precision.findings.against_rounding import THE_REST
from precision.findings.cast import memory_text
from precision.findings.decisions_judged import Judged, Yardsticks, could_change_text, few_clusters_text, samples_needed
from precision.findings.speed import compare_speed
from precision.findings.verdict import decisive_output, judge
from precision.results import (
    ClassDecisions,
    CompareResult,
    CrossingDecisions,
    Decisions,
    ErrorMetrics,
    InputChoice,
    NeighbourDecisions,
    OutputComparison,
    Verdict,
)
from precision.results.intervals import Interval
from precision.spec import MAX_BATCH, Analysis
from precision.text.units import capitalised, count_text, fine_share_text, number_text, ratio_text

Level = Literal["safe", "check", "avoid", "unknown"]
_BEGINNINGS: dict[Level, str] = {
    "safe": "Safe {in_it}",
    "check": "Check {it} first",
    "avoid": "Do not use {it} here",
    "unknown": "No answer for {it}",
}
_ABOUT = 0.5
"""Below this share of the error of rounding alone, an error is less than it."""
_NO_GUESS = "Nothing says how exact it must be."


class Step(NamedTuple):
    """What to do next."""

    label: str
    page: str = ""
    """The script of the page to open."""
    batch: int | None = None
    """Samples to run with instead."""
    reference: str = ""
    """The reference to compare with instead."""


class Recommendation(NamedTuple):
    """A decision about one candidate, for a reader who does not know what a mantissa is."""

    level: Level
    headline: str
    """What happened to what the output is for, in one sentence without a full stop."""
    details: tuple[str, ...]
    """Sentences: how sure that is, what is saved, and how fast it is here."""
    why: str
    """In one sentence; empty where nothing is known."""
    step: Step | None
    verdict: Verdict
    """What it rests on."""


def recommend(result: CompareResult, limits: Yardsticks | None = None) -> Recommendation:
    """The decision on a comparison, or on what one has measured so far."""
    limits = limits or Yardsticks()
    verdict = judge(result, limits)
    output = decisive_output(verdict, result.comparison) if result.comparison else None
    if result.comparison is None:
        (level, happened), sure = _unfinished(result), ""
    else:
        level = _level(verdict, output, limits)
        happened, sure = _happened(verdict, output, result)
    several = result.spec.plan or result.spec.weights
    it = f"this {result.spec.candidate}" if several else result.spec.candidate
    beginning = _BEGINNINGS[level].format(it=it, in_it=f"{'with' if several else 'in'} {it}")
    which = f"Of several outputs, this is about the worst: {verdict.output}." if verdict.output else ""
    is_lost = level == "unknown" or verdict.word == "broken"
    gained = () if is_lost or result.audit is None else (memory_text(result.audit), _speed(result))
    return Recommendation(
        level=level,
        headline=f"{beginning}: {happened}",
        details=tuple(filter(None, (sure, *gained, which))),
        why=_why(verdict, output, limits),
        step=_step(verdict, output, result, limits),
        verdict=verdict,
    )


def _unfinished(result: CompareResult) -> tuple[Level, str]:
    """The same of a run that has compared nothing."""
    failure = result.failure
    if failure is None:
        return "unknown", "the outputs are not compared yet"
    if failure.of_reference:
        return "unknown", f"the {result.spec.reference} reference itself fails"
    return ("avoid", f"the model fails in {failure.where}") if failure.where else ("unknown", "the run did not end")


def _level(verdict: Verdict, output: OutputComparison | None, limits: Yardsticks) -> Level:
    if verdict.word in ("exact", "kept"):
        return "safe"
    if verdict.word in ("close", "uncertain", "not attributable"):
        return "check"
    if verdict.word == "not measured":
        return "unknown"
    if verdict.word != "changed" or output is None:
        return "avoid"
    most, changes = max(limits.resolved_flips, limits.tolerated_flips), _changes(output)
    least = changes.low if changes else (output.differs_as_integer or math.inf) / output.metrics.elements
    return "check" if least <= most else "avoid"


def _changes(output: OutputComparison | None) -> Interval | None:
    found = output.decisions if output else None
    return found.flips_interval if isinstance(found, Judged) else None


def _happened(verdict: Verdict, output: OutputComparison | None, result: CompareResult) -> tuple[str, str]:
    """What happened, as the end of a sentence; and how sure that is of other samples, in a sentence."""
    if output is not None and output.metrics.cand_only_nonfinite and verdict.word == "broken":
        return lost_text(output.metrics), ""
    if output is None or verdict.word == "not measured" or output.metrics.nonfinite_differ:
        return _ending(verdict.sentence), ""
    found = output.decisions
    if verdict.word == "exact" and result.spec.candidate == result.spec.reference:
        return _values(output, verdict), ""
    is_kept = verdict.word == "broken" and found is not None and not found.changed_samples
    if found is None or not found.samples or output.differs_as_integer or is_kept:
        return _values(output, verdict), ""
    if isinstance(found, NeighbourDecisions) and found.cosine.low is not None:
        low = f"{math.floor(1e4 * found.cosine.low) / 1e4:g}"  # a bound is not rounded up
        mean = f"On average, vectors keep a cosine similarity of at least {low} with their own, 95 % sure."
        return _decided(found, _sample(found, result)), mean
    changes = _changes(output)
    sure = could_change_text(found, changes, _sample(found, result)) if changes and isinstance(found, Judged) else ""
    surely = (f"{capitalised(sure)}.", few_clusters_text(found)) if sure else ()
    return _decided(found, _sample(found, result)), " ".join(filter(None, surely))


def lost_text(metrics: ErrorMetrics) -> str:
    """How many values the candidate alone has infinite or NaN, as a sentence without a full stop."""
    return f"{metrics.cand_only_nonfinite:,} of {metrics.elements:,} output values become infinite or NaN"


def _ending(sentence: str) -> str:
    """A sentence as the end of another one."""
    said = sentence.rstrip(".")
    return said if said[:2].isupper() or said[:1].isdigit() else f"{said[:1].lower()}{said[1:]}"


def _values(output: OutputComparison, verdict: Verdict) -> str:
    if verdict.word == "exact":
        return "its outputs are exactly the same"
    if output.differs_as_integer:
        differ = "differs" if output.differs_as_integer == 1 else "differ"
        return f"{output.differs_as_integer:,} of {output.metrics.elements:,} {output.reference_dtype} values {differ}"
    where = ", where the reference is finite" if output.metrics.ref_nonfinite else ""
    return f"its values are off by {fine_share_text(output.metrics.normalized_l2 or 0.0)} of their size{where}"


def _decided(found: Decisions, sample: str) -> str:
    """What became of the decisions on all samples."""
    changed, samples = found.changed_samples, count_text(found.samples, sample)
    if isinstance(found, CrossingDecisions):
        if not changed:
            return f"every probability of {samples} stays on its side of one half"
        return f"a probability crosses one half in {changed:,} of {samples}"
    kept = "nearest neighbour" if isinstance(found, NeighbourDecisions) else found.choice
    if changed:
        return f"{changed:,} of {samples} change{f's its {kept}' if changed == 1 else f' their {kept}'}"
    if found.samples == 1:
        return f"the only {sample} keeps its {kept}"
    return f"{f'both {sample}s' if found.samples == 2 else f'all {samples}'} keep their {kept}"


def _sample(found: Decisions, result: CompareResult) -> str:
    """What a sample is called: a token, or what the input's description calls it."""
    choice = _input(result)
    return choice.sample if choice and found.unit == "sample" else found.unit


def _input(result: CompareResult) -> InputChoice | None:
    """The description of the input that ran; None of a caller's own."""
    name = result.input.name if result.input else None
    return next((choice for choice in result.model.inputs if choice.name == name), None)


def _speed(result: CompareResult) -> str:
    if result.cost is None:
        under_way = result.comparison and not result.failure and result.spec.analysis is Analysis.COMPARE
        return "Speed: being measured." if under_way else ""
    if result.execution.label == "simulated":
        return "Speed is not known: simulated here."
    speed = compare_speed(result.cost)
    if not speed.is_known:
        return f"Speed is not known: {speed.reason}."
    is_rough = speed.ratio and (result.cost.reference_time.warnings or result.cost.candidate_time.warnings)
    return f"{capitalised(f'about {speed.alone}' if is_rough else speed.alone)} here."


def _why(verdict: Verdict, output: OutputComparison | None, limits: Yardsticks) -> str:
    if output is None or verdict.word in ("not measured", "exact"):
        return ""
    if verdict.word == "uncertain":
        return _too_few(output, limits)
    if verdict.word == "not attributable":
        return verdict.sentence
    if output.metrics.cand_only_nonfinite and verdict.word == "broken":
        return "One infinity or NaN takes with it whatever is computed from it."
    found = output.decisions
    if isinstance(found, ClassDecisions) and found.accuracy:
        before, after = (fine_share_text(share) for share in (found.accuracy.reference, found.accuracy.candidate))
        told = f"{before} → {after}" if before != after else f"still {after}"
        return f"Accuracy {told}. {_of_rounding(verdict, output)}".rstrip()
    if isinstance(found, NeighbourDecisions):
        return f"Mean cosine similarity {number_text(found.mean_cosine)}. {_of_rounding(verdict, output)}".rstrip()
    return f"{_NO_GUESS if verdict.word == 'close' else ''} {_of_rounding(verdict, output)}".strip()


def _too_few(output: OutputComparison, limits: Yardsticks) -> str:
    found = output.decisions
    needed = samples_needed(found, limits) if isinstance(found, Judged) else None
    if found is None or needed is None:
        return "There are too few samples to tell."
    unit = found.cluster_unit if found.clusters else found.unit
    return f"There are too few to tell: about {count_text(needed, unit)} would be enough."


def _of_rounding(verdict: Verdict, output: OutputComparison) -> str:
    """Where the error comes from, in plain words."""
    against = verdict.against_rounding
    floor = output.rounding_floor.rmse if output.rounding_floor else None
    if against is None:
        return ""
    if against.word == "finer than the reference":
        return "The reference itself is the less exact of the two."
    if against.word == "exact":
        return "There is no error at all."
    ratio = output.metrics.rmse / floor if floor and output.metrics.rmse else None
    if against.word == "rounding only":
        size = "less than" if ratio is not None and ratio < _ABOUT else "about"
        return f"The error is {size} what rounding the result alone would give."
    if ratio is None:
        return "Rounding the result alone would not explain the error."
    return f"The error is {ratio_text(ratio, 2)} times what rounding the result alone would give: {THE_REST}."


def _step(verdict: Verdict, output: OutputComparison | None, result: CompareResult, limits: Yardsticks) -> Step | None:
    """What helps most now; None while nothing is compared, and where the run ended early, which can run again."""
    if result.comparison is None or result.failure:
        return None
    if result.spec.candidate_weights:  # other pages know of one model's weights only
        return Step("See how the errors are spread", page="errors")
    if verdict.word in ("exact", "kept"):
        return Step("Find the best plan: a format for every layer", page="mixed_precision")
    if verdict.word == "uncertain":
        return _more_samples(output, result, limits)
    if verdict.word == "close":
        return Step("See how the errors are spread", page="errors")
    if verdict.word == "not attributable" and result.spec.reference == "float32" and result.comparison.truth:
        return Step("Compare with float64 instead", reference="float64")
    if verdict.word == "not measured":
        is_nan = result.comparison.overall.ref_nonfinite
        return Step("Find where the reference becomes infinite or NaN", page="propagation") if is_nan else None
    if verdict.word == "broken":
        return Step("Find the operator that breaks it, and what mends it", page="propagation")
    return Step("See which layers add the error", page="propagation")


def _more_samples(output: OutputComparison | None, result: CompareResult, limits: Yardsticks) -> Step:
    found, choice = (output.decisions if output else None), _input(result)
    needed = samples_needed(found, limits) if isinstance(found, Judged) else None
    has_more = choice is not None and choice.takes_batch and (choice.max_batch is not None or not choice.takes_text)
    if choice and has_more and found and needed and found.clusters is None:
        batch = min(needed, choice.max_batch or MAX_BATCH, MAX_BATCH)
        if batch > found.samples:
            return Step(f"Run with {count_text(batch, choice.sample)}", batch=batch)
    return Step("See how close the decisions are", page="errors")
