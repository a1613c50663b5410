"""Outputs of a reference against those of a candidate, whatever their structure."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from precision.formats import AnyFormat, NumericFormat
from precision.measure.metrics.chunks import pair_chunks
from precision.measure.metrics.decisions import decisions
from precision.measure.metrics.distributions import MAX_LOG_BINS, distributions
from precision.measure.metrics.elements import WorstElements, preview, worst_integers
from precision.measure.metrics.output_kinds import Known
from precision.measure.metrics.outputs import Flattened, Leaf, Paired, flatten, paired
from precision.measure.metrics.pair_sizes import PairSizes
from precision.measure.metrics.statistics import ErrorStatistics, mismatch_metrics
from precision.measure.metrics.systematic import clustered_errors
from precision.measure.rounding import round_to
from precision.results import Comparison, ErrorMetrics, OutputComparison

NOTHING_COMPARED = "No output could be compared: there is nothing to judge."
NOTHING_FLOATING = "No output is floating-point: what counts is the share of equal elements, not an error."


def compare_outputs(
    *, reference: object, candidate: object, repeat: object | None, fmt: AnyFormat, known: Known | None = None
) -> Comparison:
    """Every metric of every pair of output tensors, and of all floating-point ones together.

    Tensors are matched by their place in the output. A place that only one side has, or where shape or kind differ, is
    noted and left out; nothing is broadcast. Complex tensors are compared by their real and imaginary parts. NaN and
    infinities are counted, and left out of every mean. Integer and boolean outputs have a share of equal elements and
    no magnitudes. An output without elements has None for every metric.

    The rounding floor rounds the reference's output to `fmt` as IEEE 754 does: an element beyond the format's range
    becomes infinite (NaN where the format has no infinities) and is counted, not averaged. Saturating it instead
    would make the floor as large as the overflow, and excuse any candidate.

    Args:
        reference: Output of the trusted model: tensor, tuple, list, mapping, dataclass, nested.
        candidate: Output of the model under test.
        repeat: Output of a second run of the reference; None where there was none, which leaves that floor empty.
        fmt: The candidate's format.
        known: What is known of the outputs: true classes, and what they are.

    Raises:
        InputError: there is no output that `known` names.
    """
    known, flat_reference, flat_candidate = known or Known(), flatten(reference), flatten(candidate)
    known.require(flat_reference.leaves)
    matched = paired(flat_reference, flat_candidate)
    repeated = None if repeat is None else paired(flat_reference, flatten(repeat), other="second run of the reference")
    uncompared = _uncompared(matched)
    overall, outputs = _compare_all(matched, repeated, fmt, known)
    floating = matched.floating
    notes = [*_merged_notes(flat_reference, flat_candidate), *uncompared]
    if not outputs:
        notes.append(NOTHING_COMPARED)
    elif not floating:
        notes.append(NOTHING_FLOATING)
    notes += [f"{row.path} has no elements: nothing to compare." for row in outputs if not row.metrics.elements]
    notes += [_left_out_text(leaf) for leaf, _ in matched.pairs if leaf.left_out]
    notes += _uncompared(repeated) if repeated else ()
    # The floor of a single one is that of all.
    alone = next((row.rounding_floor for row in outputs if row.rounding_floor), None) if len(floating) == 1 else None
    return Comparison(
        outputs=outputs,
        overall=overall,
        rounding_floor=alone or _rounding_floor([reference.tensor for reference, _ in floating], fmt),
        repeat_floor=_repeat_floor(repeated, [reference.path for reference, _ in matched.pairs], fmt),
        uncompared=uncompared,
        notes=tuple(dict.fromkeys(notes)),
    )


def _left_out_text(leaf: Leaf) -> str:
    positions = leaf.left_out + len(leaf.tensor)
    return f"{leaf.left_out:,} of the {positions:,} positions of {leaf.path} are padding: no figure includes them."


def _uncompared(matched: Paired) -> tuple[str, ...]:
    return tuple(f"{difference}: not compared." for difference in matched.differences)


def _merged_notes(reference: Flattened, candidate: Flattened) -> list[str]:
    """Notes on both sides' outputs: shared ones once, the others with their side."""
    shared = [note for note in reference.notes if note in candidate.notes]
    return [
        *shared,
        *(f"Reference: {note}" for note in reference.notes if note not in shared),
        *(f"Candidate: {note}" for note in candidate.notes if note not in shared),
    ]


