"""One model in many formats, as a table for a terminal."""

from __future__ import annotations

from precision.cli.heading import paragraphs, warnings_text
from precision.cli.tables import columns
from precision.findings.sweep import VERDICTS_ARE_RELATIVE, sweep_finding
from precision.results import SweepResult, SweepRow
from precision.text.names import plain
from precision.text.units import bytes_text, number_text, seconds_text

_HEADER = [
    "FORMAT",
    "METHOD",
    "DEVICE",
    "VERDICT",
    "SQNR",
    "MAX ERROR",
    "BYTES",
    "WORKING",
    "TIME",
    "SAMPLES/S",
    "ARITHMETIC",
]


def sweep_text(result: SweepResult) -> str:
    """The finding, a line for every run, and a warning for each that was not possible or stopped."""
    finding = sweep_finding(result.rows)
    stopped = (f"{row.spec.dtype} by {row.spec.method.value}: {row.reason}" for row in result.rows if row.reason)
    skipped = (f"{each.dtype} by {each.method.value} on {each.device}: {each.reason}" for each in result.skipped)
    return paragraphs(
        plain(finding[0].upper() + finding[1:] + ".", limit=None),
        columns([_HEADER, *map(_line, result.rows)]),
        VERDICTS_ARE_RELATIVE,
        warnings_text(*stopped, *skipped),
    )


def _line(row: SweepRow) -> list[str]:
    return [
        row.spec.dtype,
        row.spec.method.value,
        plain(row.spec.device),
        row.verdict.word,
        "" if row.sqnr_db is None else f"{number_text(row.sqnr_db)} dB",
        "" if row.max_abs_error is None else number_text(row.max_abs_error),
        "" if row.stored_bytes is None
        else bytes_text(row.stored_bytes) + (", estimated" if row.bytes_are_estimated else ""),
        "" if row.working_bytes is None else bytes_text(row.working_bytes),
        "" if row.time_s is None else f"{seconds_text(row.time_s)}, {row.speed} the reference",
        "" if row.samples_per_s is None else number_text(row.samples_per_s),
        row.execution or "",
    ]  # fmt: skip
