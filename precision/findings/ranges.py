"""Where a model's values lie, and how they fit a format, as a table."""

from __future__ import annotations

from collections.abc import Iterable

from precision.findings.fit.fitness import share_between
from precision.findings.fit.rounding import Share
from precision.findings.fit.table import FitTable
from precision.findings.tables import Kind, Table, Value, table_of
from precision.results.ranges import Ranges, TensorRange

_COLUMNS: dict[str, Kind] = {
    "tensor": "text",
    "kind": "text",
    "module": "text",
    "verdict": "text",
    "why": "text",
    "lowest safe": "text",
    "with scaling": "text",
    "headroom": "bits",
    "overflow": "text",
    "underflow": "text",
    "subnormal": "text",
    "predicted SQNR": "decibels",
    "largest": "number",
    "smallest": "number",
    "elements": "count",
    "zeros": "share",
    "infinite or NaN": "count",
    "calls": "count",
    "dtype": "text",
}


def ranges_table(ranges: Ranges, tensors: Iterable[TensorRange], fits: FitTable, name: str) -> Table:
    """A row for each tensor: its range, how it fits the format of that name, and the lowest format that is safe.

    Args:
        ranges: that the tensors are of.
        tensors: the rows.
        fits: of all histograms of `ranges`.
        name: of one of its formats.
    """
    return table_of(_COLUMNS, (_row(ranges, tensor, fits, name) for tensor in tensors))


def _row(ranges: Ranges, tensor: TensorRange, fits: FitTable, name: str) -> tuple[Value, ...]:
    values, fit = ranges.histogram_of(tensor), fits.fit(tensor, name)
    return (
        tensor.label,
        tensor.kind,
        tensor.module_type,
        fit.verdict.value,
        fit.reason,
        fits.lowest_safe([tensor]) or "none",
        fits.lowest_safe([tensor], scaled=True) or "none",
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
