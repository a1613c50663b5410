"""Sums over the four corners of a layer."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from precision.measure.lockstep.pairs import rounded
from precision.measure.lockstep.replay import NotSeparableError
from precision.results.layers import Corners, ErrorSize

_CHUNK = 2**15
"""Elements at a time: the float64 temporaries stay in the second-level cache."""


class CornerSums:
    """Sums over the elements of f(x), f~(x~), f~(x) and f(x~)."""

    def __init__(self) -> None:
        self._squares = [0.0] * 4
        self._largest = [0.0] * 4
        self._reference = 0.0
        self._elements = 0
        self.excluded = 0

    def add(self, exact: Tensor, both: Tensor, low_on_exact: Tensor, exact_on_low: Tensor) -> None:
        """Take in one tensor of each corner; equal shapes."""
        flat = [tensor.detach().reshape(-1) for tensor in (exact, both, low_on_exact, exact_on_low)]
        for start in range(0, flat[0].numel(), _CHUNK):
            f, ff, lf, fl = (_wide(tensor[start : start + _CHUNK]) for tensor in flat)
            propagated, local, inherited = ff - f, lf - f, fl - f
            interaction = propagated - local - inherited
            finite = None
            if not math.isfinite(float(interaction.sum())):
                finite = torch.isfinite(interaction)
                self.excluded += int((~finite).sum())
                f = f[finite]
            for place, whole in enumerate((propagated, local, inherited, interaction)):
                error = whole if finite is None else whole[finite]
                if error.numel():
                    self._squares[place] += float(error.dot(error))
                    self._largest[place] = max(self._largest[place], float(error.abs().amax()))
            self._reference += float(f.dot(f))
            self._elements += f.numel()

    def corners(
        self, *, inputs: CornerSums | None, weights_only: ErrorSize | None, activations_only: ErrorSize | None
    ) -> Corners:
        """The result; without `inputs`, it has no gain.

        Raises:
            NotSeparableError: there is no element that is finite in all corners.
        """
        if not self._elements:
            raise NotSeparableError("no element of its output is finite in all four corners.")
        propagated, local, inherited, interaction = (self._size(place) for place in range(4))
        handed = inputs.local() if inputs is not None else None
        handed_l2 = handed.normalized_l2 if handed is not None else None
        gain = None
        if handed_l2 and math.isfinite(handed_l2) and math.isfinite(inherited.normalized_l2):
            gain = rounded(inherited.normalized_l2 / handed_l2)
        return Corners(
            local=local,
            inherited=inherited,
            interaction=interaction,
            propagated=propagated,
            gain=gain,
            input_normalized_l2=handed_l2,
            excluded_elements=self.excluded,
            weights_only=weights_only,
            activations_only=activations_only,
        )

    def local(self) -> ErrorSize | None:
        """The size of the second error; None without elements."""
        return self._size(1) if self._elements else None

    def _size(self, place: int) -> ErrorSize:
        squares = self._squares[place]
        relative = math.sqrt(squares / self._reference) if self._reference else (math.inf if squares else 0.0)
        return ErrorSize(
            rmse=rounded(math.sqrt(squares / self._elements)),
            normalized_l2=rounded(relative),
            max_abs_error=rounded(self._largest[place]),
        )


def _wide(tensor: Tensor) -> Tensor:
    return tensor.cpu().to(torch.float64)
