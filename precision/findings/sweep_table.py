"""A sweep as a table, including runs that have not started: their bytes are known by theory."""

from collections.abc import Sequence

from precision.findings.sweep import fits_text, theory_bytes
from precision.findings.tables import Column, Table, table_of
from precision.results import DeviceInfo, ModelMemory, SkippedRun, SweepRow
from precision.spec import RunSpec
from precision.text.metrics import metric_named

_COLUMNS = (  # the most important first, for narrow windows
    Column("format"),
    Column("verdict"),
    Column("SQNR", "decibels", metric_named("sqnr_db").definition),
    Column("bytes, theory", "bytes"),
    Column("bytes, measured", "bytes"),
    Column("bytes, estimated", "bytes"),
    Column("time", "time"),
    Column("against the reference"),
    Column("throughput (samples/s)", "number"),
    Column("max absolute error", "error"),
    Column("mean absolute error", "error"),
    Column("method"),
    Column("device"),
    Column("working memory, measured", "bytes"),
    Column("fits this device"),
    Column("arithmetic"),
    Column("why"),
)


def sweep_table(
    specs: Sequence[RunSpec],
    rows: Sequence[SweepRow],
    skipped: Sequence[SkippedRun] = (),
    *,
    memory: ModelMemory | None = None,
    devices: Sequence[DeviceInfo] = (),
) -> Table:
    """A row for each planned run, then one for each combination that is not possible.

    Args:
        specs: the planned runs.
        rows: results of the runs that have ended.
        skipped: the combinations that are not possible.
        memory: bytes by theory; None while they are unknown.
        devices: those of which the memory is known.
    """
    ended = {row.spec.digest(): row for row in rows}
    sizes = {device.id: device.memory_bytes for device in devices}
    lines = [
        _line(spec, ended.get(spec.digest()), theory_bytes(memory, spec) if memory else None, sizes.get(spec.device))
        for spec in specs
    ]
    return table_of(_COLUMNS, [*lines, *map(_skipped, skipped)])


def _line(spec: RunSpec, row: SweepRow | None, theory: int | None, memory_bytes: int | None) -> tuple[object, ...]:
    estimated = row is not None and row.bytes_are_estimated
    stored = row.stored_bytes if row and row.stored_bytes is not None else theory
    fits = "" if stored is None else fits_text(stored, row.working_bytes if row else None, memory_bytes)
    return (
        spec.dtype,
        row.verdict.word if row else "not run yet",
        row and row.sqnr_db,
        theory,
        row and (None if estimated else row.stored_bytes),
        row and (row.stored_bytes if estimated else None),
        1000 * row.time_s if row and row.time_s is not None else None,
        row and row.speed.removesuffix(" than"),
        row and row.samples_per_s,
        row and row.max_abs_error,
        row and row.mean_abs_error,
        spec.method.label,
        spec.device,
        row and row.working_bytes,
        fits,
        row and row.execution,
        row and (row.reason or row.verdict.sentence),
    )


def _skipped(run: SkippedRun) -> tuple[object, ...]:
    known = {
        "format": run.dtype,
        "verdict": "not possible",
        "method": run.method.label,
        "device": run.device,
        "why": run.reason,
    }
    return tuple(known.get(column.name) for column in _COLUMNS)
