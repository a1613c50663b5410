"""All that is counted of a tensor: its values by exponent, and by distance below the largest of their group."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from precision.measure.ranges.exponents import ExponentCounts
from precision.measure.ranges.groups import GroupCounts
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


def value_histogram(values: Tensor, *, axis: int = -1) -> ExponentHistogram:
    """`values` counted, with what is told of their groups; see `counts_of`."""
    return counts_of(values, axis=axis).result()


def counts_of(values: Tensor, *, axis: int = -1) -> ValueCounts:
    """Counts of one tensor, floating-point or complex, whose values share scales along `axis`.

    Raises:
        InputError: a dtype without exponents, such as an integer one.
    """
    return ValueCounts(exponents_of(values), groups_of(values, axis=axis))


def exponents_of(values: Tensor) -> ExponentCounts:
    """The first half of `counts_of`."""
    counts = ExponentCounts()
    counts.add(values)
    return counts


def groups_of(values: Tensor, *, axis: int = -1) -> GroupCounts:
    """The second half of `counts_of`."""
    counts = GroupCounts()
    counts.add(values, axis=axis)
    return counts
