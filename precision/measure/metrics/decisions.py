"""What outputs decide: first classes, flips, margins, how far probabilities move, and which cross one half."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from precision.measure.metrics.clusters import Flags, Ids, Values, effective_samples
from precision.measure.metrics.neighbours import neighbour_decisions
from precision.measure.metrics.output_kinds import Taken, probability_dimension
from precision.measure.metrics.outputs import Leaf
from precision.measure.metrics.sample_means import sample_mean
from precision.results import Accuracy, ClassDecisions, CrossingDecisions, Decisions, MarginBins
from precision.spec.output_kinds import OutputKind

CHUNK_ELEMENTS = 2**18
"""2 MiB of float64, a handful of which are in use at once."""
ACCELERATOR_CHUNK_ELEMENTS = 2**22
MAX_BINS = 24
"""Powers of two; smaller margins are counted below the first edge."""

_LEAST = sys.float_info.min
"""Smaller probabilities, and those that rounding made negative, count as this."""


def decisions(reference: Leaf, candidate: Leaf, taken: Taken, labels: Tensor | None = None) -> Decisions | None:
    """What the output decides on both sides, by what it was taken for; None where that has no decisions.

    Both tensors are `(..., classes)`, those of probabilities also `(samples, classes, ...)`, or `(samples, ...)`, the
    true classes `(samples,)`. Samples with a value that is infinite or NaN on either side are counted and left out of
    everything, but for classes that both sides mask by -inf.
    """
    if not reference.tensor.numel():
        return None
    match taken.kind.decides:
        case "classes":
            if taken.kind is OutputKind.CLASS_PROBABILITIES and probability_dimension(reference) == 1:
                moved = (replace(leaf, tensor=leaf.tensor.movedim(1, -1)) for leaf in (reference, candidate))
                reference, candidate = moved
            return class_decisions(reference, candidate, taken=taken, labels=labels)
        case "crossings":
            return _crossings(reference, candidate)
        case "neighbours":
            sides = (leaf.padded().flatten(1) for leaf in (reference, candidate))
            return neighbour_decisions(*sides)
        case "values":
            return None


def class_decisions(reference: Leaf, candidate: Leaf, *, taken: Taken, labels: Tensor | None = None) -> ClassDecisions:
    """Flips, margins, divergence and accuracy of scores or probabilities `(..., classes)`.

    Of equal scores, the first counts as the largest. Probabilities are softmax in float64, and the scores of what are
    probabilities already are their logarithms. With p and q the probabilities of reference and candidate: KL = sum of
    p · (ln p - ln q) a sample, in nats, 0 where p is 0; delta-p = q - p at the reference's first class. True classes
    count where there is one for each sample. Classes with -inf on both sides are masked: their probability is 0.
    """
    classes = reference.tensor.shape[-1]
    samples = reference.tensor.numel() // classes
    if labels is not None and reference.rows is not None and tuple(labels.shape) == reference.shape[:2]:
        labels = labels[tuple(reference.rows.T.cpu())]  # of the positions that are data
    sides = (leaf.tensor.reshape(samples, classes) for leaf in (reference, candidate))
    parts = _chunks(*sides, are_probabilities=taken.kind is OutputKind.CLASS_PROBABILITIES)
    found = _Samples.gathered(parts, samples)
    flipped = found.first[0] != found.first[1]
    clusters = _kept(reference.clusters(), found.finite)
    return ClassDecisions(
        classes=classes,
        samples=int(found.finite.sum()),
        nonfinite_samples=int(samples - found.finite.sum()),
        **_clustered(flipped, clusters, taken.kind),
        flips=int(flipped.sum()),
        kl=sample_mean(found.kl, clusters),
        delta_p=sample_mean(found.delta_p, clusters),
        score_margins=margin_bins(found.score_margin, flipped),
        probability_margins=margin_bins(found.probability_margin, flipped),
        accuracy=_accuracy(found, labels, classes) if labels is not None and labels.numel() == samples else None,
    )


def _crossings(reference: Leaf, candidate: Leaf) -> CrossingDecisions:
    """Probabilities on another side of one half; exactly one half is below."""
    rows = reference.tensor.shape[0]
    r, y = (leaf.tensor.detach().cpu().reshape(rows, -1).double() for leaf in (reference, candidate))
    finite = (r.isfinite() & y.isfinite()).all(1).numpy()
    crossed = ((r > 0.5) != (y > 0.5)).numpy()[finite]
    changed = crossed.any(1)
    texts = None if reference.rows is None else np.asarray(reference.rows[:, 0].cpu().numpy())
    return CrossingDecisions(
        samples=int(finite.sum()),
        nonfinite_samples=int(rows - finite.sum()),
        **_clustered(changed, _kept(texts, finite), OutputKind.PROBABILITIES),
        values=crossed.size,
        crossed=int(crossed.sum()),
        changed=int(changed.sum()),
    )


def _kept(clusters: Ids | None, finite: Flags) -> Ids | None:
    return None if clusters is None else clusters[finite]


def _clustered(changed: Flags, clusters: Ids | None, kind: OutputKind) -> dict[str, Any]:
    """How many clusters the samples come from, and what they are worth; nothing where they are independent."""
    if clusters is None or not len(clusters):
        return {}
    unit, cluster_unit = ("token", "text") if kind is OutputKind.TOKEN_LOGITS else ("position", "sample")
    return {
        "clusters": len(np.unique(clusters)),
        "effective": effective_samples(changed, clusters),
        "unit": unit,
        "cluster_unit": cluster_unit,
    }


class _Samples(NamedTuple):
    """Numbers of each sample: `(samples,)` of `finite`, `(finite samples,)` of all others."""

    finite: Flags
    first: npt.NDArray[np.int64]
    """`(2, finite samples)`: first class in the reference and in the candidate."""
    score_margin: Values
    probability_margin: Values
    kl: Values
    delta_p: Values

    @classmethod
    def gathered(cls, parts: Iterator[_Samples], samples: int) -> _Samples:
        """The numbers of all parts, copied as they come: small arrays kept between large ones would keep the allocator
        from using the memory of the large ones again.
        """
        finite = np.empty(samples, dtype=np.bool_)
        first = np.empty((2, samples), dtype=np.int64)
        numbers = np.empty((4, samples))
        seen = kept = 0
        for part in parts:
            finite[seen : seen + len(part.finite)] = part.finite
            end = kept + len(part.kl)
            first[:, kept:end] = part.first
            numbers[:, kept:end] = part[2:]
            seen, kept = seen + len(part.finite), end
        return cls(finite, first[:, :kept], *numbers[:, :kept])


def _chunks(reference: Tensor, candidate: Tensor, *, are_probabilities: bool) -> Iterator[_Samples]:
    """A few rows at a time, in float64; of the largest vocabularies, one."""
    on_cuda = reference.device.type == "cuda" and candidate.device == reference.device
    device = reference.device if on_cuda else torch.device("cpu")  # not every accelerator has float64
    elements = ACCELERATOR_CHUNK_ELEMENTS if on_cuda else CHUNK_ELEMENTS
    rows = max(1, elements // reference.shape[1])
    for start in range(0, len(reference), rows):
        sides = [_widened(side[start : start + rows], device) for side in (reference, candidate)]
        yield _measured(*(side.clamp_(min=_LEAST).log_() for side in sides) if are_probabilities else sides)


def _widened(rows: Tensor, device: torch.device) -> Tensor:
    """A copy in float64, through float32, which holds every narrower value, because torch is quicker so."""
    here = rows.detach().to(device)
    return here.to(torch.float64, copy=True) if here.dtype == torch.float64 else here.float().double()


def _measured(r: Tensor, y: Tensor) -> _Samples:
    """Of rows `(rows, classes)` of float64 of its own, which it changes."""
    masked = None
    finite = _are_finite(r) & _are_finite(y)
    if not finite.all():
        masked = masked_classes(r, y)
        finite = _are_finite(r, masked) & _are_finite(y, masked)
        r, y, masked = r[finite], y[finite], masked[finite]
    first_r, first_y = first_largest(r)[:, None], first_largest(y)[:, None]
    # From the largest score of each row, so that no exponential overflows.
    r -= r.gather(1, first_r)
    y -= y.gather(1, first_y)
    p, q = r.exp(), y.exp()
    sums_p, sums_q = p.sum(dim=1), q.sum(dim=1)
    moved = r - y if masked is None else (r - y).masked_fill_(masked, 0.0)
    kl = p.mul_(moved).sum(dim=1).div_(sums_p) + sums_q.log() - sums_p.log()
    p_first, q_first = 1 / sums_p, q.gather(1, first_r).squeeze(1) / sums_q
    second = r.scatter_(1, first_r, -torch.inf).amax(dim=1)
    return _Samples(
        finite=finite.cpu().numpy(),
        first=torch.cat([first_r, first_y], dim=1).T.cpu().numpy(),
        score_margin=second.neg().cpu().numpy(),
        probability_margin=(p_first * -second.expm1()).cpu().numpy(),
        kl=kl.clamp_(min=0.0).cpu().numpy(),
        delta_p=(q_first - p_first).cpu().numpy(),
    )


def masked_classes(reference: Tensor, candidate: Tensor) -> Tensor:
    """Where both have -inf, in rows `(..., classes)` with a finite value: no such class is possible, by intention."""
    return reference.isneginf() & candidate.isneginf() & reference.isfinite().any(dim=-1, keepdim=True)


def _are_finite(x: Tensor, masked: Tensor | None = None) -> Tensor:
    """Rows whose every element that is not masked, and the span of these, is finite in float64."""
    largest = x.amax(dim=1)
    smallest = (x if masked is None else x.where(~masked, largest[:, None])).amin(dim=1)
    return torch.isfinite(largest - smallest)  # NaN where there is one


def first_largest(x: Tensor) -> Tensor:
    """Of rows `(rows, columns)` of float32 or wider: column of the first of each row's largest values."""
    if x.device.type == "cpu":
        return torch.from_numpy(np.asarray(x.numpy().argmax(axis=1)))
    # torch's argmax promises no first one.
    columns = torch.arange(x.shape[1], device=x.device)
    return torch.where(x == x.amax(dim=1, keepdim=True), columns, x.shape[1]).amin(dim=1)


