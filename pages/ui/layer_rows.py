"""Rows of a lockstep run as tables."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import streamlit as st

from pages.ui import downloads
from precision.charts.error_along_depth import layer_points
from precision.results import Divergence, LayerRow, LayersReport, OperatorDtypes, OperatorRow, TensorPair

NUMBERS = {
    name: downloads.scientific()
    for name in (
        "relative error",
        "local",
        "inherited",
        "gain",
        "max absolute error",
        "mean ULP error",
    )
} | {
    "SQNR (dB)": st.column_config.NumberColumn(format="%.1f"),
    "exact share": st.column_config.NumberColumn(format="percent"),
}
"""How the columns of these tables are written; sorting and CSV keep the full numbers."""


def labels(report: LayersReport) -> list[str]:
    """A name for each row: the module's fqn, with its type for the model itself, and which call of several."""
    calls = Counter(row.fqn for row in report.rows)
    return [
        (row.fqn or f"the model ({row.type})") + (f" · call {row.call}" if calls[row.fqn] > 1 else "")
        for row in report.rows
    ]


def label(report: LayersReport, row: int) -> str:
    """The name of one row."""
    return labels(report)[row]


def worst(report: LayersReport) -> int:
    """The layer call to show first: where the first infinity or NaN is born, else with the largest local error."""
    if report.origins:
        return report.origins[0].row
    points = layer_points(report)
    if not points:
        return 0
    return max(points, key=lambda point: (point.local or 0.0, point.propagated or 0.0)).row


def table(report: LayersReport, *, find: str) -> pd.DataFrame:
    """One row a module call, narrowed to those whose name or type contains `find`."""
    rows, names = [], labels(report)
    for at, (row, name) in enumerate(zip(report.rows, names, strict=True)):
        if find.casefold() not in f"{name} {row.type}".casefold():
            continue
        errors, corners = report.errors_of(at), row.corners
        rows.append(
            {
                "layer": name,
                "type": row.type,
                "relative error": errors and errors.normalized_l2,
                "local": corners and corners.local.normalized_l2,
                "inherited": corners and corners.inherited.normalized_l2,
                "gain": corners and corners.gain,
                "SQNR (dB)": errors and errors.sqnr_db,
                "max absolute error": errors and errors.max_abs_error,
                "mean ULP error": errors and errors.mean_ulp_error,
                "exact share": errors and errors.exact_share,
                "new NaN or ±inf": errors and errors.cand_only_nonfinite,
                "elements": errors and errors.elements,
                "remark": _remark(row, names),
            }
        )
    return pd.DataFrame(rows, columns=None if rows else ["layer"])


def _remark(row: LayerRow, names: list[str]) -> str:
    if row.finished is None:
        return "had not returned when the run stopped"
    if row.same_as is not None:
        return f"the tensors of {names[row.same_as]}"
    return "; ".join(filter(None, (*row.uncompared, row.corners_missing if row.is_leaf else "")))


def activations(report: LayersReport, *, find: str) -> pd.DataFrame:
    """One row a module call: the dtypes of its inputs and outputs on both sides."""
    rows = [
        {
            "layer": name,
            "type": row.type,
            "inputs, reference": _dtypes(row.inputs, "reference"),
            "inputs, candidate": _dtypes(row.inputs, "candidate"),
            "outputs, reference": _dtypes(row.outputs, "reference"),
            "outputs, candidate": _dtypes(row.outputs, "candidate"),
            "shape": " · ".join(" × ".join(map(str, pair.shape)) or "scalar" for pair in row.outputs),
        }
        for row, name in zip(report.rows, labels(report), strict=True)
        if find.casefold() in f"{name} {row.type}".casefold()
    ]
    return pd.DataFrame(rows, columns=None if rows else ["layer"])


def _dtypes(pairs: tuple[TensorPair, ...], side: str) -> str:
    names = Counter(pair.reference_dtype if side == "reference" else pair.candidate_dtype for pair in pairs)
    return ", ".join(name if count == 1 else f"{count} × {name}" for name, count in names.items())


def returns_other_dtype(row: LayerRow) -> bool:
    """Whether the candidate's call returned a tensor of another dtype than the reference's."""
    return any(pair.reference_dtype != pair.candidate_dtype for pair in row.outputs)


def flows(report: LayersReport) -> list[tuple[OperatorRow, OperatorDtypes]]:
    """The candidate's operators, each with the dtypes that went through it."""
    return [
        (operator, report.operator_dtypes[operator.candidate_dtypes])
        for operator in report.operators
        if operator.candidate_dtypes is not None
    ]


def operators_in(report: LayersReport, row: int) -> pd.DataFrame:
    """The operators that ran directly in one module call."""
    return operators(report, find="", rows={row})


def operators(report: LayersReport, *, find: str, rows: set[int] | None = None) -> pd.DataFrame:
    """One row an operator: what it was given, computed in and returned, and its error."""
    names = labels(report)
    wanted = [
        operator
        for operator in report.operators
        if (rows is None or operator.row in rows)
        and find.casefold() in f"{names[operator.row]} {operator.name}".casefold()
    ]
    lines = [
        {
            "layer": names[operator.row],
            "operator": operator.name,
            **_flow(report.dtypes_of(operator)),
            "relative error": operator.errors and operator.errors.normalized_l2,
            "max absolute error": operator.errors and operator.errors.max_abs_error,
            "new NaN or ±inf": operator.errors and operator.errors.cand_only_nonfinite,
            "shape": " × ".join(map(str, operator.shape)) or "scalar",
            "remark": operator.only_text,
        }
        for operator in wanted
    ]
    return pd.DataFrame(lines, columns=None if lines else ["layer"])


def _flow(flow: OperatorDtypes | None) -> dict[str, str]:
    if flow is None:
        return {"inputs": "", "computed in": "", "output": "", "converted": ""}
    return {
        "inputs": ", ".join(dict.fromkeys(flow.inputs)),
        "computed in": flow.computed_text,
        "output": flow.output,
        "converted": flow.converted_text,
    }


def divergence_text(divergence: Divergence) -> str:
    """Where the two models went different ways, in a sentence or two."""
    where = f"{divergence.fqn or 'the model'}, call {divergence.call}"
    ahead = f"the reference goes on with {divergence.reference_next or 'nothing'}"
    text = f"In {where} the models part: {ahead}, the candidate with {divergence.candidate_next or 'nothing'}."
    skipped = [
        f"from there the {side} calls {', '.join(names)}"
        for side, names in (("reference", divergence.reference_skipped), ("candidate", divergence.candidate_skipped))
        if names
    ]
    tail = " They meet again when it returns." if divergence.resumed else " Nothing after it was compared."
    return text + (f" {'; '.join(skipped)}." if skipped else "") + tail