def _compare_all(
    matched: Paired, repeated: Paired | None, fmt: AnyFormat, known: Known
) -> tuple[ErrorMetrics, tuple[OutputComparison, ...]]:
    pairs, floating = matched.pairs, matched.floating
    together = ErrorStatistics(fmt, sum(reference.tensor.numel() for reference, _ in floating))
    outputs: list[OutputComparison] = []
    for reference, candidate in pairs:
        if reference.has_magnitudes:
            # A single one is its own total; measuring it twice would only cost time.
            total = together if len(floating) > 1 else None
            output = _compare_floating(reference, candidate, fmt=fmt, known=known, total=total)
        else:
            output = _compare_integers(reference, candidate, fmt=fmt, known=known)
        outputs.append(output.model_copy(update={"repeat_floor": _repeat_floor(repeated, [reference.path], fmt)}))
    if pairs and not floating:
        return mismatch_metrics((reference.tensor, candidate.tensor) for reference, candidate in pairs), tuple(outputs)
    if len(floating) == 1:
        only = next(row.metrics for row in outputs if row.path == floating[0][0].path)
        return only.model_copy(update={"max_abs_error_index": None}), tuple(outputs)
    return together.result(), tuple(outputs)


def _compare_floating(
    reference: Leaf, candidate: Leaf, *, fmt: AnyFormat, known: Known, total: ErrorStatistics | None
) -> OutputComparison:
    shape = tuple(reference.tensor.shape)
    statistics = ErrorStatistics(fmt, math.prod(shape), shape=shape)
    worst, sizes, rounding = WorstElements(fmt, reference), PairSizes(), PairSizes()
    for chunk in pair_chunks(reference.tensor, candidate.tensor, domain=statistics.domain):
        statistics.update(chunk)
        worst.update(chunk)
        sizes.add(chunk)
        if total is not None:
            total.update(chunk)
    metrics, taken = statistics.result(), known.taken(reference)
    metrics = metrics.model_copy(update=clustered_errors(reference, candidate, metrics))
    if metrics.max_abs_error_index is not None:
        metrics = metrics.model_copy(update={"max_abs_error_index": reference.index(metrics.max_abs_error_index)})
    return OutputComparison(
        path=reference.path,
        shape=reference.shape,
        reference_dtype=reference.dtype,
        candidate_dtype=candidate.dtype,
        metrics=metrics,
        distributions=None
        if metrics.max_abs_error is None
        else distributions(reference.tensor, candidate.tensor, fmt, sizes=sizes, largest=metrics.max_abs_error),
        worst=worst.result(),
        preview=preview(reference, candidate, fmt),
        decisions=decisions(reference, candidate, taken, known.labels),
        kind=taken.kind,
        kind_reason=taken.why,
        rounding_floor=_rounding_floor([reference.tensor], fmt, rounding),
        rounding_floor_absolute=rounding.errors().histogram(MAX_LOG_BINS),
    )


def _compare_integers(reference: Leaf, candidate: Leaf, *, fmt: AnyFormat, known: Known) -> OutputComparison:
    taken = known.taken(reference)
    return OutputComparison(
        path=reference.path,
        shape=reference.shape,
        reference_dtype=reference.dtype,
        candidate_dtype=candidate.dtype,
        metrics=mismatch_metrics([(reference.tensor, candidate.tensor)]),
        distributions=None,
        worst=worst_integers(reference, candidate, fmt),
        preview=preview(reference, candidate, fmt),
        kind=taken.kind,
        kind_reason=taken.why,
    )


def _repeat_floor(repeated: Paired | None, paths: Sequence[str], fmt: AnyFormat) -> ErrorMetrics:
    """Over the outputs that are also compared with the candidate, so that both are about the same elements."""
    return overall_errors([pair for pair in (repeated.pairs if repeated else ()) if pair[0].path in paths], fmt)


def overall_errors(pairs: Sequence[tuple[Leaf, Leaf]], fmt: AnyFormat) -> ErrorMetrics:
    """Errors over all floating-point pairs together; over all pairs, by their equality, where none is floating."""
    floating = [pair for pair in pairs if pair[0].has_magnitudes]
    if pairs and not floating:
        return mismatch_metrics((reference.tensor, candidate.tensor) for reference, candidate in pairs)
    return _statistics([(reference.tensor, candidate.tensor) for reference, candidate in floating], fmt)


def _rounding_floor(tensors: Sequence[Tensor], fmt: AnyFormat, sizes: PairSizes | None = None) -> ErrorMetrics:
    if isinstance(fmt, NumericFormat):
        return _statistics([(tensor, fmt) for tensor in tensors], fmt, sizes)
    # Scales depend on more than a chunk.
    held = [tensor if tensor.dtype == torch.float64 else tensor.float() for tensor in tensors]
    return _statistics([(tensor, round_to(tensor, fmt)) for tensor in held], fmt, sizes)


def _statistics(
    pairs: Sequence[tuple[Tensor, Tensor | NumericFormat]], fmt: AnyFormat, sizes: PairSizes | None = None
) -> ErrorMetrics:
    """Errors over all pairs together; the absolute ones go into `counts`."""
    statistics = ErrorStatistics(fmt, sum(reference.numel() for reference, _ in pairs))
    for reference, candidate in pairs:
        for chunk in pair_chunks(reference, candidate, domain=statistics.domain):
            statistics.update(chunk)
            if sizes is not None:
                sizes.add(chunk)
    return statistics.result()
