"""Stress test: are the findings true for other inputs, and where does overflow start?"""

import streamlit as st

from pages.ui import downloads, frame
from pages.ui.chart import show
from pages.ui.job import current_result
from pages.ui.shell.guard import enter_through_router
from precision.charts.regime_errors import plot_regime_errors
from precision.findings.regimes import finding, overflow_text, regimes_table
from precision.results import RegimesResult
from precision.text.names import escape_markdown

HOW_TO_READ = """\
A format that suits one input may fail on another: its range is fixed, the values are not.

- **input × factor**: every floating-point input is multiplied. If a model takes only ids, the vectors of its embeddings
  are multiplied instead: they are its first floating-point numbers.
- **one channel × 100**: only the channel with the largest values; large language models have such outlier channels.
- **random values**: normal, with the mean and deviation of the given input; ids in random order.
- **whose error**: where the reference is itself as far from float64, where two runs of it differ as much, or where the
  two models draw other random numbers, the error may not be the format's, and no SQNR here says how good the format is.
- **Overflow**: the factor is doubled until a module gives an infinity or a NaN in the candidate but not in the
  reference. Then the interval is halved until the factor is known to half a percent.

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
    st.header("Every input tried", anchor=False)
    st.caption(
        "Each with its worst sample.",
        help="It has the most new infinities and NaNs, then the largest normalized L2. Samples in which the reference "
        "itself is infinite or NaN are left out.",
    )
    downloads.table(
        regimes_table(report).without("name"),
        name=f"{downloads.file_stem(result)}-regimes",
        key="regimes",
        alt="Errors in every input regime, with the worst sample of each",
        pinned=True,
        widths={"its normalized L2": "small"},
    )
    frame.footer(result, how_to_read=HOW_TO_READ)


main()
