"""Which layer does not tolerate which format: the first part of the page Mixed precision."""

import streamlit as st

from pages.ui import downloads, linked, state, view_state
from pages.ui.chart import show
from precision.charts.predicted_exact import plot_predicted_exact
from precision.charts.sensitivity_heatmap import plot_sensitivity_heatmap
from precision.findings.sensitivity.rows import RowKind, RowOrder
from precision.findings.sensitivity.tables import kinds_text, method_text, sensitivity_table
from precision.results import SensitivityReport, SensitivityResult
from precision.text.names import escape_markdown, plain
from precision.text.terms import term_named

_KINDS: tuple[RowKind, ...] = ("layer", "block")
_ORDERS: tuple[RowOrder, ...] = ("worst first", "model order")


def section(result: SensitivityResult, report: SensitivityReport) -> None:
    """Every layer in every format."""
    said = f"Arithmetic: {kinds_text(report)}. {term_named('simulated').definition}"
    st.caption(
        f":material/science: {escape_markdown(method_text(report, exact=result.spec.exact))}",
        help=escape_markdown(said),
    )
    left, right = st.columns(2)
    order = linked.radio("Order", _ORDERS, key="order", place=left, help="Worst: the largest error in any format.")
    by: RowKind = "layer"
    if any(layer.block for layer in report.layers):
        said = "The error of a block is the sum of its layers' errors, each lowered alone."
        by = linked.radio("A row is a", _KINDS, key="rows", place=right, help=said)
    show(plot_sensitivity_heatmap(report, by=by, order=order), key="sensitivity")
    with st.expander("All numbers", icon=":material/table:"):
        downloads.table(
            sensitivity_table(report, by=by, order=order),
            name=f"{downloads.file_stem(result)}-sensitivity",
            key="sensitivity",
            alt="Error that every layer adds in every format",
            pinned=True,
            widths={"RMSE, predicted": 130},
        )


def check(result: SensitivityResult, report: SensitivityReport) -> None:
    """Predicted beside measured errors."""
    st.header("Are the predictions right?", anchor=False)
    show(plot_predicted_exact(report), key="predicted")
    if report.method == "adjoint probes" and not result.spec.exact:
        runs = 2 * len(report.layers) * len(report.formats)
        st.caption(
            ":material/info: Casts of the whole model were run, and single layers with uncertain predictions. *Check "
            "with exact runs*, above, runs each layer alone in each format, then all layers except it: "
            f"{runs:,} passes in all."
        )


def keep_one_more(report: SensitivityReport) -> None:
    """A list to pick a layer from that every plan keeps in the reference's precision."""
    st.selectbox(
        f"Keep a layer in {state.choice('reference')}",
        [layer.fqn for layer in report.layers if layer.fqn and state.kept_around(layer.fqn) is None],
        index=None,
        key="keep_more",
        placeholder="none" if not state.kept_modules() else "one more",
        format_func=lambda fqn: plain(fqn, limit=None),
        on_change=_keep_picked,
        help="No plan lowers it then. The sidebar lists what is kept; there you can remove it.",
    )


def _keep_picked() -> None:
    if picked := view_state.taken("keep_more"):
        state.keep_module(picked)
