"""What each input regime does to the errors, and where overflow starts, as text for a terminal."""

from __future__ import annotations

from precision.cli.heading import heading, paragraphs, warnings_text
from precision.cli.tables import table_text
from precision.findings.regimes import overflow_text, regimes_table
from precision.results.regimes import RegimesResult


def regimes_text(result: RegimesResult) -> str:
    """A line for every regime, and the factor at which the candidate overflows."""
    report = result.report
    return paragraphs(
        heading(result),
        warnings_text(*result.warnings),
        table_text(regimes_table(report)),
        "" if report.overflow is None else overflow_text(report.overflow, result.spec.dtype),
    )
