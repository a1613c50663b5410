"""Layers: which dtype do stored tensors, activations and operators have, before and after the cast?"""

import streamlit as st

from pages.ui import detail, downloads, dtypes, frame, linked, view_state
from pages.ui.chart import show, show_and_pick
from pages.ui.job import current_result
from pages.ui.shell.guard import enter_through_router
from precision.charts.dtype_tree import plot_dtype_tree
from precision.charts.module_tree import drawn_boxes, path_within, plot_module_tree
from precision.charts.stored_values import plot_stored_values
from precision.findings.autocast import lowering, stayed_text
from precision.findings.cast import audit_table, changed_text, estimated_text
from precision.findings.layers import activations_table, flows_of, operators_table, returns_other_dtype
from precision.results import CastAudit, CompareResult, LayersReport, LayersResult, TensorAudit
from precision.spec import CastMethod
from precision.text.names import escape_markdown
from precision.text.units import bytes_text

HOW_TO_READ = """\
Each row of the table is one stored tensor: a **parameter**, a **buffer** (persistent or not) or a **plain attribute**,
which no cast changes. *Before* is the model as loaded, *after* is the candidate. Tied tensors share one storage; their
bytes count once, at the first name.

A cast can ruin a model by itself: *became ±inf or NaN*, *saturated* and *became zero* count stored values that were
fine before. *Relative error* is that of rounding the stored values; it is at most half the format's epsilon where the
values are in the format's normal range.

In the tree, height is bytes and colour is dtype. Both sides have one scale: where a box shrinks, bytes are saved.
"""

FILTERS = ("all", "changed", "unchanged", "damaged values")
PARTS = ("stored tensors", "activations", "operators")


HOW_TO_READ_FLOW = """\
Both models run side by side. A module's row has the dtypes of its inputs and outputs. An operator's row has the dtype
in which its kernels computed. There you see autocast and silent promotion (a float16 tensor is widened when it meets a
float32 one), which the stored dtypes do not show. *Only the candidate does this* marks operators that the other model
does not run, such as casts.

In the tree of operators, the colour of a module is the dtype in which the candidate's kernels computed, over all calls.
Where there are several dtypes, a fuller colour means more operators in the format. *Own operators* are those that a
module runs outside the modules in it. Height is layers.
"""


def main() -> None:
    """Draw the page."""
    enter_through_router()
    part = linked.radio(
        "What to show",
        PARTS,
        key="part",
        help="What it stores, its inputs and outputs, or what runs inside it.",
    )
    if part == "stored tensors":
        _stored_tensors()
    else:
        _dtype_flow(part)


def _dtype_flow(part: str) -> None:
    result = current_result(LayersResult)
    report = result.report
    if report is None or not report.rows:
        frame.nothing_to_show("No layer to show", result, how_to_read=HOW_TO_READ_FLOW)
    if part == "operators":
        _operators_top(result, report)
        table, searched = operators_table(report), "operator"
    else:
        low = sum(returns_other_dtype(row) for row in report.rows)
        frame.header(f"{low:,} of {len(report.rows):,} module calls return another dtype than in the reference", result)
        table, searched = activations_table(report), "type"
    table = table.find(frame.find_box("layer", in_what="name or type"), "layer", searched)
    st.caption(f"{len(table.rows):,} rows.")
    downloads.table(
        table,
        name=f"{downloads.file_stem(result)}-{part}",
        key=part,
        alt=f"Dtypes of {part}, reference and candidate",
    )
    frame.footer(result, how_to_read=HOW_TO_READ_FLOW)


