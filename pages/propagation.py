"""Propagation: which layers add error, where does it grow, where does the first NaN come from?"""

import streamlit as st

from pages.ui import detail, downloads, frame, layer_panel, linked, state, view_state
from pages.ui.chart import show, show_and_pick
from pages.ui.job import current_result
from pages.ui.layer_panel import keep_button
from pages.ui.shell.guard import enter_through_router
from precision.charts.error_along_depth import layer_points, plot_error_along_depth
from precision.charts.error_tree import plot_error_tree
from precision.findings.layers import calls_table, divergence_text, labels_of
from precision.findings.origins import finding, found_row, origin_text, place_text, reference_text, silent_causes
from precision.findings.remedies import helpful, kept_by, remedies_texts, vain_texts
from precision.results import LayersReport, LayersResult
from precision.spec import CastMethod
from precision.text.names import escape_markdown, for_markdown

DEFAULT_LIMIT = 0.01

HOW_TO_READ = """\
Both models run side by side on the same input and meet after every module. With f and x the reference's layer and its
input, f~ and x~ the candidate's:

- **Propagated** error, f~(x~) − f(x): the error of the candidate after this layer.
- **Local** error, f~(x) − f(x): added by this layer, on the reference's own input. Even a layer that does nothing, such
  as an identity or dropout in eval mode, has one: its input is rounded to the format on the way in.
- **Inherited** error, f(x~) − f(x): the error of the exact layer on the candidate's input.
- **Interaction**, f~(x~) − f(x~) − f~(x) + f(x): what neither of the two explains alone. Element by element, the
  three add up to the propagated error.
- **Gain**: how many times the layer amplifies the relative error of its input; below 1 it dampens it.

**NAME:code** is a module's own code: the operators between the modules inside it, such as residual adds, attention and
routers. Its errors are those of all tensors that this code itself makes, to return them or to hand them to the modules
inside. For the local error these return what they return in the reference.

All are relative: the norm of the error over the norm of the reference's output (normalized L2). 0.01 is an SQNR of
40 dB. A line that climbs slowly means that rounding adds up. A jump with a small local error means that the layer
amplifies. A large local error means that the format does not suit the layer.
"""


def main() -> None:
    """Draw the page."""
    enter_through_router()
    result = current_result(LayersResult)
    report = result.report
    if report is None or not report.rows:
        frame.nothing_to_show("No layer to show", result, how_to_read=HOW_TO_READ)
    frame.header(escape_markdown(finding(report)), result)
    _stopped(report)
    _causes(report)
    _remedies(result)
    limit = linked.number_input(
        "Limit on the relative error",
        key="limit",
        value=DEFAULT_LIMIT,
        least=0.0,
        help="Drawn as a line. 0.01 is an SQNR of 40 dB.",
    )
    labels = labels_of(report)
    depth = plot_error_along_depth(report, result.spec.dtype, limit=limit or None)
    show_and_pick(depth, key="error-along-depth", on_pick=lambda row: view_state.put("layer", labels[row]))
    if report.operators:
        st.page_link("pages/graph.py", label="The same as a graph", icon=":material/schema:")
    shows_all = detail.shows_all("the tree of modules and all layer calls")
    if shows_all:
        show(plot_error_tree(report), key="error-tree")
    _one_layer(result, report)
    if shows_all:
        _all_calls(result, report)
    _differences(report)
    frame.footer(result, how_to_read=HOW_TO_READ)


def _all_calls(result: LayersResult, report: LayersReport) -> None:
    st.header("All layer calls", anchor=False)
    every = calls_table(report)
    table = every.find(frame.find_box("layer", in_what="name or type"), "layer", "type")
    st.caption(f"{len(table.rows):,} of {len(every.rows):,} rows.")
    downloads.table(
        table, name=f"{downloads.file_stem(result)}-layers", key="layers", alt="Errors of every module call"
    )