def margin_bins(margins: Values, flipped: Flags) -> MarginBins:
    """Samples and flips by power of two of the margin, which is 0 or more; both `(samples,)`.

    An infinite margin, of a sample with one class that is not masked, counts with the largest finite one.
    """
    margins = np.minimum(margins, margins[np.isfinite(margins)].max(initial=0.0) or 1.0)
    octaves = np.frexp(margins)[1] - 1  # margin = m · 2^octave with 1 <= m < 2
    positive = margins > 0
    if not positive.any():
        return MarginBins(edges=(), samples=(), flips=(), below_samples=len(margins), below_flips=int(flipped.sum()))
    last = int(octaves[positive].max())
    begin = max(int(octaves[positive].min()), last - MAX_BINS + 1)
    inside = positive & (octaves >= begin)
    counts = [np.bincount(octaves[chosen] - begin, minlength=last - begin + 1) for chosen in (inside, inside & flipped)]
    return MarginBins(
        edges=tuple(float(2.0**power) for power in range(begin, last + 2)),
        samples=tuple(map(int, counts[0])),
        flips=tuple(map(int, counts[1])),
        below_samples=int((~inside).sum()),
        below_flips=int((~inside & flipped).sum()),
    )


def _accuracy(found: _Samples, labels: Tensor, classes: int) -> Accuracy | None:
    """Over the finite samples with a class as label, which -100 and the like are not; None without any."""
    truth = labels.reshape(-1).cpu().numpy()[found.finite]
    known = (truth >= 0) & (truth < classes)
    if not known.any():
        return None
    reference, candidate = ((found.first[side] == truth)[known] for side in (0, 1))
    return Accuracy(
        both_right=int((reference & candidate).sum()),
        reference_only=int((reference & ~candidate).sum()),
        candidate_only=int((~reference & candidate).sum()),
        both_wrong=int((~reference & ~candidate).sum()),
    )
