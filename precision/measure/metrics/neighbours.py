"""Which other sample is nearest to each, in the reference and in the candidate."""

import torch
from torch import Tensor

from precision.measure.metrics.sample_means import sample_mean
from precision.results import NeighbourDecisions

LEAST_SAMPLES = 3
"""Of two, each is the other's nearest whatever the vectors are."""
MAX_SAMPLES = 2048
"""The work grows with their square; so many of 1,024 features take about a second."""
_ROWS = 256
_DECIMALS = 12
"""Similarities that agree to so many are equal: beyond them, the order of a sum decides."""


def neighbour_decisions(reference: Tensor, candidate: Tensor) -> NeighbourDecisions | None:
    """Nearest-neighbour agreement of vectors `(samples, features)` in float64; None of fewer than three finite ones.

    The nearest is the other sample of the largest cosine similarity, on each side by itself; of equal ones the first.
    A vector of zeros has similarity 0 to every other. Samples after the first `MAX_SAMPLES` are left out.
    """
    r, y = (side[:MAX_SAMPLES].detach().cpu().double() for side in (reference, candidate))
    finite = torch.isfinite(r).all(dim=1) & torch.isfinite(y).all(dim=1)
    r, y = _units(r[finite]), _units(y[finite])
    if len(r) < LEAST_SAMPLES:
        return None
    cosine = sample_mean(_own_cosines(r, y).numpy())
    if cosine is None:
        return None
    return NeighbourDecisions(
        samples=len(r),
        nonfinite_samples=int((~finite).sum()),
        left_out=max(0, len(reference) - MAX_SAMPLES),
        changed=int((_nearest(r) != _nearest(y)).sum()),
        cosine=cosine,
    )


def _units(x: Tensor) -> Tensor:
    """Rows of length 1; those of zeros stay."""
    largest = x.abs().amax(dim=1, keepdim=True)
    scaled = x / torch.where(largest > 0, largest, 1.0)  # so that no square overflows or vanishes
    norms = scaled.norm(dim=1, keepdim=True)
    return scaled / torch.where(norms > 0, norms, 1.0)


def _own_cosines(r: Tensor, y: Tensor) -> Tensor:
    """Of each row with its counterpart: 1 where both are zero, 0 where one is."""
    both_zero = ~(r.any(dim=1) | y.any(dim=1))
    return torch.where(both_zero, 1.0, (r * y).sum(dim=1).clamp_(-1.0, 1.0))


def _nearest(units: Tensor) -> Tensor:
    """Index of the other row that is most similar to each."""
    nearest = []
    for start in range(0, len(units), _ROWS):
        similar = (units[start : start + _ROWS] @ units.T).round_(decimals=_DECIMALS)
        rows = torch.arange(len(similar))
        similar[rows, start + rows] = -torch.inf
        nearest.append(torch.from_numpy(similar.numpy().argmax(axis=1)))
    return torch.cat(nearest)
