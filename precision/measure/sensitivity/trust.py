"""Where first-order theory cannot be trusted: such layers are run alone, in a budget, instead of predicted."""

import math
from collections.abc import Mapping

MANY_CALLS = 8
"""In a layer that is called more often, the errors of its calls change one another."""
LEAST_DB = 15.0
"""An output whose predicted signal-to-noise ratio is below this is no longer near the reference."""
MOST_MISSED = 2.0
"""Predicted over measured RMSE of all layers together, or its reciprocal, from which no prediction is trusted."""
RUNS = 32
"""Layers that are run alone in one format, at most."""


def doubtful(
    predicted: Mapping[str, float], calls: Mapping[str, int], *, mean_square: float, whole: float | None
) -> list[str]:
    """The layers whose prediction is not to be trusted, those of the largest predicted error first.

    Those that are called many times or whose predicted error is large; all of them, if what they predict together
    misses what was measured.

    Args:
        predicted: squared error of each layer, a mean over the outputs' elements.
        calls: of each layer in one pass.
        mean_square: of the reference's outputs.
        whole: measured with all layers in the format; None where that is not finite or does not run.
    """
    largest = mean_square * 10 ** (-LEAST_DB / 10)
    missed = is_missed(math.fsum(predicted.values()), whole)
    found = [fqn for fqn, error in predicted.items() if missed or calls[fqn] > MANY_CALLS or error > largest]
    return sorted(found, key=predicted.__getitem__, reverse=True)


def is_missed(predicted: float, measured: float | None, most: float = MOST_MISSED) -> bool:
    """Whether a predicted squared error is so far from the measured one, which is None where it is not finite."""
    if measured is None:
        return True
    if not predicted or not measured:
        return predicted != measured
    return not 1 / most <= math.sqrt(predicted / measured) <= most
