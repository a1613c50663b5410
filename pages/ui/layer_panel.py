"""Everything that is known of one layer, wherever it is chosen."""

import math
from collections.abc import Sequence

import streamlit as st

from pages.ui import downloads, measured, state
from pages.ui.chart import show, show_beside_each_other
from pages.ui.plan.budget import FIRST_SHARE, first_plan
from precision.charts.exponent_heatmap import plot_exponent_heatmap
from precision.charts.layer_corners import plot_layer_corners
from precision.charts.layer_errors import plot_layer_errors
from precision.findings.elements import worst_table
from precision.findings.fit.table import fit_table
from precision.findings.layers import labels_of, operators_table
from precision.findings.remedies import kept_by, vain
from precision.findings.sensitivity.rows import rows_of
from precision.formats import any_format_named
from precision.results import LayersReport, LayersResult, SensitivityResult
from precision.results.layers import LayerErrors, OperatorErrors, OperatorRow, TensorPair
from precision.results.ranges import RangesResult, TensorRange
from precision.text.names import escape_markdown, for_markdown
from precision.text.units import capitalised, shape_text, short_text


def summary(result: LayersResult, report: LayersReport, row: int) -> None:
    """Its errors and dtypes; how its values fit, how sensitive it is and what is planned for it, where measured."""
    layer = report.rows[row]
    errors, own = report.errors_of(row), layer.own
    carried = errors.normalized_l2 if errors else None
    parts = (own.local.normalized_l2, own.inherited.normalized_l2, own.gain) if own else (None,) * 3
    about = "added by its own code" if layer.has_own_code else "added by this layer"
    figures = (
        ("Error carried", carried, "Relative error (normalized L2) of what it returns, with all that came before."),
        ("Born here", parts[0], f"{capitalised(about)}, on the reference's own input."),
        ("Inherited", parts[1], "What the exact layer makes of the candidate's input."),
        ("Gain", parts[2], "How many times it amplifies the relative error of its input; below 1 it dampens it."),
    )
    with st.container(horizontal=True):
        for name, value, said in figures:
            st.metric(name, short_text(value) or "–", help=said, width=120)
    _new_nonfinite(errors)
    _dtypes("Takes", layer.inputs)
    _dtypes("Returns", layer.outputs)
    _fit(result, layer.fqn)
    _sensitivity(result, layer.fqn)


def operator_summary(report: LayersReport, operator: OperatorRow) -> None:
    """The errors and dtypes of one operator."""
    errors, dtypes = operator.errors, report.dtypes_of(operator)
    with st.container(horizontal=True):
        for name, value in (
            ("Error carried", errors.normalized_l2 if errors else None),
            ("Largest error", errors.max_abs_error if errors else None),
        ):
            st.metric(name, short_text(value) or "–", width=120)
    _new_nonfinite(errors)
    if dtypes:
        computed = ", ".join(dtypes.computed) or "nothing: it only moves values"
        st.markdown(
            f"Takes {', '.join(dict.fromkeys(dtypes.inputs)) or 'nothing'}; computes in {computed}; returns "
            f"{dtypes.output}, {shape_text(operator.shape)}."
        )
    said = f"Only the {operator.only} does this." if operator.only else operator.remark
    if said:
        st.caption(escape_markdown(said))


def _new_nonfinite(errors: LayerErrors | OperatorErrors | None) -> None:
    if errors and errors.cand_only_nonfinite:
        st.markdown(
            f"**{errors.cand_only_nonfinite:,} of {errors.elements:,} values it returns are new NaN or infinities.**"
        )


def _dtypes(verb: str, pairs: Sequence[TensorPair]) -> None:
    for pair in pairs:
        changes = pair.reference_dtype != pair.candidate_dtype
        dtype = f"{pair.reference_dtype} → **{pair.candidate_dtype}**" if changes else pair.candidate_dtype
        which = f" {for_markdown(pair.path)}" if len(pairs) > 1 else ""
        st.markdown(f"{verb}{which}: {dtype}, {shape_text(pair.shape)}")


def _fit(result: LayersResult, fqn: str) -> None:
    """How its weights, inputs and outputs fit the format."""
    found = measured.known_or_offered(
        RangesResult,
        place="panel",
        label="Count its values",
        says="One pass of the reference counts all values, as on the page Ranges.",
    )
    tensors = _tensors(found, fqn)
    if found is None or found.ranges is None or not tensors:
        return
    fmt = any_format_named(result.spec.dtype)
    table = fit_table(found.ranges, (fmt,))
    for tensor in tensors:
        fit = table.fit(tensor, fmt.name)
        st.markdown(
            f"{tensor.kind.capitalize()} {for_markdown(tensor.name)}: **{fit.verdict.value}**"
            if tensor.name
            else f"{tensor.kind.capitalize()}: **{fit.verdict.value}**",
            help=escape_markdown(fit.reason),
        )


