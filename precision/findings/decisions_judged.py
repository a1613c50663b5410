"""What became of what matters to an output: rules over stored counts of changes, cosines and errors."""

from dataclasses import dataclass
from typing import TypeAlias

from precision.findings.decisions import samples_text
from precision.results import ClassDecisions, CrossingDecisions, NeighbourDecisions, OutputComparison, Verdict
from precision.results.decisions import Counted
from precision.results.intervals import Z_95, Interval, samples_to_exclude, t_95
from precision.text.units import capitalised, count_text, fine_share_text, number_text

Judged: TypeAlias = ClassDecisions | CrossingDecisions
"""Decisions that are judged by the share of samples that changed."""
ENOUGH_CLUSTERS = 20
"""With fewer, intervals over clusters cover less than they say."""


@dataclass(frozen=True, kw_only=True)
class Yardsticks:
    """The limits that the verdict's rules use. They are data: a stored result can be judged again without a run."""

    rounding_multiple: float = 2.0
    """Errors up to this many rounding floors are called rounding only."""
    own_error: float = 0.5
    """From this share of the candidate's error on, the reference's own error is as large: the difference is not
    attributed to the candidate's format. Its own error is that against float64, or that of a second run of it."""
    broken_below_db: float = 10.0
    """Below this signal-to-noise ratio an output is called broken."""
    tolerated_flips: float = 0.0
    """Share of samples that may change class; *changed* where the 95 % interval lies above it."""
    resolved_flips: float = 0.05
    """Decisions are called unaffected where the interval of the share of flips ends below this, or below the
    tolerated share if that is larger; else there are too few samples to tell."""
    least_cosine: float = 0.99
    """For outputs without classes: below this cosine similarity, an output changed."""
    largest_error: float | None = None
    """For outputs without decisions: the absolute error that a user tolerates; replaces the cosine."""


def what_matters(output: OutputComparison, limits: Yardsticks) -> Verdict:
    """Whether what the output decides is kept: its classes, its direction, or its values."""
    found = output.decisions
    if isinstance(found, ClassDecisions | CrossingDecisions) and (changes := found.flips_interval) is not None:
        return _by_changes(found, changes, limits)
    if isinstance(found, NeighbourDecisions):
        return _by_direction(found, limits)
    return _by_values(output, limits)


def _by_changes(found: Judged, changes: Interval, limits: Yardsticks) -> Verdict:
    """By the share of samples that changed: 95 % interval against what is tolerated, and what counts as none."""
    tolerated, most = limits.tolerated_flips, max(limits.tolerated_flips, limits.resolved_flips)
    counted, could = changes_text(found), could_change_text(found, changes)
    if changes.low > tolerated:
        above = "at least one change" if tolerated == 0 else f"a 95 % interval above {fine_share_text(tolerated)}"
        return Verdict(
            word="changed",
            sentence=f"{counted} {capitalised(could)}, and at least {fine_share_text(changes.low)}."
            f"{_few_clusters(found)}",
            rule=f"Changed: {above}.",
        )
    if changes.high <= most:
        return Verdict(
            word="kept",
            sentence=f"{counted} {capitalised(could)}.{_few_clusters(found)}",
            rule=f"Kept: the 95 % interval of the share that changes ends at or below {fine_share_text(most)}.",
        )
    return Verdict(
        word="uncertain",
        sentence=f"{counted} {capitalised(could)}: there are too few to exclude more than {fine_share_text(most)}. "
        f"{_needed_text(found, limits)}",
        rule=f"Uncertain: the 95 % interval of the share that changes starts at or below {fine_share_text(tolerated)} "
        f"and ends above {fine_share_text(most)}.",
    )


def _by_direction(found: NeighbourDecisions, limits: Yardsticks) -> Verdict:
    """By the mean cosine of the samples' vectors, with Student's t, and by how many nearest neighbours changed."""
    low = high = None
    if (error := found.cosine.standard_error) is not None and found.samples > 1:
        reach = t_95(found.samples - 1) * error
        low, high = found.mean_cosine - reach, found.mean_cosine + reach
    changes, most = found.flips_interval, max(limits.tolerated_flips, limits.resolved_flips)
    mean, least = number_text(found.mean_cosine), f"{limits.least_cosine:g}"
    stayed = f"{found.samples - found.changed:,} of {count_text(found.samples, 'sample')} keep their nearest neighbour"
    size = f"The samples' vectors have a mean cosine similarity of {mean} with the reference's; {stayed}."
    if changes is not None and changes.low > most:
        rule = f"Changed: the 95 % interval of the share of changed neighbours starts above {fine_share_text(most)}."
        return Verdict(word="changed", sentence=size, rule=rule)
    if low is not None and low >= limits.least_cosine:
        return Verdict(word="kept", sentence=size, rule=f"Kept: the mean cosine is at least {least}, 95 % sure.")
    if high is not None and high < limits.least_cosine:
        return Verdict(word="changed", sentence=size, rule=f"Changed: the mean cosine is below {least}, 95 % sure.")
    return Verdict(
        word="uncertain",
        sentence=f"{size} There are too few samples to tell whether the mean is at least {least}.",
        rule=f"Uncertain: the 95 % interval of the mean cosine contains {least}.",
    )


