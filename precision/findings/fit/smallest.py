"""Every parameter in the smallest format that holds its values, as a request to run."""

from collections.abc import Iterator

from precision.errors import InputError
from precision.findings.fit.fitness import Fit
from precision.findings.fit.rounding import best_scale_exponent, window_of
from precision.findings.fit.table import FitTable, fit_table, formats_to_judge
from precision.formats import NumericFormat, any_format_named
from precision.results.ranges import Ranges, RangesResult
from precision.spec import Analysis, RunSpec
from precision.spec.weights import StoredIn

_OTHERS = {"dtype", "method", "keep", "wide_inputs", "plan", "weights", "analysis"}


def smallest_spec(result: RangesResult, *, scaled: bool = False, asked: str = "") -> RunSpec:
    """The comparison that runs the model with each parameter in the smallest format that holds its values.

    Args:
        result: the ranges of the model.
        scaled: whether each parameter may have a scale, and formats with scales are a choice.
        asked: see `formats_to_judge`.

    Raises:
        InputError: there is no such parameter.
    """
    ranges = result.ranges
    weights = smallest_weights(ranges, fit_table(ranges, formats_to_judge(asked)), scaled=scaled) if ranges else ()
    return with_weights(result.spec, weights)


def smallest_weights(ranges: Ranges, table: FitTable, *, scaled: bool = False) -> tuple[tuple[str, str], ...]:
    """Name and way to store of each parameter that a format of `table` holds."""
    return tuple(_smallest(ranges, table, scaled=scaled))


def with_weights(spec: RunSpec, weights: tuple[tuple[str, str], ...]) -> RunSpec:
    """The comparison of the model and the input of `spec` with these weights in formats of their own.

    Raises:
        InputError: there are none.
    """
    if not weights:
        raise InputError(
            "No format holds the values of a parameter, or the model has no parameters: there is nothing to run."
        )
    settings = spec.model_dump(exclude_defaults=True, exclude=_OTHERS)
    return RunSpec.parse({**settings, "weights": weights, "analysis": Analysis.COMPARE})


def _smallest(ranges: Ranges, table: FitTable, *, scaled: bool) -> Iterator[tuple[str, str]]:
    for tensor in ranges.tensors:
        if tensor.kind != "parameter" or tensor.dtype.startswith("complex"):
            continue
        name = table.smallest_format([tensor], scaled=scaled)
        if name is None:
            continue
        fmt, exponent = any_format_named(name), 0
        if isinstance(fmt, NumericFormat) and table.fit(tensor, name).verdict is Fit.NEEDS_SCALING:
            exponent = best_scale_exponent(ranges.histogram_of(tensor), window_of(fmt))
        yield tensor.name, str(StoredIn(fmt, exponent))