def _tensors(result: RangesResult | None, fqn: str) -> list[TensorRange]:
    if result is None or result.ranges is None:
        return []
    return [tensor for tensor in result.ranges.tensors if tensor.module == fqn]


def _sensitivity(result: LayersResult, fqn: str) -> None:
    """What the output's error is if it alone is in each format, and which format a plan gives it."""
    found = measured.known_or_offered(
        SensitivityResult,
        place="panel",
        label="Measure sensitivities",
        says="Of every layer in several formats, as on Mixed precision.",
    )
    report = found.report if found else None
    if found is None or report is None:
        return
    row = next((row for row in rows_of(report, by="layer", order="model order") if row.name == fqn), None)
    if row is None:
        st.caption("Its sensitivity was not measured: it is no layer that computes by itself.")
        return
    known = [f"{cell.format} {_decibels(cell.sqnr_db)}" for cell in row.cells if cell.sqnr_db is not None]
    st.markdown(f"Output's SQNR if it alone is in: {', '.join(known)}")
    plan = first_plan(f"{found.spec.digest()} {found.measured_at}", report, result.spec.reference)
    planned = {layer.fqn: layer.format for layer in plan.layers} if plan else {}
    if fqn in planned:
        st.markdown(f"Best plan within {FIRST_SHARE:.0f} % of the bytes: **{planned[fqn]}** (estimated)")


def _decibels(sqnr_db: float) -> str:
    return "exact" if math.isinf(sqnr_db) else f"{sqnr_db:.0f} dB"


def details(result: LayersResult, report: LayersReport, row: int) -> None:
    """Where its error comes from, how errors and values are distributed, its worst elements and its operators."""
    layer, owner = report.rows[row], row
    if layer.same_as is not None:
        owner = layer.same_as
        same = for_markdown(labels_of(report)[owner])
        st.caption(f"Returns the same tensors as {same}, so it has the same propagated error.")
    numbers = report.rows[owner]
    show_beside_each_other(
        layer_corners=plot_layer_corners(layer, result.spec.dtype),
        layer_errors=plot_layer_errors(numbers, result.spec.dtype),
    )
    for reason in layer.uncompared:
        st.caption(escape_markdown(reason))
    if kept := state.kept_around(layer.fqn):
        st.caption(
            f"{for_markdown(kept)} is kept in {result.spec.reference}: its only own error is the rounding of its "
            "inputs on the way in and of its outputs on the way back."
        )
    if layer.has_own_code:
        st.caption("The first chart is of what its own code makes, the second of what the whole module returns.")
    in_vain = {kept_by(remedy) for remedy in vain(result)}
    for kept, key in ((f"{layer.fqn}:code" if layer.has_own_code else "", "keep-code"), (layer.fqn, "keep-layer")):
        if kept not in in_vain:
            keep_button(kept, key=key)
    found = measured.known(RangesResult)
    if found is not None and found.ranges is not None and (tensors := _tensors(found, layer.fqn)):
        fmt = any_format_named(result.spec.dtype)
        show(plot_exponent_heatmap(found.ranges, tensors, fmt), key="layer-values")
    if numbers.worst:
        st.subheader("Worst elements", anchor=False)
        downloads.table(
            worst_table(numbers.worst),
            name=f"{downloads.file_stem(result)}-worst",
            key="worst",
            alt="The elements of this layer with the largest absolute error",
        )
    operators = operators_table(report, row=row)
    if operators.rows:
        st.subheader("Operators in this call", anchor=False)
        downloads.table(
            operators,
            name=f"{downloads.file_stem(result)}-operators",
            key="operators",
            alt="Every operator that ran directly in this call, with its error and dtypes",
        )


def keep_button(kept: str, *, key: str) -> None:
    """A button that keeps a part in the reference's precision, and runs again; nothing where it is kept already."""
    if not kept or state.is_kept(kept):
        return
    st.button(
        f"Keep {escape_markdown(kept)} in the reference's precision, and run again",
        key=key,
        icon=":material/shield:",
        on_click=state.keep_module,
        args=(kept,),
        help="This module, or the operator after the colon, computes in the reference's format; *code* stands for all "
        "operators outside the modules in it. Inputs are widened; outputs are rounded back, or stay wide where the "
        "name ends in *wide*.",
    )
