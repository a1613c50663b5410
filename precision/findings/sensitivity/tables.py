"""A sensitivity in words and tables: how it was measured, every layer in every format, and whole casts."""

from collections.abc import Iterator

from precision.findings.sensitivity.rows import RowKind, RowOrder, SensitivityCell, SensitivityRow, rows_of
from precision.findings.tables import Column, Table, Value, of_kind, table_of, written
from precision.formats import any_format_named
from precision.results import SensitivityReport
from precision.results.plan import root
from precision.text.metrics import metric_named
from precision.text.units import count_text

_NUMBERS = (
    Column("format"),
    Column("SQNR", "decibels", metric_named("sqnr_db").definition),
    Column("SQNR is", help="Measured by running the layer alone in the format, or estimated."),
    Column("RMSE, predicted", "error", metric_named("rmse").definition),
    Column("± standard error", "error"),
    Column("RMSE, measured", "error"),
    Column("RMSE of all other layers, measured", "error"),
    Column("not finite", "count"),
    Column("arithmetic"),
    Column("reference bytes", "bytes"),
    Column("bytes", "bytes"),
    Column("time", "time"),
)
_WHOLE_CASTS = (
    *of_kind("text", "every layer in"),
    *of_kind("error", "predicted RMSE", "measured RMSE"),
    *of_kind("ratio", "predicted / measured"),
    *of_kind("text", "remark"),
)


def sensitivity_table(report: SensitivityReport, *, by: RowKind = "layer", order: RowOrder = "worst first") -> Table:
    """A row for each layer (or block) and format, without empty columns."""
    rows: list[tuple[Value, ...]] = [
        (row.name, row.type or count_text(row.layers, "layer"), *_numbers(row, cell))
        for row in rows_of(report, by=by, order=order)
        for cell in row.cells
    ]
    return table_of((Column(by), Column("type"), *_NUMBERS), rows).without_empty()


def sqnr_matrix(report: SensitivityReport) -> Table:
    """A row for each layer, the worst first; a column for each format: the output's SQNR, and how it is known."""
    rows = (
        (row.name, row.type, row.calls, row.reference_bytes, *map(_sqnr_text, row.cells))
        for row in rows_of(report, by="layer", order="worst first")
    )
    columns = (*of_kind("text", "layer", "type"), Column("calls", "count"), Column("weights", "bytes"))
    return table_of((*columns, *of_kind("text", *report.formats)), rows)


def whole_casts(report: SensitivityReport) -> Table:
    """A row for each format: the error with every layer in it, predicted and measured."""
    rows = []
    for check in report.uniform:
        predicted, measured = root(check.predicted_squared_error), root(check.measured_squared_error)
        ratio = predicted / measured if predicted is not None and measured else None
        remark = "no prediction" if predicted is None else ""
        if measured is None:
            remark = "not finite, or it does not run"
        rows.append((check.dtype, predicted, measured, ratio, remark))
    return table_of(_WHOLE_CASTS, rows)


def _numbers(row: SensitivityRow, cell: SensitivityCell) -> Iterator[Value]:
    rmse = root(cell.predicted_squared_error)
    yield cell.format
    yield cell.sqnr_db
    yield "" if cell.sqnr_db is None else cell.known_by
    yield rmse
    # d sqrt(x) = dx / (2 sqrt(x))
    yield cell.standard_error / (2 * rmse) if cell.standard_error and rmse else None
    yield root(cell.exact_squared_error)
    yield root(cell.all_but_squared_error)
    yield cell.nonfinite
    yield "native" if any_format_named(cell.format).computes else "simulated"
    yield row.reference_bytes
    yield cell.stored_bytes
    yield None if cell.time_s is None else 1000 * cell.time_s


def _sqnr_text(cell: SensitivityCell) -> str:
    if cell.sqnr_db is None:
        return f"{cell.nonfinite:,} not finite" if cell.nonfinite else "does not run"
    return f"{written(cell.sqnr_db, 'decibels')} {cell.known_by}"


def method_text(report: SensitivityReport, *, exact: bool) -> str:
    """How the errors were found, and at what cost; `exact` says whether exact runs were requested."""
    took = round(report.forward_equivalents)
    cost = f"in the time of {took:,} forward pass{'' if took == 1 else 'es'} of the reference."
    if report.method == "exact sweep":
        return f"Measured: the model ran with one layer at a time in each format, {cost} {report.reason}".rstrip()
    vectors = count_text(report.probes, "random vector") if report.is_sampled else "a vector for each output"
    passes = f"{report.backward_passes:,} backward pass{'' if report.backward_passes == 1 else 'es'}"
    runs = sum(each.exact_squared_error is not None for layer in report.layers for each in layer.contributions)
    which = " where the estimate is uncertain or doubtful"
    if exact:
        failed = len(report.layers) * len(report.formats) - runs
        which = ", one for every layer and format"
        which += f" but {failed:,}, which raised an error or gave infinities or NaN" if failed else ""
    ran = f" and {count_text(runs, 'exact run')}{which}" if runs else ""
    return f"Estimated from gradients ({passes}; {vectors}){ran}, {cost}"


def kinds_text(report: SensitivityReport) -> str:
    """In which formats torch computes, and which are simulated."""
    native = [name for name in report.formats if any_format_named(name).computes]
    simulated = [name for name in report.formats if name not in native]
    parts = (("native", native), ("simulated", simulated))
    return "; ".join(f"{word}: {', '.join(names)}" for word, names in parts if names)
