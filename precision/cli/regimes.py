"""What each input regime does to the errors, and where overflow starts, as text for a terminal."""

from __future__ import annotations

from precision.cli.heading import heading, paragraphs, warnings_text
from precision.cli.tables import columns
from precision.findings.regimes import classes_text, overflow_text, place_text, worst_place_text
from precision.results.regimes import RegimeRow, RegimesResult, SampleErrors
from precision.spec.regimes import label_of
from precision.text.names import plain
from precision.text.units import number_text

_COLUMNS = ["REGIME", "INPUT", "RMSE", "SQNR dB", "NEW INF/NAN", "BORN IN", "WORST SAMPLE", "ITS TEXT"]


def regimes_text(result: RegimesResult) -> str:
    """A line for every regime, and the factor at which the candidate overflows."""
    report = result.report
    rows = [_row(row) for row in report.rows]
    return paragraphs(
        heading(result),
        warnings_text(*result.warnings),
        columns([_COLUMNS, *rows] if any(row[-1] for row in rows) else [row[:-1] for row in (_COLUMNS, *rows)]),
        "" if report.overflow is None else overflow_text(report.overflow, result.spec.dtype),
    )


def _row(row: RegimeRow) -> list[str]:
    if row.errors is None:
        return [row.regime, label_of(row.regime), row.failure.message if row.failure else "", "", "", "", "", ""]
    errors, worst = row.errors, row.worst
    return [
        row.regime,
        label_of(row.regime),
        "" if errors.rmse is None else number_text(errors.rmse),
        "" if errors.sqnr_db is None else number_text(errors.sqnr_db),
        f"{errors.cand_only_nonfinite:,}",
        "" if row.first_nonfinite is None else place_text(row.first_nonfinite),
        "" if worst is None else ", ".join(filter(None, (worst_place_text(row), classes_text(worst), _size(worst)))),
        "" if worst is None or worst.text is None else plain(worst.text),
    ]


def _size(worst: SampleErrors) -> str:
    largest = "" if worst.largest_error is None else f"largest error {number_text(worst.largest_error)}"
    relative = "" if worst.normalized_l2 is None else f"normalized L2 {number_text(worst.normalized_l2)}"
    return ", ".join(filter(None, (largest, relative)))
