"""Errors: how are the output errors distributed?"""

import streamlit as st

from pages.ui import baseline, detail, downloads, frame, linked, state
from pages.ui.chart import show, show_beside_each_other
from pages.ui.job import current_result
from pages.ui.shell.guard import enter_through_router
from precision.charts.error_by_magnitude import plot_error_by_magnitude
from precision.charts.error_ecdf import plot_error_ecdf
from precision.charts.error_histogram import plot_error_histogram
from precision.charts.error_spread import HistogramKind
from precision.findings.elements import METRICS_OF, metrics_table, pairs_table
from precision.findings.recommendation import lost_text
from precision.results import CompareResult, Comparison, OutputComparison
from precision.spec import Analysis
from precision.text.names import escape_markdown, for_markdown
from precision.text.units import number_text

KINDS: tuple[HistogramKind, ...] = ("absolute", "signed", "ulp")

HOW_TO_READ = """\
Both outputs are widened to float64 before they are subtracted. Elements that are not finite are counted separately
and are not part of any mean.

- **Signed error**: a shifted peak is a bias; a symmetric one is rounding noise.
- **Absolute error** and its cumulative distribution: how large, on one log axis, from the 0.1 % quantile to the largest
  error. The dotted line is *rounding alone*: the error of only rounding the reference's output to the format. Hover
  anywhere to read which share of the elements has a larger error. Exact zeros and errors below the axis have bars of
  their own on the left, as high as their share of all elements.
- **ULP error**: the error in units of the format's own spacing at that value. The error of correct rounding
  is at most half a unit, a quarter on average.
- **Error against magnitude**: points along a diagonal have a constant relative error, as rounding does; a flat band is
  an error that does not shrink with the value, which hits small values hardest.
"""


def main() -> None:
    """Draw the page."""
    enter_through_router()
    result = current_result(CompareResult, shows=lambda result: result.comparison is not None)
    comparison = result.comparison
    if comparison is None or not comparison.outputs:
        frame.nothing_to_show("No outputs to compare", result, how_to_read=HOW_TO_READ)
    frame.header(_finding(comparison), result)
    if comparison.overall.cand_only_nonfinite:
        st.page_link("pages/propagation.py", label="Find where they come from", icon=":material/trending_up:")
    for note in comparison.notes:
        st.info(escape_markdown(note), icon=":material/info:")
    baseline.section(result, state.job_id(Analysis.COMPARE))
    output = frame.pick_output(comparison.outputs)
    _distributions(output, result)
    if detail.shows_all("errors by magnitude, the worst elements and all metrics"):
        if output.distributions is not None:
            show(plot_error_by_magnitude(output, result.spec.dtype), key="error-by-magnitude")
        _worst_elements(output, result)
        _all_metrics(output, comparison, result)
    frame.footer(result, how_to_read=HOW_TO_READ)


def _finding(comparison: Comparison) -> str:
    overall = comparison.overall
    errors = (
        f"off by {number_text(overall.mean_abs_error)} on average, {number_text(overall.max_abs_error)} at most"
        if overall.mean_abs_error is not None
        else ""
    )
    if overall.cand_only_nonfinite:
        return f"{lost_text(overall)}; the others are {errors}" if errors else lost_text(overall)
    return f"{_whose(comparison)} {errors}" if errors else "No error could be measured"


def _whose(comparison: Comparison) -> str:
    several = len(comparison.outputs)
    return f"All {several} outputs together are" if several > 1 else "The outputs are"


def _distributions(output: OutputComparison, result: CompareResult) -> None:
    if output.distributions is None:
        st.info(
            f"{escape_markdown(output.path)} is {output.candidate_dtype} with {output.metrics.elements:,} elements: "
            "there is no distribution of errors to draw.",
            icon=":material/info:",
        )
        return
    dtype = result.spec.dtype
    kind = linked.radio(
        "Histogram of the error",
        KINDS,
        key="chart",
        help="Signed, absolute, or in units in the last place of the format.",
    )
    others = baseline.overlaid(result, output)
    show_beside_each_other(
        **{f"{kind}_error": plot_error_histogram(output, dtype, *others, kind=kind)},
        error_ecdf=plot_error_ecdf(output, dtype, *others),
    )


def _worst_elements(output: OutputComparison, result: CompareResult) -> None:
    st.header("Worst elements", anchor=False)
    st.caption(
        f"The elements of {for_markdown(output.path)} with the largest errors. Values that are infinite or NaN on one "
        "side come first."
    )
    downloads.table(
        pairs_table(output.worst),
        name=f"{downloads.file_stem(result)}-worst",
        key="worst",
        alt="The elements with the largest absolute error",
    )


def _all_metrics(output: OutputComparison, comparison: Comparison, result: CompareResult) -> None:
    st.header("All metrics", anchor=False)
    downloads.table(
        metrics_table(output, comparison),
        name=f"{downloads.file_stem(result)}-metrics",
        key="metrics",
        alt="Every metric with its definition",
        pinned=True,
        widths={"definition": "large"},
        column_config=dict.fromkeys(METRICS_OF, st.column_config.TextColumn(alignment="right")),
    )


main()
