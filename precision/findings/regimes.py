"""What was found in the input regimes, in sentences and as a table."""

from precision.findings.tables import Column, Table, table_of
from precision.results.regimes import OverflowStart, RegimeRow, RegimesReport, SampleErrors
from precision.spec.regimes import label_of
from precision.text.names import plain
from precision.text.units import count_text, number_text

_COLUMNS = (
    Column("name", help="What the command line calls it."),
    Column("regime"),
    Column("RMSE", "error"),
    Column("SQNR", "decibels"),
    Column("new infinities and NaNs", "count"),
    Column("infinite or NaN in the reference", "count", help="They are left out of every error."),
    Column("first appear in", help="The module in which the first of them appears."),
    Column(
        "worst sample", help="Counted from 1. Samples in which the reference itself is infinite or NaN are left out."
    ),
    Column("its classes", help="The class chosen by the reference → by the candidate."),
    Column("its largest error", "error"),
    Column("its normalized L2", "error"),
    Column("its text"),
    Column("whose error", help="Why the error may not be the format's; empty where nothing says so."),
    Column("failure"),
)


def regimes_table(report: RegimesReport) -> Table:
    """A row for each regime, with its worst sample; columns that hold nothing are left out."""
    return table_of(_COLUMNS, map(_row, report.rows)).without_empty(
        "infinite or NaN in the reference", "its classes", "its text", "whose error", "failure"
    )


def _row(row: RegimeRow) -> tuple[object, ...]:
    errors, worst = row.errors, row.worst
    return (
        row.regime,
        label_of(row.regime),
        errors and errors.rmse,
        errors and errors.sqnr_db,
        errors and errors.nonfinite_differ,
        errors and (errors.ref_nonfinite or None),
        None if row.first_nonfinite is None else place_text(row.first_nonfinite),
        worst_place_text(row),
        worst and classes_text(worst),
        worst and worst.largest_error,
        worst and worst.normalized_l2,
        worst and worst.text,
        row.not_attributable,
        row.failure and row.failure.message,
    )


def finding(report: RegimesReport, dtype: str) -> str:
    """The main finding, in one sentence."""
    if report.rows and _reference_fails(report.rows[0]):
        return "the reference itself fails on the unchanged input"
    broken = [row for row in report.rows if is_broken(row)]
    if broken and is_broken(report.rows[0]):
        return f"{dtype} already breaks on the unchanged input"
    if broken:
        others = count_text(len(broken) - 1, "other regime")
        more = f" and in {others}" if len(broken) > 1 else ""
        return f"{dtype} breaks on the {label_of(broken[0].regime)}{more}"
    if unsure := sum(bool(row.not_attributable) for row in report.rows):
        where = f"{unsure:,} of {count_text(len(report.rows), 'input regime')}"
        return f"in {where}, the error may not be that of {dtype}"
    sqnr = [row.errors.sqnr_db for row in report.rows if row.errors and row.errors.sqnr_db is not None]
    if not sqnr:
        return f"{dtype} in {count_text(len(report.rows), 'input regime')}"
    which = " in which the reference runs" if any(map(_reference_fails, report.rows)) else ""
    return f"{dtype} keeps an SQNR of {number_text(min(sqnr))} dB or more on every input tried{which}"


def is_broken(row: RegimeRow) -> bool:
    """Whether the candidate raised, or has an infinity or NaN that the reference does not have."""
    if row.errors is None:
        return not _reference_fails(row)
    return row.errors.cand_only_nonfinite > 0 or row.errors.nonfinite_differ > 0


def _reference_fails(row: RegimeRow) -> bool:
    return row.failure is not None and row.failure.of_reference


def broken_text(row: RegimeRow) -> str:
    """How a regime broke, in a few words; empty where it did not."""
    if row.errors is None:
        return "the reference itself failed" if _reference_fails(row) else "the forward failed"
    return f"{row.errors.nonfinite_differ:,} of {row.errors.elements:,} inf or NaN" if is_broken(row) else ""


def worst_place_text(row: RegimeRow) -> str:
    """Which sample is the worst, counted from 1; empty without samples."""
    return "" if row.worst is None else f"sample {row.worst.index + 1:,} of {row.samples:,}"


def classes_text(worst: SampleErrors) -> str:
    """The sample's class before and after, and its true class; empty where outputs are not class scores."""
    found = worst.classes
    if found is None:
        return ""
    before, after = ("not finite" if first is None else str(first) for first in (found.reference, found.candidate))
    change = f"class {before}" if before == after else f"class {before} → {after}"
    return change if found.truth is None else f"{change}, true class {found.truth}"


def overflow_text(start: OverflowStart, dtype: str) -> str:
    """Where overflow starts."""
    if start.factor is None:
        return f"No factor was found from which it overflows. {start.reason}"
    below = "" if start.finite_at is None else f"; at × {number_text(start.finite_at)} it does not"
    return f"With this input × {number_text(start.factor)}, {dtype} overflows in {place_text(start.where)}{below}."


def place_text(where: str | None) -> str:
    """A module's name as text; the root has none."""
    return plain(where or "the model itself", limit=None)
