"""The main table of every result: what the command line prints and the library gives as a data frame."""

from collections.abc import Callable, Mapping
from typing import Any

from precision.errors import InputError
from precision.findings.autocast import autocast_table
from precision.findings.cast import audit_table
from precision.findings.elements import metrics_table
from precision.findings.fit.table import fit_table
from precision.findings.layers import calls_table
from precision.findings.ranges import ranges_table
from precision.findings.regimes import regimes_table
from precision.findings.routes.tables import AFTERWARDS, RUN, STORED, routes_table
from precision.findings.sensitivity.tables import sensitivity_table
from precision.findings.tables import Column, Table, table_of
from precision.findings.training.tables import recipes_table
from precision.results import AnalysisResult, ClaimsResult, CompareResult, MemoryResult
from precision.spec import Analysis


def table_of_result(result: AnalysisResult) -> Table:
    """The main table of a result.

    Raises:
        InputError: the run stopped before there was anything to show.
    """
    field, table = _TABLES[result.spec.analysis]
    if getattr(result, field) is None:
        raise InputError(f"There is nothing to show: {result.failure.message if result.failure else 'no result'}")
    return table(result)


def _metrics(result: CompareResult) -> Table:
    """The metrics of the first output."""
    comparison = result.comparison
    if comparison is None or not comparison.outputs:
        raise InputError("There is nothing to show: no output was compared.")
    return metrics_table(comparison.outputs[0], comparison)


def _claims(result: ClaimsResult) -> Table:
    columns = (Column("claim"), Column("question"), Column("verdict"), Column("finding"))
    return table_of(columns, ((each.id, each.question, each.verdict, each.finding) for each in result.claims))


def _memory(result: MemoryResult) -> Table:
    columns = (Column("format"), Column("bytes, theory", "bytes"))
    return table_of(columns, ((each.format, each.stored_bytes) for each in result.memory.formats))


_TABLES: Mapping[Analysis, tuple[str, Callable[[Any], Table]]] = {
    Analysis.AUDIT: ("audit", lambda result: audit_table(result.audit.tensors)),
    **dict.fromkeys((Analysis.COMPARE, Analysis.ERRORS), ("comparison", _metrics)),
    Analysis.LAYERS: ("report", lambda result: calls_table(result.report)),
    Analysis.RANGES: (
        "ranges",
        lambda result: ranges_table(result.ranges, result.ranges.tensors, fit_table(result.ranges), result.spec.dtype),
    ),
    Analysis.REGIMES: ("report", lambda result: regimes_table(result.report)),
    Analysis.ROUTES: (
        "report",
        lambda result: routes_table(result.report, result.spec.dtype, (*STORED, *RUN, *AFTERWARDS)),
    ),
    Analysis.SENSITIVITY: ("report", lambda result: sensitivity_table(result.report)),
    Analysis.TRAINING: ("report", lambda result: recipes_table(result.report)),
    Analysis.AUTOCAST: ("operators", autocast_table),
    Analysis.CLAIMS: ("claims", _claims),
    Analysis.MEMORY: ("memory", _memory),
}
"""The field that holds what was measured, and the table of a result that has it."""
