"""Short ways to count one tensor."""

from torch import Tensor

from precision.measure.ranges.counts import counts_of
from precision.measure.ranges.exponents import exponents_of
from precision.results.ranges import ExponentHistogram


def value_histogram(values: Tensor, *, axis: int = -1) -> ExponentHistogram:
    """All that is counted of it."""
    return counts_of(values, axis=axis).result()


def exponent_histogram(values: Tensor) -> ExponentHistogram:
    """Counted by exponent alone."""
    return exponents_of(values).result()
