"""Where a model's values lie, and the lowest safe format of each tensor, as text for a terminal."""

from __future__ import annotations

from precision.cli.heading import heading, paragraphs, warnings_text
from precision.cli.tables import table_text
from precision.findings.fit.table import fit_table
from precision.findings.ranges import ranges_table
from precision.formats import formats_with
from precision.results import RangesResult

_SHOWN = ("tensor", "kind", "elements", "zeros", "smallest", "largest", "lowest safe")
_OF_FORMAT = ("verdict", "headroom", "predicted SQNR")


def ranges_text(result: RangesResult, *, judge_by: str = "float16") -> str:
    """A line for every weight, input and output: its range, the lowest safe format, and its fit in one format."""
    ranges, name = result.ranges, judge_by
    if ranges is None:
        return paragraphs(heading(result), warnings_text(*result.warnings), "No values were counted.")
    table = ranges_table(ranges, ranges.tensors, fit_table(ranges, formats_with(name)), name)
    return paragraphs(
        heading(result),
        warnings_text(*result.warnings),
        f"Verdict, headroom and predicted SQNR: in {name}.",
        table_text(table.pick(*_SHOWN, *_OF_FORMAT)),
    )
