"""Which layer cannot take which format: what the page Mixed precision shows before it plans."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd
import streamlit as st

from pages.ui import downloads, frame, linked, state, view_state
from pages.ui.chart import show
from precision.charts import plot_predicted_exact, plot_sensitivity_heatmap
from precision.findings.sensitivity.method import kinds_text, method_text
from precision.findings.sensitivity.rows import RowKind, RowOrder, SensitivityRow, rows_of
from precision.formats import any_format_named
from precision.results import SensitivityReport, SensitivityResult
from precision.text.names import escape_markdown, plain
from precision.text.terms import term_named
from precision.text.units import count_text

_KINDS: tuple[RowKind, ...] = ("layer", "block")
_ORDERS: tuple[RowOrder, ...] = ("worst first", "model order")


def section(result: SensitivityResult, report: SensitivityReport) -> None:
    """Every layer in every format."""
    said = f"{method_text(report, exact=result.spec.exact)} Arithmetic: {kinds_text(report)}."
    st.caption(
        f":material/science: {escape_markdown(said)}",
        help=escape_markdown(term_named("simulated").definition),
    )
    left, right = st.columns(2)
    order = linked.radio("Order", _ORDERS, key="order", place=left, help="Worst: the largest error in any format.")
    by: RowKind = "layer"
    if any(layer.block for layer in report.layers):
        said = "Errors of a block are the sum of its layers', each lowered alone."
        by = linked.radio("A row is a", _KINDS, key="rows", place=right, help=said)
    show(plot_sensitivity_heatmap(report, by=by, order=order), key="sensitivity")
    with st.expander("All numbers", icon=":material/table:"):
        _table(result, report, rows_of(report, by=by, order=order), by)


def check(result: SensitivityResult, report: SensitivityReport) -> None:
    """Predicted beside measured errors."""
    st.header("Are the predictions right?", anchor=False)
    show(plot_predicted_exact(report), key="predicted")
    if report.method == "adjoint probes" and not result.spec.exact:
        runs = 2 * len(report.layers) * len(report.formats)
        st.caption(
            ":material/info: Whole casts were run, and of single layers those whose predictions are uncertain. *Check "
            f"with exact runs*, above, lowers every layer alone, and all but it: {runs:,} passes in all."
        )


def keep_one_more(report: SensitivityReport) -> None:
    """A list of layers, of which one can be kept out of every plan."""
    st.selectbox(
        f"Keep a layer in {state.choice('reference')}",
        [layer.fqn for layer in report.layers if layer.fqn and state.kept_around(layer.fqn) is None],
        index=None,
        key="keep_more",
        placeholder="none" if not state.kept_modules() else "one more",
        format_func=lambda fqn: plain(fqn, limit=None),
        on_change=_keep_picked,
        help="No plan lowers it then. The sidebar lists what is kept, and takes it back.",
    )


def _keep_picked() -> None:
    if picked := view_state.taken("keep_more"):
        state.keep_module(picked)


def _table(result: SensitivityResult, report: SensitivityReport, rows: tuple[SensitivityRow, ...], by: RowKind) -> None:
    lines = pd.DataFrame(list(_lines(report, rows, by)))
    downloads.table(
        lines.dropna(axis="columns", how="all"),
        name=f"{downloads.file_stem(result)}-sensitivity",
        key="sensitivity",
        alt="Error that every layer adds in every format",
        column_config={
            by: st.column_config.TextColumn(pinned=True),
            "SQNR (dB)": st.column_config.NumberColumn(format="%.1f", help=frame.metric_help("sqnr_db")),
            "RMSE, predicted": st.column_config.NumberColumn(format="%.3e", help=frame.metric_help("rmse")),
            "± standard error": downloads.scientific(),
            "RMSE, measured": downloads.scientific(),
            "RMSE of all but it, measured": downloads.scientific(),
            "reference bytes": st.column_config.NumberColumn(format="localized"),
            "bytes": st.column_config.NumberColumn(format="localized"),
            "time (ms)": st.column_config.NumberColumn(format="%.3g"),
        },
    )


def _lines(report: SensitivityReport, rows: Iterable[SensitivityRow], by: RowKind) -> Iterable[dict[str, object]]:
    layers = {layer.fqn or "(model)": layer for layer in report.layers}
    for row in rows:
        layer = layers.get(row.name) if row.layers == 1 else None
        for at, cell in enumerate(row.cells):
            rmse = _root(cell.predicted_squared_error)
            own = layer.contributions[at] if layer else None
            yield {
                by: plain(row.name, limit=None),
                "type": plain(row.type, limit=None) if row.type else count_text(row.layers, "layer"),
                "format": cell.format,
                "SQNR (dB)": cell.sqnr_db,
                "RMSE, predicted": rmse,
                "± standard error": cell.standard_error / (2 * rmse) if cell.standard_error and rmse else None,
                "RMSE, measured": _root(cell.exact_squared_error),
                "RMSE of all but it, measured": _root(own.all_but_squared_error) if own else None,
                "not finite": cell.nonfinite,
                "arithmetic": "native" if any_format_named(cell.format).computes else "simulated",
                "reference bytes": row.reference_bytes,
                "bytes": own.stored_bytes if own else None,
                "time (ms)": 1000 * own.time_s if own and own.time_s is not None else None,
            }


def _root(squared_error: float | None) -> float | None:
    return None if squared_error is None else math.sqrt(squared_error)
