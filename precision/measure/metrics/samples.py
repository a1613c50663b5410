"""The errors of each sample of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from precision.measure.metrics.output_kinds import Known
from precision.measure.metrics.outputs import Leaf
from precision.results.regimes import SampleClasses, SampleErrors

_CHUNK_ELEMENTS = 2**20
_TEXT_CHARACTERS = 200


def samples_of(pairs: Sequence[tuple[Leaf, Leaf]]) -> int | None:
    """How many samples the outputs have: their common first dimension; None where there is none."""
    sizes = {reference.shape[0] if reference.shape else None for reference, _ in pairs}
    return sizes.pop() if len(sizes) == 1 else None


def worst_sample(
    pairs: Sequence[tuple[Leaf, Leaf]], *, known: Known | None = None, texts: Sequence[str] = ()
) -> SampleErrors | None:
    """The sample with most new infinities or NaNs; among equals, with the largest normalized L2; None without any.

    Samples in which the reference itself is infinite or NaN are left out, but for a -inf that both have: it masks.
    Pairs are floating-point, `(samples, ...)`, texts the sentence of each sample. Padding counts as equal.
    """
    count = samples_of(pairs)
    if not count:
        return None
    pairs = [(_padded(reference), _padded(candidate)) for reference, candidate in pairs]
    totals = _Totals(*torch.zeros(5, count, dtype=torch.float64))
    for reference, candidate in pairs:
        rows = max(1, _CHUNK_ELEMENTS // max(1, reference.tensor[0].numel()))
        for start in range(0, count, rows):
            part = slice(start, start + rows)
            totals.add(part, _rows(reference.tensor[part]), _rows(candidate.tensor[part]))
    worst = totals.worst()
    if worst is None:
        return None
    return worst.model_copy(
        update={
            "largest_error": _largest_error(pairs, worst.index),
            "classes": _classes(pairs, worst.index, known or Known()),
            "text": texts[worst.index][:_TEXT_CHARACTERS] if len(texts) == count else None,
        }
    )


def _largest_error(pairs: Sequence[tuple[Leaf, Leaf]], index: int) -> float | None:
    largest: list[float] = []
    for reference, candidate in pairs:
        r, y = (leaf.tensor[index].cpu().double() for leaf in (reference, candidate))
        errors = (y - r)[r.isfinite() & y.isfinite()].abs()
        largest += [float(errors.max())] if errors.numel() else []
    return max(largest, default=None)


def _padded(leaf: Leaf) -> Leaf:
    return replace(leaf, tensor=leaf.padded(), rows=None, given=None)


def _classes(pairs: Sequence[tuple[Leaf, Leaf]], index: int, known: Known) -> SampleClasses | None:
    labels = known.labels
    for reference, candidate in pairs:
        if reference.tensor.dim() == 2 and known.taken(reference).kind.decides == "classes":
            is_labelled = labels is not None and labels.shape == reference.tensor.shape[:1]
            return SampleClasses(
                truth=int(labels[index]) if labels is not None and is_labelled else None,
                reference=_first_class(reference.tensor[index]),
                candidate=_first_class(candidate.tensor[index]),
            )
    return None


def _first_class(scores: Tensor) -> int | None:
    """None where a score is infinite or NaN; -inf masks a class."""
    wide = scores.double()
    return int(wide.argmax()) if (wide.isfinite() | wide.isneginf()).all() and wide.isfinite().any() else None


@dataclass(eq=False)
class _Totals:
    """Of each sample, `(samples,)` float64."""

    signal: Tensor
    """Norm of the reference over the finite pairs."""
    noise: Tensor
    """Norm of the error."""
    finite: Tensor
    nonfinite: Tensor
    untrusted: Tensor
    """Elements that are infinite or NaN in the reference."""

    def add(self, part: slice, reference: Tensor, candidate: Tensor) -> None:
        """Take in rows of samples, `(rows, elements)`."""
        r, y = reference.cpu().double(), candidate.cpu().double()
        known = r.isfinite()
        both = known & y.isfinite()
        zero = r.new_zeros(())
        self.finite[part] += both.sum(1)
        self.nonfinite[part] += (known & ~both).sum(1)
        self.untrusted[part] += (~known & ~(r.isneginf() & y.isneginf())).sum(1)
        for total, values in ((self.signal, r), (self.noise, y - r)):
            total[part] = torch.hypot(total[part], _norms(torch.where(both, values, zero)))

    def worst(self) -> SampleErrors | None:
        """By the rule of `worst_sample`."""
        l2 = torch.where(self.noise == 0, 0.0, self.noise / self.signal)
        trusted = (self.untrusted == 0).nonzero().flatten().tolist()
        if not trusted:
            return None
        index = max(trusted, key=lambda place: (float(self.nonfinite[place]), float(l2[place])))
        return SampleErrors(
            index=index,
            normalized_l2=float(l2[index]) if self.finite[index] else None,
            nonfinite=int(self.nonfinite[index]),
        )


def _rows(x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], -1) if x.numel() else x.new_empty(x.shape[0], 0)


def _norms(x: Tensor) -> Tensor:
    """Euclidean ones of the rows, without overflow or underflow of the squares."""
    largest = x.abs().amax(1, keepdim=True) if x.shape[1] else x.new_zeros(x.shape[0], 1)
    scale = torch.where((largest > 0) & largest.isfinite(), largest, 1.0)
    norms: Tensor = torch.linalg.vector_norm(x / scale, dim=1)
    return scale.squeeze(1) * norms
