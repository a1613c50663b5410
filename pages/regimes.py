"""Inputs: does what was found hold for other inputs, and where does overflow start?"""

import pandas as pd
import streamlit as st

from pages.ui import downloads, frame
from pages.ui.chart import show
from pages.ui.job import current_result
from pages.ui.shell.guard import enter_through_router
from precision.charts import plot_regime_errors
from precision.findings.regimes import classes_text, finding, overflow_text, place_text, worst_place_text
from precision.results import RegimesResult
from precision.results.regimes import RegimeRow
from precision.spec.regimes import label_of
from precision.text.names import escape_markdown, plain

HOW_TO_READ = """\
A format that suits one input may fail on another: its range is fixed, the values are not.

- **input × factor**: every floating-point input is multiplied. Of a model that takes ids alone, the vectors of its
  embeddings are: there its numbers begin.
- **one channel × 100**: the channel with the largest values, as large language models have such outlier channels.
- **random values**: normal, with the mean and deviation of the given input; ids in random order.
- **Overflow** is looked for by doubling the factor until the candidate makes an infinity or a NaN that the reference
  does not make in the same module, then by halving the interval until it is known to half a percent.

Choose a regime in the sidebar, under *Input, seed and reference*, to see any other page in it.
"""


def main() -> None:
    """Draw the page."""
    enter_through_router()
    result = current_result(RegimesResult)
    report, dtype = result.report, result.spec.dtype
    frame.header(finding(report, dtype), result)
    if report.overflow is not None:
        st.info(escape_markdown(overflow_text(report.overflow, dtype)), icon=":material/vertical_align_top:")
    show(plot_regime_errors(report, dtype), key="regimes")
    rows(result)
    frame.footer(result, how_to_read=HOW_TO_READ)


def rows(result: RegimesResult) -> None:
    """Every regime, with its worst sample."""
    st.header("Every regime", anchor=False)
    table = pd.DataFrame([_row(row) for row in result.report.rows])
    table = table.drop(columns=[name for name in ("its classes", "its text", "failure") if not table[name].any()])
    st.caption("The worst sample of a regime has the most new infinities and NaNs, then the largest normalized L2.")
    downloads.table(
        table,
        name=f"{downloads.file_stem(result)}-regimes",
        key="regimes",
        alt="Errors in every input regime, with the worst sample of each",
        column_config={
            "regime": st.column_config.TextColumn(pinned=True),
            "RMSE": downloads.scientific(),
            "SQNR (dB)": st.column_config.NumberColumn(format="%.1f"),
            "worst sample": st.column_config.TextColumn(help="Samples are counted from 1."),
            "its classes": st.column_config.TextColumn(help="The first class of the reference → of the candidate."),
            "its largest error": downloads.scientific(),
            "its normalized L2": st.column_config.NumberColumn(format="%.3e", width="small"),
        },
    )


def _row(row: RegimeRow) -> dict[str, object]:
    errors, worst = row.errors, row.worst
    return {
        "regime": label_of(row.regime),
        "RMSE": None if errors is None else errors.rmse,
        "SQNR (dB)": None if errors is None else errors.sqnr_db,
        "new infinities and NaNs": None if errors is None else errors.nonfinite_differ,
        "born in": "" if row.first_nonfinite is None else place_text(row.first_nonfinite),
        "worst sample": worst_place_text(row),
        "its classes": "" if worst is None else classes_text(worst),
        "its largest error": None if worst is None else worst.largest_error,
        "its normalized L2": None if worst is None else worst.normalized_l2,
        "its text": "" if worst is None or worst.text is None else plain(worst.text, limit=None),
        "failure": row.failure.message if row.failure else "",
    }


main()
