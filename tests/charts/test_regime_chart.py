"""The chart of input regimes draws what was measured."""

from __future__ import annotations

from precision.charts.regime_errors import _info, plot_regime_errors
from precision.findings.regimes import finding, is_broken
from precision.results.regimes import RegimesReport
from precision.spec import Analysis, RunSpec
from precision.spec.regimes import USUAL, label_of
from tests.runs import measure_regimes


def report_of(model: str) -> RegimesReport:
    return measure_regimes(RunSpec(model=model, analysis=Analysis.REGIMES)).report


def test_bars_are_the_rows_and_broken_ones_have_words() -> None:
    report = report_of("overflow")
    info = _info(report, "float16")
    assert [bar.label for bar in info.bars] == [label_of(regime) for regime in USUAL]
    for bar, row in zip(info.bars, report.rows, strict=True):
        if is_broken(row):
            assert bar.sqnr_db == 0
            assert "inf or NaN" in bar.text
        else:
            assert row.errors is not None
            assert bar.sqnr_db == row.errors.sqnr_db
    assert info.title == "6 of 7 input regimes break"
    assert len(plot_regime_errors(report, "float16").data[0].x) == len(USUAL)


def test_the_finding_names_the_least() -> None:
    report = report_of("linear-5-10")
    least = min(row.errors.sqnr_db for row in report.rows if row.errors and row.errors.sqnr_db is not None)
    assert f"{least:.4g} dB or more" in finding(report, "float16")
    assert _info(report, "float16").title.startswith("Lowest SQNR: ")
    assert finding(report_of("overflow"), "float16") == "float16 already breaks on the unchanged input"


def test_no_rows_yet() -> None:
    empty = RegimesReport(rows=(), overflow=None)
    assert _info(empty, "float16").title == "No errors to compare"
    assert plot_regime_errors(empty, "float16").data == ()
