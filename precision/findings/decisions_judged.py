"""What the verdict says of decisions: rules over stored counts of flips, cosines and errors."""

from collections.abc import Iterator
from dataclasses import dataclass

from precision.results import ClassDecisions, Comparison, OutputComparison, Verdict
from precision.results.intervals import Interval, samples_to_exclude
from precision.text.units import count_text, fine_share_text, number_text


@dataclass(frozen=True, kw_only=True)
class Yardsticks:
    """The limits that the verdict's rules use. They are data: a stored result can be judged again without a run."""

    rounding_multiple: float = 2.0
    """Errors up to this many rounding floors are called rounding only."""
    broken_below_db: float = 10.0
    """Below this signal-to-noise ratio an output is called broken."""
    tolerated_flips: float = 0.0
    """Share of samples that may change class; *decisions changed* where the 95 % interval lies above it."""
    resolved_flips: float = 0.05
    """Decisions are called unaffected where the interval of the share of flips ends below this, or below the
    tolerated share if that is larger; else there are too few samples to tell."""
    least_cosine: float = 0.99
    """For outputs without class scores: below this cosine similarity, decisions changed."""
    largest_error: float | None = None
    """For outputs without class scores: the absolute error that a user tolerates; replaces the cosine."""


def flipped(comparison: Comparison, limits: Yardsticks) -> Verdict | None:
    """*Decisions changed* where an output of class scores has more flips than are tolerated; else None."""
    for output, found, flips in _judged_by_flips(comparison):
        if flips.low <= limits.tolerated_flips:
            continue
        return Verdict(
            word="decisions changed",
            sentence=f"{_flips_text(output, found)}. Expect {fine_share_text(flips.low)} to "
            f"{fine_share_text(flips.high)} of similar samples to change class.",
            rule=f"Decisions changed: {_above_tolerated(limits)}.",
        )
    return None


def turned(comparison: Comparison, limits: Yardsticks) -> Verdict | None:
    """*Decisions changed* where an output without class scores (a regression, an embedding) turned or moved too far.

    None where it did not, and where another output has class scores: those decide alone.
    """
    if any(_judged_by_flips(comparison)):
        return None
    for output in comparison.outputs:
        largest, cosine = output.metrics.max_abs_error, output.metrics.cosine_similarity
        if limits.largest_error is not None:
            if largest is None or largest <= limits.largest_error:
                continue
            found = f"max absolute error of {number_text(largest)}"
            rule = f"above the tolerated {number_text(limits.largest_error)}"
        elif cosine is not None and cosine < limits.least_cosine:
            found, rule = f"cosine similarity of {number_text(cosine)}", f"below {limits.least_cosine:g}"
        else:
            continue
        return Verdict(
            word="decisions changed",
            sentence=f"Output {output.path} has a {found}: decisions that rest on it may change.",
            rule=f"Decisions changed: an output without class scores has a {found.split(' of ')[0]} {rule}.",
        )
    return None


def uncertain(comparison: Comparison, limits: Yardsticks) -> Verdict | None:
    """*Uncertain* where an error is more than rounding, and there are too few samples to judge decisions; else None."""
    most = max(limits.tolerated_flips, limits.resolved_flips)
    for output, found, flips in _judged_by_flips(comparison):
        if flips.high <= most:
            continue
        return Verdict(
            word="uncertain",
            sentence=f"The error is more than rounding. {_flips_text(output, found)}, but up to "
            f"{fine_share_text(flips.high)} of similar samples could change class. {_few_text(found)} too few to "
            f"exclude more than {fine_share_text(most)}. {_needed_text(found, limits)}",
            rule="Uncertain: the error is more than rounding, and the 95 % interval (Wilson) of the share of flips "
            f"starts at or below {fine_share_text(limits.tolerated_flips)} and ends above {fine_share_text(most)}.",
        )
    return None


def samples_needed(found: ClassDecisions, limits: Yardsticks | None = None) -> int | None:
    """About how many samples would tell whether decisions are affected, if the same share of them flipped.

    The smaller of two numbers: the samples that put Wilson's interval above the tolerated share of flips, and those
    that put it below the largest share that is called unaffected. None where the share equals both limits.
    """
    limits = limits or Yardsticks()
    if not found.samples:
        return None
    share = found.flips / found.samples
    ends = []
    if share > limits.tolerated_flips:
        ends.append(samples_to_exclude(limits.tolerated_flips, share=share))
    most = max(limits.tolerated_flips, limits.resolved_flips)
    if share < most:
        ends.append(samples_to_exclude(most, share=share))
    return min((end for end in ends if end is not None), default=None)


def unaffected_text(comparison: Comparison) -> str:
    """How many samples kept their class; empty without samples."""
    return "".join(
        f" {_flips_text(output, found)} (at most {fine_share_text(flips.high)} of similar samples would change)."
        for output, found, flips in _judged_by_flips(comparison)
    )


def _judged_by_flips(comparison: Comparison) -> Iterator[tuple[OutputComparison, ClassDecisions, Interval]]:
    """Outputs of class scores with samples to judge by, and the interval of their share of flips."""
    for output in comparison.outputs:
        found = output.decisions
        if isinstance(found, ClassDecisions) and (flips := found.flips_interval) is not None:
            yield output, found, flips


def _above_tolerated(limits: Yardsticks) -> str:
    """When flips are more than tolerated."""
    if limits.tolerated_flips == 0:
        return "at least one flip"
    tolerated = fine_share_text(limits.tolerated_flips)
    return f"a 95 % interval (Wilson) of the share of flips above {tolerated}"


def _flips_text(output: OutputComparison, found: ClassDecisions) -> str:
    samples = f"{count_text(found.samples, 'sample')} of {output.path}"
    return f"{found.flips:,} of {samples} changed class" if found.flips else f"All {samples} kept their class"


def _few_text(found: ClassDecisions) -> str:
    return f"{count_text(found.samples, 'sample')} {'is' if found.samples == 1 else 'are'}"


def _needed_text(found: ClassDecisions, limits: Yardsticks) -> str:
    needed = samples_needed(found, limits)
    if needed is None:
        return "More samples would not decide it."
    return f"About {needed:,} are needed, {needed - found.samples:,} more."
