"""What every layer adds to the error in every format, as text for a terminal."""

from __future__ import annotations

from precision.cli.heading import heading, paragraphs, warnings_text
from precision.cli.tables import table_text
from precision.findings.sensitivity.method import kinds_text, method_text
from precision.findings.sensitivity.tables import sensitivity_table, sqnr_matrix, whole_casts
from precision.results import SensitivityResult


def sensitivity_text(result: SensitivityResult) -> str:
    """A line for every layer, the worst first: the output's SQNR where it alone is in a format; then whole casts."""
    report = result.report
    if report is None:
        return paragraphs(heading(result), warnings_text(*result.warnings), "No layer was measured.")
    return paragraphs(
        heading(result),
        warnings_text(*result.warnings),
        f"{method_text(report, exact=result.spec.exact)} Arithmetic: {kinds_text(report)}.",
        "SQNR of the output in dB where this layer alone is in the format:",
        table_text(sqnr_matrix(report)),
        table_text(sensitivity_table(report).without("type", "reference bytes", "bytes")) if result.spec.exact else "",
        table_text(whole_casts(report)),
    )
