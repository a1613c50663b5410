"""The ranges of a model's values, and how they fit a format, as a table."""

from collections.abc import Iterable

from precision.findings.fit.fitness import share_between
from precision.findings.fit.rounding import Share
from precision.findings.fit.table import FitTable
from precision.findings.tables import Table, Value, of_kind, table_of
from precision.results.ranges import Ranges, TensorRange

_COLUMNS = (
    *of_kind("text", "tensor", "kind", "module", "verdict", "why", "smallest format", "with scaling"),
    *of_kind("bits", "headroom"),
    *of_kind("text", "overflow", "underflow", "subnormal"),
    *of_kind("decibels", "predicted SQNR"),
    *of_kind("number", "largest", "smallest"),
    *of_kind("count", "elements"),
    *of_kind("share", "zeros"),
    *of_kind("count", "infinite or NaN", "calls"),
    *of_kind("text", "dtype"),
)


def ranges_table(ranges: Ranges, tensors: Iterable[TensorRange], fits: FitTable, name: str) -> Table:
    """A row for each tensor: its range, how it fits the format of that name, and the smallest format that holds it."""
    return table_of(_COLUMNS, (_row(ranges, tensor, fits, name) for tensor in tensors))


def _row(ranges: Ranges, tensor: TensorRange, fits: FitTable, name: str) -> tuple[Value, ...]:
    values, fit = ranges.histogram_of(tensor), fits.fit(tensor, name)
    return (
        tensor.label,
        tensor.kind,
        tensor.module_type,
        fit.verdict.value,
        fit.reason,
        fits.smallest_format([tensor]) or "none",
        fits.smallest_format([tensor], scaled=True) or "none",
        fit.headroom_bits,
        _share(fit.overflow),
        _share(fit.underflow),
        _share(fit.subnormal),
        fit.sqnr_db,
        values.largest,
        values.smallest,
        values.elements,
        values.zeros / values.elements if values.elements else None,
        values.infinite + values.nan,
        tensor.calls or None,
        tensor.dtype,
    )


def _share(share: Share | None) -> str:
    return "" if share is None else share_between(share)