def _stopped(report: LayersReport) -> None:
    """Which tensors did not fit, where the run stopped."""
    if report.stopped is not None and report.stopped.mixed:
        names = ", ".join(map(for_markdown, report.stopped.mixed))
        st.caption(f"In another dtype than the other tensors: {names}")


def _remedies(result: LayersResult) -> None:
    """What was tried and what it gave; a button for each input that helps uncast, and each part that helps kept."""
    for text in remedies_texts(result, with_vain=False):
        st.markdown(f"- {escape_markdown(text)}")
    if vain := vain_texts(result):
        with st.expander(f"Tried, without success ({len(vain)})", icon=":material/do_not_disturb_on:"):
            st.markdown("\n".join(f"- {escape_markdown(text)}" for text in vain))
    good = helpful(result)
    for name in dict.fromkeys(remedy.input for remedy in good if remedy.input):
        _uncast_button(name)
    for kept in dict.fromkeys(filter(None, map(kept_by, good))):
        keep_button(kept, key=f"keep-remedy-{kept}")
    for dtype in dict.fromkeys(remedy.format for remedy in good if remedy.format):
        _change_button(f"Use {dtype} instead, and run again", "dtype", dtype)
    if any(remedy.kind == "autocast" for remedy in good):
        _change_button("Use autocast instead, and run again", "method", CastMethod.AUTOCAST.value)
    if result.remedies:
        frame.link_to_plan()
    stopped = result.report.stopped if result.report else None
    if result.remedies is None and stopped is not None and stopped.keep is not None:
        keep_button(stopped.keep, key="keep-stopped")


def _change_button(label: str, setting: str, value: str) -> None:
    st.button(
        label,
        key=f"remedy-{value}",
        icon=":material/swap_horiz:",
        on_click=state.choose_cast,
        args=(setting, value),
        help="As the picker in the sidebar does.",
    )


def _uncast_button(name: str) -> None:
    if name in state.wide_inputs():
        return
    st.button(
        f"Leave the input {escape_markdown(name)} uncast, and run again",
        key=f"uncast-remedy-{name}",
        icon=":material/input:",
        on_click=state.leave_uncast,
        args=(name,),
        help="The model gets this argument as it is given; everything else is cast as before.",
    )


def _causes(report: LayersReport) -> None:
    if said := reference_text(report):
        st.warning(escape_markdown(said), icon=":material/report:")
    for said in silent_causes(report):
        st.info(escape_markdown(said), icon=":material/alt_route:")
    for origin in report.origins[:1]:
        with st.container(border=True):
            st.markdown(f"**First in {escape_markdown(place_text(origin))}.**")
            st.markdown(escape_markdown(origin_text(origin)))


def _one_layer(result: LayersResult, report: LayersReport) -> None:
    labels = labels_of(report)
    st.header("One layer", anchor=False)
    label = linked.selectbox(
        "Layer call",
        labels,
        index=_worst_call(report),
        key="layer",
        help="Or click a point of the chart above.",
    )
    row = labels.index(label)
    layer_panel.summary(result, report, row)
    layer_panel.details(result, report, row)


def _worst_call(report: LayersReport) -> int:
    """The layer call to show first: that of the title, else that with the largest error."""
    if (found := found_row(report)) is not None:
        return found
    points = layer_points(report)
    return max(points, key=lambda point: point.propagated or 0.0).row if points else 0


def _differences(report: LayersReport) -> None:
    for divergence in report.divergences:
        st.info(escape_markdown(divergence_text(divergence)), icon=":material/call_split:")
    with st.expander("What else the run noticed", icon=":material/info:"):
        if report.observer is not None and not report.observer.changed:
            st.markdown("Runs without any observer give the same outputs, bit for bit.")
        if report.not_called:
            names = ", ".join(for_markdown(name) for name in report.not_called)
            st.markdown(f"Not called: {names}. Unused, or done by a fused kernel.")
        for note in report.notes:
            st.markdown(escape_markdown(note))
        st.markdown(
            f"{report.calls:,} module calls and {report.operator_calls:,} operators; "
            f"{report.compared_elements:,} elements compared."
        )


main()
