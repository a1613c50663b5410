"""The fit of every distinct histogram of a run in every format."""

from collections.abc import Sequence
from dataclasses import dataclass

from precision.findings.fit.fitness import FitLimits, Fitness, fitness, lowest_fit, worst
from precision.formats import ALL_FORMATS, AnyFormat, NumericFormat
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

    def lowest_safe(self, tensors: Sequence[TensorRange], *, scaled: bool = False, asked: str = "") -> str | None:
        """The smallest format that holds the values of all of `tensors`; see `lowest_fit`.

        A dialect such as float8_e4m3fnuz is named only if it is the format `asked` for.
        """
        rows = [self.fits[tensor.histogram] for tensor in tensors]
        columns = [
            at
            for at, fmt in enumerate(self.formats)
            if fmt.name == asked or not (isinstance(fmt, NumericFormat) and fmt.is_dialect)
        ]
        together = [[row[column] for row in rows] for column in columns]
        return lowest_fit([self.formats[column] for column in columns], together, scaled=scaled)


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
