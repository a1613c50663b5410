"""Where a model's values lie, and the lowest safe format of each tensor, as text for a terminal."""

from __future__ import annotations

from precision.cli.heading import heading, paragraphs, warnings_text
from precision.cli.tables import columns
from precision.findings.fit.table import FitTable, fit_table
from precision.formats import formats_with
from precision.results import RangesResult
from precision.results.ranges import Ranges, TensorRange
from precision.text.names import plain
from precision.text.units import number_text

_COLUMNS = ["TENSOR", "KIND", "ELEMENTS", "ZEROS", "SMALLEST", "LARGEST", "LOWEST SAFE"]


def ranges_text(result: RangesResult) -> str:
    """A line for every weight, input and output: its range, the lowest safe format, the fit of the spec's format."""
    ranges = result.ranges
    if ranges is None:
        return paragraphs(heading(result), warnings_text(*result.warnings), "No values were counted.")
    table = fit_table(ranges, formats_with(result.spec.dtype))
    header = [*_COLUMNS, f"IN {result.spec.dtype.upper()}"]
    rows = [[*_values(ranges, table, tensor), _fit(table, tensor, result.spec.dtype)] for tensor in ranges.tensors]
    return paragraphs(heading(result), warnings_text(*result.warnings), columns([header, *rows]))


def _values(ranges: Ranges, table: FitTable, tensor: TensorRange) -> list[str]:
    histogram = ranges.histogram_of(tensor)
    return [
        plain(tensor.label, limit=None),
        tensor.kind,
        f"{histogram.elements:,}",
        f"{histogram.zeros:,}",
        "" if histogram.smallest is None else number_text(histogram.smallest),
        "" if histogram.largest is None else number_text(histogram.largest),
        table.lowest_safe([tensor]) or "none",
    ]


def _fit(table: FitTable, tensor: TensorRange, name: str) -> str:
    fit = table.fit(tensor, name)
    headroom = "" if fit.headroom_bits is None else f", headroom {fit.headroom_bits:.1f} bits"
    sqnr = "" if fit.sqnr_db is None else f", predicted SQNR {number_text(fit.sqnr_db)} dB"
    return f"{fit.verdict}{headroom}{sqnr}"
