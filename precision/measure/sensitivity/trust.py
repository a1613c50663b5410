"""Where first-order theory cannot be trusted: such layers are run alone, in a budget, instead of predicted."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

MANY_CALLS = 8
"""In a layer that is called more often, the errors of its calls change one another."""
LEAST_DB = 15.0
"""An output whose predicted signal-to-noise ratio is below this is no longer near the reference."""
MOST_MISSED = 2.0
"""Predicted over measured RMSE of all layers together, or its reciprocal, from which no prediction is trusted."""
LEAST_SHARE, MOST_TIMES = 0.02, 5.0
"""Where errors are larger than the values themselves for more than this share of a layer's output, and for more times
as many of them as their sizes let expect, many values are far below the others and lose all their digits."""
LEAST_LOCAL_DB = 10.0
"""A layer whose own signal-to-noise ratio is below this has errors of its values' size, as where the format clips."""
RUNS = 32
"""Layers that are run alone in one format, at most."""


@dataclass(kw_only=True)
class Sizes:
    """Of a layer's values and of their errors, over all of its calls."""

    elements: int = 0
    outweighed: int = 0
    """Elements whose error is larger than their value."""
    size: float = 0.0
    """Euclidean norm of all values."""
    error_size: float = 0.0

    def add(self, values: Tensor, errors: Tensor) -> None:
        """Count the elements of one tensor; values that are not finite have no error."""
        size = float(torch.linalg.vector_norm(values))
        if not math.isfinite(size):
            values = values.nan_to_num(0.0, 0.0, 0.0)
            size = float(torch.linalg.vector_norm(values))
        self.elements += values.numel()
        self.outweighed += int((errors.abs() > values.abs()).sum())
        self.size = math.hypot(self.size, size)
        self.error_size = math.hypot(self.error_size, float(torch.linalg.vector_norm(errors)))

    @property
    def is_lost(self) -> bool:
        """Whether the errors are of the size of the values, so that nothing after the layer is near the reference."""
        return self.error_size > self.size * 10 ** (-LEAST_LOCAL_DB / 20)

    @property
    def hides_values(self) -> bool:
        """Whether many values are small beside their errors, though all together they are not."""
        if not self.elements:
            return False
        share = self.outweighed / self.elements
        # Of normal numbers of these sizes, independent of each other.
        expected = 2 / math.pi * math.atan2(self.error_size, self.size)
        return share > max(LEAST_SHARE, MOST_TIMES * expected)


def doubtful(
    predicted: Mapping[str, float],
    calls: Mapping[str, int],
    *,
    unseen: Collection[str] = (),
    mean_square: float,
    whole: float | None,
) -> list[str]:
    """The layers whose prediction is not to be trusted, those of the largest predicted error first.

    Those that are called many times, whose predicted error is large, or that are `unseen`; all of them, if what they
    predict together misses what was measured.

    Args:
        predicted: squared error of each layer, a mean over the outputs' elements.
        calls: of each layer in one pass.
        unseen: the layers whose gradients do not tell: many of their values are small beside their errors, or their
            errors are as large (see `Sizes`), have no gradient at all or an effect below the reference's own rounding,
            or a choice that comes after them turns out otherwise.
        mean_square: of the reference's outputs.
        whole: measured with all layers in the format; None where that is not finite or does not run.
    """
    largest = mean_square * 10 ** (-LEAST_DB / 10)
    missed = is_missed(math.fsum(predicted.values()), whole)
    found = [
        fqn for fqn, error in predicted.items() if missed or calls[fqn] > MANY_CALLS or error > largest or fqn in unseen
    ]
    return sorted(found, key=predicted.__getitem__, reverse=True)


def is_missed(predicted: float, measured: float | None, most: float = MOST_MISSED) -> bool:
    """Whether a predicted squared error is so far from the measured one, which is None where it is not finite."""
    if measured is None:
        return True
    if not predicted or not measured:
        return predicted != measured
    return not 1 / most <= math.sqrt(predicted / measured) <= most
