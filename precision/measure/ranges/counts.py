"""All that is counted of a tensor: its values by exponent, and by distance below the largest of their group."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from precision.measure.ranges.exponents import ExponentCounts, exponents_of
from precision.measure.ranges.groups import GroupCounts, groups_of
from precision.results.ranges import ExponentHistogram


@dataclass(frozen=True)
class ValueCounts:
    """Counts gathered tensor by tensor; see `ExponentCounts` and `GroupCounts`."""

    exponents: ExponentCounts = field(default_factory=ExponentCounts)
    groups: GroupCounts = field(default_factory=GroupCounts)

    def merge(self, other: ValueCounts) -> None:
        """Count what `other` has counted, too."""
        self.exponents.merge(other.exponents)
        self.groups.merge(other.groups)

    def result(self) -> ExponentHistogram:
        """What was counted so far."""
        found = self.exponents.result()
        return found.model_copy(update={"groups": self.groups.result(found.norm)})


def counts_of(values: Tensor, *, axis: int = -1) -> ValueCounts:
    """Counts of one tensor, floating-point or complex, whose values share scales along `axis`.

    Raises:
        InputError: a dtype without exponents, such as an integer one.
    """
    return ValueCounts(exponents_of(values), groups_of(values, axis=axis))