def _operators_top(result: LayersResult, report: LayersReport) -> None:
    flows = [flow for _, flow in flows_of(report)]
    promoted, lowered = sum(flow.is_promoted for flow in flows), sum(flow.is_lowered for flow in flows)
    one_sided = sum(operator.only is not None for operator in report.operators)
    found = [f"{lowered:,} lowered by autocast"] if lowered else []
    found.append(f"{f'{promoted:,}' if promoted else 'none'} {'widen' if promoted > 1 else 'widens'} an input silently")
    found.append(f"{f'{one_sided:,}' if one_sided else 'none'} {'run' if one_sided > 1 else 'runs'} in one model only")
    frame.header(f"{len(report.operators):,} operators: {', '.join(found)}", result)
    autocasts = result.spec.method is CastMethod.AUTOCAST
    if autocasts and (counted := lowering(result)) is not None and (stayed := stayed_text(counted)):
        st.markdown(escape_markdown(stayed))
    show(plot_dtype_tree(result), key="dtype-tree")


def _stored_tensors() -> None:
    result = current_result(CompareResult, shows=lambda result: result.audit is not None)
    audit = result.audit
    if audit is None:
        frame.header("No cast to show", result)
        st.stop()
    frame.header(escape_markdown(_finding(audit)), result)
    for warning in audit.warnings:
        st.warning(escape_markdown(warning), icon=":material/report:")
    dtypes.strip(audit)
    _tensor_table(audit, name=f"{downloads.file_stem(result)}-tensors")
    if detail.shows_all("the bytes as a tree, and what happened to the values"):
        _module_tree(audit)
        show(plot_stored_values(audit, result.spec.dtype), key="stored-values")
    frame.footer(result, how_to_read=HOW_TO_READ)


@st.fragment
def _module_tree(audit: CastAudit) -> None:
    """Both halves open the same box; the boxes around it are above them, each a click away."""
    within = view_state.kept("within")
    path = path_within(audit, within)

    def open_box(number: int) -> None:
        box = drawn_boxes(audit, within)[number]
        if number == 0:
            view_state.keep("within", path[-2].fqn if len(path) > 1 else "")
        elif box.parts():
            view_state.keep("within", box.fqn)

    if len(path) > 1:
        with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall"):
            for box in path[:-1]:
                st.button(
                    f"{escape_markdown(box.label)} ›",
                    key=f"within-{box.fqn}",
                    type="tertiary",
                    on_click=view_state.keep,
                    args=("within", box.fqn),
                )
            st.markdown(f"**{escape_markdown(path[-1].label)}**", width="content")
    show_and_pick(plot_module_tree(audit, within), key="module-tree", on_pick=open_box)


def _finding(audit: CastAudit) -> str:
    if estimate := estimated_text(audit):
        return f"{changed_text(audit)}; {estimate}"
    changed = sum(tensor.changed for tensor in audit.tensors)
    return (
        f"{changed} of {len(audit.tensors)} tensors change: {bytes_text(audit.bytes_before)} become "
        f"{bytes_text(audit.bytes_after)}"
    )


def _tensor_table(audit: CastAudit, *, name: str) -> None:
    left, right = st.columns([2, 3])
    find = frame.find_box("tensor", in_what="name, kind or dtype", place=left)
    which = linked.radio("Show", FILTERS, key="show", place=right)
    every = audit_table(tensor for tensor in audit.tensors if _is(which, tensor))
    table = every.find(find, "tensor", "kind", "before", "after")
    layer = find.removesuffix(".")
    if layer and any(module.fqn == layer for module in audit.modules):
        st.page_link(
            "pages/propagation.py",
            label=f"All that is known of {escape_markdown(layer)}",
            icon=":material/trending_up:",
            query_params={"layer": layer},
        )
    st.caption(f"{len(table.rows)} of {len(audit.tensors)} tensors.")
    downloads.table(table, name=name, key="tensors", alt="Every stored tensor before and after the cast")


def _is(which: str, tensor: TensorAudit) -> bool:
    if which == "damaged values":
        stored = tensor.stored
        return stored is not None and bool(stored.became_nonfinite or stored.saturated or stored.became_zero)
    return which == "all" or tensor.changed == (which == "changed")


main()
