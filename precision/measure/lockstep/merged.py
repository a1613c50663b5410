"""Values that differ in the reference and are equal in the candidate: neighbours on a grid, such as positions."""

from typing import NamedTuple

import torch
from torch import Tensor

_LARGEST = 2**20
"""Larger tensors are not looked at: each takes a few reads along every dimension."""
_FEWEST = 8
"""Shorter dimensions say little."""


class Merged(NamedTuple):
    """Neighbours along one dimension."""

    became_equal: int
    """Pairs that differ in the reference, and whose values are all equal in the candidate."""
    pairs: int
    """That differ in the reference."""

    @property
    def share(self) -> float:
        """Of the pairs."""
        return self.became_equal / self.pairs if self.pairs else 0.0


NONE_MERGED = Merged(0, 0)


def merged(reference: Tensor, candidate: Tensor) -> Merged:
    """Of the dimension along which the largest share of neighbouring slices became equal.

    A slice is all that lies at one place of a dimension: of positions a number, of a table of angles a row. Only
    dimensions along which the reference rises or falls throughout count, as positions and grids do: that neighbours
    at random come together says nothing. NaN equals nothing.
    """
    found = NONE_MERGED
    if not 0 < reference.numel() <= _LARGEST or reference.layout is not torch.strided:
        return found
    for dim, size in enumerate(reference.shape):
        if size < _FEWEST:
            continue
        rows, low = (side.detach().movedim(dim, 0).reshape(size, -1) for side in (reference, candidate))
        steps = rows[1:] - rows[:-1]
        if not bool(((steps >= 0).all(0) | (steps <= 0).all(0)).all()):
            continue
        apart, same = (steps != 0).any(-1), (low[1:] == low[:-1]).all(-1)
        along = Merged(int((apart & same).sum()), int(apart.sum()))
        found = max(found, along, key=lambda each: each.share)
    return found
