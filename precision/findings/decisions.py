"""What outputs decide, in words: the same on pages and in the terminal."""

import math
from collections.abc import Iterator

from precision.results import (
    Accuracy,
    ClassDecisions,
    CrossingDecisions,
    Decisions,
    Float64Truth,
    NeighbourDecisions,
    SampleMean,
)
from precision.results.decisions import Counted
from precision.results.intervals import SIGNIFICANT_P, Interval
from precision.text.metrics import metric_named
from precision.text.units import count_text, fine_share_text, number_text


def decision_rows(decisions: Decisions) -> Iterator[tuple[str, str, str]]:
    """Label, value and remark of everything that an output decides."""
    if isinstance(decisions, NeighbourDecisions):
        yield from _neighbour_rows(decisions)
    elif isinstance(decisions, CrossingDecisions):
        yield from _crossing_rows(decisions)
    else:
        yield from _class_rows(decisions)


def _class_rows(decisions: ClassDecisions) -> Iterator[tuple[str, str, str]]:
    yield _label("top1_agreement"), *share_cells(decisions.top1_agreement, decisions.agreement_interval)
    yield _label("flips"), f"{decisions.flips:,} of {samples_text(decisions)}", left_out(decisions)
    yield "KL divergence", *mean_cells(decisions.kl, decisions)
    yield "Change of the top-1 probability", *mean_cells(decisions.delta_p, decisions, higher_is_better=True)
    if decisions.accuracy:
        accuracy = decisions.accuracy
        values = f"{fine_share_text(accuracy.reference)} → {fine_share_text(accuracy.candidate)}"
        yield _label("candidate_accuracy"), values, accuracy_text(accuracy)


def _crossing_rows(decisions: CrossingDecisions) -> Iterator[tuple[str, str, str]]:
    yield _label("crossed"), f"{decisions.crossed:,} of {count_text(decisions.values, 'value')}", left_out(decisions)
    changed = 1 - decisions.changed / decisions.samples if decisions.samples else None
    yield "Samples without a crossing", *share_cells(changed, decisions.agreement_interval)


def _neighbour_rows(decisions: NeighbourDecisions) -> Iterator[tuple[str, str, str]]:
    agreement = share_cells(decisions.neighbour_agreement, decisions.agreement_interval)
    yield _label("neighbour_agreement"), *agreement
    changed = f"{decisions.changed:,} of {samples_text(decisions)}"
    yield "Nearest neighbour changed", changed, left_out(decisions)
    yield "Cosine similarity of samples", *mean_cells(decisions.cosine, decisions, higher_is_better=True)


def share_cells(share: float | None, interval: Interval | None) -> tuple[str, str]:
    """A share, and its interval."""
    if share is None or interval is None:
        return "not measured", ""
    return fine_share_text(share), f"95 %: {fine_share_text(interval.low)} to {fine_share_text(interval.high)}"


def mean_cells(mean: SampleMean | None, found: Counted, *, higher_is_better: bool = False) -> tuple[str, str]:
    """The mean of what was found, with its standard error; its interval, and the percentiles towards its bad side."""
    if mean is None:
        return "not measured", ""
    if mean.standard_error is None or mean.low is None or mean.high is None:
        return number_text(mean.mean), f"from a single {found.unit if mean.samples == 1 else found.cluster_unit}"
    value = f"{number_text(mean.mean)} ± {number_text(mean.standard_error)}"
    if higher_is_better:
        spread = f"99 % are at least {number_text(mean.p1)}; lowest {number_text(mean.minimum)}"
    else:
        spread = f"99 % are at most {number_text(mean.p99)}; highest {number_text(mean.maximum)}"
    interval = f"95 %: {number_text(mean.low)} to {number_text(mean.high)}"
    return value, f"{interval}; median {number_text(mean.p50)}; {spread}"


def accuracy_text(accuracy: Accuracy) -> str:
    """How many samples became wrong and how many right, and whether that shows which model is more accurate."""
    lost, gained = accuracy.reference_only, accuracy.candidate_only
    if not lost and not gained:
        return "no sample went from right to wrong, none from wrong to right"
    moved = f"{lost:,} from right to wrong, {gained:,} from wrong to right"
    if accuracy.p_value < SIGNIFICANT_P:
        return f"{moved} (p = {number_text(accuracy.p_value)})"
    unclear = f"{count_text(accuracy.samples, 'sample')} cannot show which model is more accurate"
    needed = f"; about {accuracy.samples_needed:,} would" if accuracy.samples_needed else ""
    return f"{moved}; {unclear} (p = {number_text(accuracy.p_value)}){needed}"


def truth_cells(truth: Float64Truth) -> tuple[str, str]:
    """The candidate's error against float64, and how it compares with the reference's own; or why there is none."""
    if truth.reference is None or truth.candidate is None:
        return "not measured", truth.reason or ""
    own = f"the reference's own error is {number_text(truth.reference.rmse)}"
    share = truth.own_share
    told = share is not None and math.isfinite(share)
    return number_text(truth.candidate.rmse), f"{own}, {fine_share_text(share or 0.0)} of it" if told else own


def samples_text(decisions: Counted) -> str:
    """How many samples there are, and in how many clusters."""
    samples = count_text(decisions.samples, decisions.unit)
    if decisions.clusters is None:
        return samples
    return f"{samples} of {count_text(decisions.clusters, decisions.cluster_unit)}"


def left_out(decisions: Decisions) -> str:
    """Samples that are not counted; empty without any."""
    parts = []
    if decisions.nonfinite_samples:
        parts.append(f"{count_text(decisions.nonfinite_samples, decisions.unit)} with infinities or NaN left out")
    if isinstance(decisions, NeighbourDecisions) and decisions.left_out:
        parts.append(f"{decisions.left_out:,} beyond the most that are compared")
    return ", ".join(parts)


def _label(name: str) -> str:
    return metric_named(name).label
