"""What float16 costs in accuracy."""

from dataclasses import dataclass

import torch
from torch import Tensor

from precision.findings.verdict import technical_text
from precision.measure.casting import methods as casting
from precision.measure.claims.facts.running import FLOAT16, FLOAT32
from precision.measure.claims.finding import Finding, count, error, fact
from precision.measure.claims.subject import Subject
from precision.measure.metrics.outputs import flatten
from precision.measure.models.loading import load
from precision.results import Accuracy, ClaimWord, ClassDecisions, CompareResult, Evidence
from precision.spec import CastMethod, RunSpec
from precision.text.units import share_text

ARTICLE_FULL, ARTICLE_LOW = (-0.6872, 0.7132), (-0.6870, 0.7134)
"""Each row of its outputs, as printed there, in float32 and after `half()`."""
ARTICLE_MEAN, ARTICLE_MAX = 0.00020454823970794678, 0.00022590160369873047
"""Of the article's TinyNet, on the author's machine."""
_PRINTED_DIGITS = 4
_AGREE = 1e-3
"""Relative difference up to which two errors are the same: other kernels round other sums."""

_SMALL = ("exact", "rounding only", "finer than the reference")
_LARGE = ("broken", "changed")


@dataclass(frozen=True, kw_only=True)
class TinyNetErrors:
    """Absolute differences of TinyNet's outputs, subtracted in float32 as the article does."""

    mean: float
    max: float
    full: tuple[float, ...]
    """The outputs in float32, each row once, to the four digits that the article prints."""
    low: tuple[float, ...]
    """After `half()`."""


def tinynet_errors(device: torch.device) -> TinyNetErrors:
    """Run the article's TinyNet on the token ids [[0, 1], [1, 0]]."""
    loaded = load(RunSpec(model="tinynet", input="fixed", seed=123))
    full, low = (
        flatten(model(loaded.args)).leaves[0].tensor
        for model in (
            casting.reference(loaded.module, FLOAT32, device=device),
            casting.cast(loaded.module, FLOAT16, method=CastMethod.HALF, device=device),
        )
    )
    difference = (full - low.float()).abs()
    return TinyNetErrors(
        mean=difference.mean().item(), max=difference.max().item(), full=_printed(full), low=_printed(low)
    )


def _printed(outputs: Tensor) -> tuple[float, ...]:
    rows = dict.fromkeys(
        tuple(round(value, _PRINTED_DIGITS) for value in row) for row in outputs.flatten(0, -2).tolist()
    )
    return tuple(value for row in rows for value in row)


def article_numbers(on: Subject) -> Finding:
    """Whether both errors are the article's, to a part in a thousand."""
    seen = tinynet_errors(on.device)
    pairs = ((seen.mean, ARTICLE_MEAN), (seen.max, ARTICLE_MAX))
    close = [abs(here / there - 1) <= _AGREE for here, there in pairs]
    digits = [here == there for here, there in pairs]
    printed = (seen.full, seen.low) == (ARTICLE_FULL, ARTICLE_LOW)
    evidence = (
        *(_outputs(*row) for row in (("float32", seen.full, ARTICLE_FULL), ("float16", seen.low, ARTICLE_LOW))),
        error("Mean here", seen.mean),
        error("Mean in the article", ARTICLE_MEAN),
        error("Largest here", seen.max),
        error("Largest in the article", ARTICLE_MAX),
    )
    near = f"within {share_text(_AGREE)}"
    mean, largest = ("to the last digit" if same else near for same in digits)
    sentence = (
        f"Reproduced: the mean {mean}, the largest {largest}." if all(close) else "The errors are different here."
    )
    sentence += " The outputs are those printed there." if printed else " The outputs are not those printed there."
    close.append(printed)
    return Finding("true" if all(close) else "depends" if any(close) else "false", sentence, evidence)


def _outputs(dtype: str, here: tuple[float, ...], there: tuple[float, ...]) -> Evidence:
    rows = [", ".join(f"{value:.{_PRINTED_DIGITS}f}" for value in row) for row in (here, there)]
    return fact(f"Outputs in {dtype}", f"{rows[0]}; in the article {rows[1]}")


def small_error(on: Subject) -> Finding:
    """Whether the product's verdict calls the error no more than rounding."""
    seen = on.compared
    if seen.comparison is None or seen.verdict is None:
        return _not_compared(seen)
    comparison, verdict = seen.comparison, seen.verdict
    evidence = (
        fact("Verdict", verdict.rule),
        error("Mean absolute error", comparison.overall.mean_abs_error),
        error("Largest absolute error", comparison.overall.max_abs_error),
        error("Root mean square error", comparison.overall.rmse),
        error("Error of rounding only the outputs", comparison.rounding_floor.rmse),
    )
    if verdict.word == "not measured":
        return Finding("not testable here", verdict.sentence, evidence)
    technical = verdict.against_rounding
    is_small = verdict.word == "exact" or (technical is not None and technical.word in _SMALL)
    word: ClaimWord = "false" if verdict.word in _LARGE else "true" if is_small else "depends"
    return Finding(
        word, f"{verdict.word.capitalize()}. {verdict.sentence} {technical_text(verdict)}".rstrip(), evidence
    )


def no_impact(on: Subject) -> Finding:
    """Whether nothing at all changed; it depends where values did, and nothing that is decided by them."""
    seen = on.compared
    if seen.comparison is None or seen.verdict is None:
        return _not_compared(seen)
    comparison, verdict = seen.comparison, seen.verdict
    exact = comparison.overall.exact_share
    decided = [row.decisions for row in comparison.outputs if isinstance(row.decisions, ClassDecisions)]
    flips, samples = sum(each.flips for each in decided), sum(each.samples for each in decided)
    evidence = (
        fact("Output elements that are unchanged", share_text(exact)),
        *([count("Samples that change class", flips, of=samples)] if decided else []),
        *(_accuracy(each.accuracy) for each in decided if each.accuracy),
        fact("Verdict", verdict.word),
    )
    if exact is None:
        return Finding("not testable here", verdict.sentence, evidence)
    if exact == 1:
        return Finding("true", "Every output is unchanged.", evidence)
    if flips or verdict.word in _LARGE:
        changed = f"{flips:,} of {samples:,} samples change class" if flips else "they are damaged"
        return Finding("false", f"Outputs change: {changed}.", evidence)
    unchanged = f"{share_text(exact)} of the output elements are unchanged"
    if not samples:
        sentence = f"{unchanged}; what they decide is not known."
        return Finding("depends", sentence, evidence)
    return Finding("depends", f"{unchanged}, but all {samples:,} samples keep their class.", evidence)


def _accuracy(found: Accuracy) -> Evidence:
    before, after = found.both_right + found.reference_only, found.both_right + found.candidate_only
    return fact("Right answers", f"{before:,} of {found.samples:,} in float32, {after:,} after half()")


def _not_compared(seen: CompareResult) -> Finding:
    return Finding("not testable here", seen.failure.message if seen.failure else "Nothing was compared.", ())