def _by_values(output: OutputComparison, limits: Yardsticks) -> Verdict:
    """By the largest error that the user tolerates; without one, by the direction of the whole output."""
    metrics = output.metrics
    if (most := limits.largest_error) is not None:
        kept = metrics.max_abs_error is not None and metrics.max_abs_error <= most
        return Verdict(
            word="kept" if kept else "changed",
            sentence=f"The largest error is {number_text(metrics.max_abs_error)}; {most:g} is tolerated.",
            rule=f"{'Kept' if kept else 'Changed'}: the largest absolute error against the tolerated one.",
        )
    cosine, least = metrics.cosine_similarity, limits.least_cosine
    share = fine_share_text(metrics.normalized_l2 or 0.0)
    size = f"Its values differ by {share} of their size (SQNR {number_text(metrics.sqnr_db)} dB"
    if cosine is not None and cosine < least:
        return Verdict(
            word="changed",
            sentence=f"{size}, cosine similarity {number_text(cosine)}).",
            rule=f"Changed: the cosine similarity is below {least:g}.",
        )
    return Verdict(
        word="close",
        sentence=f"{size}). Nothing says how exact this output must be.",
        rule=f"Close: the cosine similarity is at least {least:g}, and no decision is known that rests on this output.",
    )


def samples_needed(found: Judged, limits: Yardsticks | None = None) -> int | None:
    """About how many samples would tell whether decisions are affected, if the same share of them changed.

    The smaller of two numbers: the samples that put Wilson's interval above the tolerated share, and those that put it
    below the largest share that is called unaffected. Where they come in clusters, the number of clusters, each worth
    as many independent samples as it is here, or one where that is not known. None where the share equals both limits.
    """
    limits = limits or Yardsticks()
    if not found.samples:
        return None
    share = found.changed_samples / found.samples
    ends = []
    if share > limits.tolerated_flips:
        ends.append(samples_to_exclude(limits.tolerated_flips, share=share))
    most = max(limits.tolerated_flips, limits.resolved_flips)
    if share < most:
        ends.append(samples_to_exclude(most, share=share))
    needed = min((end for end in ends if end is not None), default=None)
    if needed is None or found.clusters is None or found.effective is None:
        return needed
    # Where nothing or everything changed, and of a few clusters, nothing shows how alike their samples are.
    is_shown = 0 < share < 1 and found.effective > 1
    worth = found.effective / found.clusters / _narrowed(found.clusters) if is_shown else 1.0
    clusters = max(found.clusters, 2)
    while clusters * worth * _narrowed(clusters) < needed:
        clusters += 1
    return clusters


def _narrowed(clusters: int) -> float:
    """What Student's t over so many clusters makes of the number of samples."""
    return (Z_95 / t_95(max(clusters, 2) - 1)) ** 2


def changes_text(found: Judged) -> str:
    """How many samples changed, in a sentence."""
    samples = samples_text(found)
    if isinstance(found, CrossingDecisions):
        values = count_text(found.values, "value")
        if not found.crossed:
            return f"No value changed its side of one half ({values} in {samples})."
        return f"{found.crossed:,} of {values} crossed one half, in {found.changed:,} of {samples}."
    if found.flips:
        return f"{found.flips:,} of {samples} changed {found.choice}."
    if found.samples > 1:
        return f"All {samples} kept their {found.choice}."
    return f"The {samples} kept its {found.choice}."


def could_change_text(found: Judged, changes: Interval, sample: str = "") -> str:
    """What is true of other samples: the same words whether any changed or none, so that verdicts can be compared.

    A clause: `at most 3.7 % of similar samples would change, 95 % sure`.
    """
    return f"at most {fine_share_text(changes.high)} of similar {sample or found.unit}s would change, 95 % sure"


def few_clusters_text(found: Counted) -> str:
    """That an interval over so few clusters is still too narrow; empty where it is not."""
    if found.clusters is None or found.clusters >= ENOUGH_CLUSTERS:
        return ""
    return f"With only {count_text(found.clusters, found.cluster_unit)}, the interval is still too narrow."


def _few_clusters(found: Counted) -> str:
    return f" {text}" if (text := few_clusters_text(found)) else ""


def _needed_text(found: Judged, limits: Yardsticks) -> str:
    needed = samples_needed(found, limits)
    if needed is None:
        return "More samples would not decide it."
    if found.clusters is not None:
        return f"About {count_text(needed, found.cluster_unit)} would be enough to tell."
    return f"About {needed:,} are needed, {needed - found.samples:,} more."
