"""One model in many formats, as a table for a terminal."""

from precision.cli.heading import paragraphs, warnings_text
from precision.cli.tables import table_text
from precision.findings.sweep import VERDICTS_ARE_RELATIVE, sweep_finding
from precision.findings.sweep_table import sweep_table
from precision.results import SweepResult
from precision.text.names import plain

_SHOWN = (
    *("format", "method", "device", "verdict", "SQNR", "max absolute error", "bytes, measured", "bytes, estimated"),
    *("working memory, measured", "time", "against the reference", "throughput (samples/s)", "arithmetic"),
)


def sweep_text(result: SweepResult) -> str:
    """The finding, a line for every run, and a warning for each run that stopped or was not possible."""
    finding = sweep_finding(result.rows)
    stopped = (f"{row.spec.dtype} by {row.spec.method.value}: {row.reason}" for row in result.rows if row.reason)
    skipped = (f"{each.dtype} by {each.method.value} on {each.device}: {each.reason}" for each in result.skipped)
    return paragraphs(
        plain(finding[0].upper() + finding[1:] + ".", limit=None),
        table_text(sweep_table([row.spec for row in result.rows], result.rows).pick(*_SHOWN)),
        VERDICTS_ARE_RELATIVE,
        warnings_text(*stopped, *skipped),
    )
