"""The fit of every distinct histogram of a run in every format."""

from collections.abc import Sequence
from dataclasses import dataclass

from precision.findings.fit.fitness import FitLimits, Fitness, fitness, smallest_fit, worst
from precision.formats import ALL_FORMATS, AnyFormat, NumericFormat, any_format_named, formats_with
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

    def smallest_format(self, tensors: Sequence[TensorRange], *, scaled: bool = False) -> str | None:
        """The smallest format that holds the values of all of `tensors`; see `smallest_fit`."""
        together = zip(*(self.fits[tensor.histogram] for tensor in tensors), strict=True)
        return smallest_fit(self.formats, list(together), scaled=scaled) if tensors else None


def formats_to_judge(asked: str = "") -> tuple[AnyFormat, ...]:
    """All formats of the table but dialects such as float8_e4m3fnuz, and the one `asked` for, whatever it is."""
    wanted = any_format_named(asked) if asked else None
    formats = formats_with(asked) if asked else ALL_FORMATS
    return tuple(fmt for fmt in formats if fmt == wanted or not (isinstance(fmt, NumericFormat) and fmt.is_dialect))


def fit_table(
    ranges: Ranges, formats: Sequence[AnyFormat] | None = None, *, limits: FitLimits | None = None
) -> FitTable:
    """Judge all values of a run in `formats`, by default `formats_to_judge()`, without running anything.

    Raises:
        UnsupportedError: a format that a histogram was not counted for; see `fitness`.
    """
    limits, formats = limits or FitLimits(), formats_to_judge() if formats is None else formats
    fits = tuple(tuple(fitness(each, fmt, limits=limits) for fmt in formats) for each in ranges.histograms)
    return FitTable(formats=tuple(formats), limits=limits, fits=fits)
