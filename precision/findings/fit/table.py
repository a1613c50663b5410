"""The fit of every distinct histogram of a run in every format."""

from collections.abc import Sequence
from dataclasses import dataclass

from precision.findings.fit.fitness import FitLimits, Fitness, fitness, lowest_fit, worst
from precision.formats import ALL_FORMATS, AnyFormat
from precision.results.ranges import Ranges, TensorRange


@dataclass(frozen=True, kw_only=True)
class FitTable:
    """The fit of each histogram of a run in each of some formats."""

    formats: tuple[AnyFormat, ...]
    limits: FitLimits
    fits: tuple[tuple[Fitness, ...], ...]
    """Row per place in `Ranges.histograms`, column per format."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the formats."""
        return tuple(fmt.name for fmt in self.formats)

    def fit(self, tensor: TensorRange, name: str) -> Fitness:
        """The fit of one tensor in the format of that name."""
        return self.fits[tensor.histogram][self.names.index(name)]

    def worst(self, tensors: Sequence[TensorRange], name: str) -> Fitness:
        """The worst fit of several tensors in the format of that name."""
        return worst([self.fit(tensor, name) for tensor in tensors])

    def lowest_safe(self, tensors: Sequence[TensorRange], *, scaled: bool = False) -> str | None:
        """The format with the fewest bits in which all of `tensors` fit; see `lowest_fit`."""
        rows = [self.fits[tensor.histogram] for tensor in tensors]
        together = [[row[column] for row in rows] for column in range(len(self.formats))]
        return lowest_fit(self.formats, together, scaled=scaled)


def fit_table(
    ranges: Ranges, formats: Sequence[AnyFormat] = ALL_FORMATS, *, limits: FitLimits | None = None
) -> FitTable:
    """Judge all values of a run in `formats`, without running anything.

    Raises:
        UnsupportedError: a format that a histogram was not counted for; see `fitness`.
    """
    limits = limits or FitLimits()
    fits = tuple(tuple(fitness(each, fmt, limits=limits) for fmt in formats) for each in ranges.histograms)
    return FitTable(formats=tuple(formats), limits=limits, fits=fits)
