"""What outputs of class scores decide: first classes, flips, margins, and how far the probabilities move."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from precision.measure.metrics.neighbours import neighbour_decisions
from precision.measure.metrics.outputs import Leaf
from precision.measure.metrics.sample_means import Values, sample_mean
from precision.results import Accuracy, ClassDecisions, Decisions, MarginBins

CHUNK_ELEMENTS = 2**18
"""2 MiB of float64, a handful of which are in use at once."""
ACCELERATOR_CHUNK_ELEMENTS = 2**22
MAX_BINS = 24
"""Powers of two; smaller margins are counted below the first edge."""

Flags = npt.NDArray[np.bool_]


class DecisionRule(NamedTuple):
    """What an output is taken for, and why."""

    kind: str | None
    """`classes`, `neighbours`, or None for an output that decides nothing we know of."""
    why: str


def rule_of(leaf: Leaf, labels: Tensor | None = None) -> DecisionRule:
    """What a tensor of an output is taken for.

    The one place where that is decided; the first that applies:

    - Anything but a real floating-point tensor of two dimensions or more, the last of two elements or more: nothing.
    - Two dimensions, one row a label: class scores.
    - Called logits or scores: class scores; each position before the last dimension is a sample, so that in
      `(batch, tokens, vocabulary)` each token is one.
    - Two dimensions and no name: class scores, `(samples, classes)`.
    - Two dimensions and another name: vectors of samples, `(samples, features)`.
    - Anything else: nothing.
    """
    shape = tuple(leaf.tensor.shape)
    name = leaf.path.rsplit(".", 1)[-1]
    if leaf.kind != "floating" or len(shape) < 2 or shape[-1] < 2:
        return DecisionRule(None, "Not a floating-point tensor with samples and a last dimension of two or more.")
    if labels is not None and len(shape) == 2 and labels.shape == shape[:1]:
        return DecisionRule("classes", "Treated as class scores: the input has a true class for each row.")
    if "logit" in name or "score" in name:
        what = "each position before the last dimension is a sample" if len(shape) > 2 else "each row is a sample"
        return DecisionRule("classes", f"Treated as class scores: the model calls it {name}; {what}.")
    if len(shape) == 2 and (name == "output" or name.endswith("]")):
        return DecisionRule("classes", "Treated as class scores: two dimensions, (samples, classes), and no name.")
    if len(shape) == 2:
        return DecisionRule("neighbours", f"Treated as one vector per sample: two dimensions, called {name}.")
    return DecisionRule(None, "More than two dimensions, and no name that marks class scores.")


def decisions(reference: Leaf, candidate: Leaf, labels: Tensor | None = None) -> Decisions | None:
    """What the output decides on both sides; None where it decides nothing that we know of (see `rule_of`).

    Both tensors are `(..., classes)` or `(samples, features)`, the true classes `(samples,)`. Samples with a value that
    is infinite or NaN on either side are counted and left out of everything.
    """
    rule = rule_of(reference, labels)
    if not reference.tensor.numel() or rule.kind is None:
        return None
    if rule.kind == "neighbours":
        return neighbour_decisions(reference.tensor, candidate.tensor, why=rule.why)
    return class_decisions(reference.tensor, candidate.tensor, labels=labels, why=rule.why)


def class_decisions(reference: Tensor, candidate: Tensor, *, labels: Tensor | None, why: str) -> ClassDecisions:
    """Flips, margins, divergence and accuracy of scores `(..., classes)`.

    Of equal scores, the first counts as the largest. Probabilities are softmax in float64. With p and q those of
    reference and candidate: KL = sum of p · (ln p - ln q) a sample, in nats, 0 where p is 0; delta-p = q - p at the
    reference's first class. True classes count where there is one for each sample. `why` is the rule by which these
    are class scores.
    """
    classes = reference.shape[-1]
    samples = reference.numel() // classes
    parts = _chunks(reference.reshape(samples, classes), candidate.reshape(samples, classes))
    found = _Samples.gathered(parts, samples)
    flipped = found.first[0] != found.first[1]
    return ClassDecisions(
        rule=why,
        classes=classes,
        samples=int(found.finite.sum()),
        nonfinite_samples=int(samples - found.finite.sum()),
        flips=int(flipped.sum()),
        kl=sample_mean(found.kl),
        delta_p=sample_mean(found.delta_p),
        score_margins=margin_bins(found.score_margin, flipped),
        probability_margins=margin_bins(found.probability_margin, flipped),
        accuracy=_accuracy(found, labels, classes) if labels is not None and labels.numel() == samples else None,
    )


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


def _chunks(reference: Tensor, candidate: Tensor) -> Iterator[_Samples]:
    """A few rows at a time, in float64; of the largest vocabularies, one."""
    on_cuda = reference.device.type == "cuda" and candidate.device == reference.device
    device = reference.device if on_cuda else torch.device("cpu")  # not every accelerator has float64
    elements = ACCELERATOR_CHUNK_ELEMENTS if on_cuda else CHUNK_ELEMENTS
    rows = max(1, elements // reference.shape[1])
    for start in range(0, len(reference), rows):
        sides = (_widened(side[start : start + rows], device) for side in (reference, candidate))
        yield _measured(*sides)


def _widened(rows: Tensor, device: torch.device) -> Tensor:
    """A copy in float64, through float32, which holds every narrower value, because torch is quicker so."""
    here = rows.detach().to(device)
    return here.to(torch.float64, copy=True) if here.dtype == torch.float64 else here.float().double()


def _measured(r: Tensor, y: Tensor) -> _Samples:
    """Of rows `(rows, classes)` of float64 of its own, which it changes."""
    finite = _are_finite(r) & _are_finite(y)
    if not finite.all():
        r, y = r[finite], y[finite]
    first_r, first_y = _first_largest(r)[:, None], _first_largest(y)[:, None]
    # From the largest score of each row, so that no exponential overflows.
    r -= r.gather(1, first_r)
    y -= y.gather(1, first_y)
    p, q = r.exp(), y.exp()
    sums_p, sums_q = p.sum(dim=1), q.sum(dim=1)
    kl = p.mul_(r - y).sum(dim=1).div_(sums_p) + sums_q.log() - sums_p.log()
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


def _are_finite(x: Tensor) -> Tensor:
    """Rows whose every element, and the span from its smallest to its largest, is finite in float64."""
    return torch.isfinite(x.amax(dim=1) - x.amin(dim=1))  # NaN where there is one


def _first_largest(x: Tensor) -> Tensor:
    """Column of the first of each row's largest values."""
    if x.device.type == "cpu":
        return torch.from_numpy(np.asarray(x.numpy().argmax(axis=1)))
    # torch's argmax promises no first one.
    columns = torch.arange(x.shape[1], device=x.device)
    return torch.where(x == x.amax(dim=1, keepdim=True), columns, x.shape[1]).amin(dim=1)


def margin_bins(margins: Values, flipped: Flags) -> MarginBins:
    """Samples and flips by power of two of the margin, which is 0 or more; both `(samples,)`."""
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
