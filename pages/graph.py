"""Graph: how values flow through the model, and where on their way the error is born."""

import streamlit as st

from pages.ui import downloads, frame, layer_panel, linked, view_state
from pages.ui.graph.component import show_graph
from pages.ui.graph.measures import MEASURES, LegendEntry, view_of
from pages.ui.job import current_result
from pages.ui.shell.guard import enter_through_router
from precision.findings.graph.paths import nonfinite_path, worst_path
from precision.findings.graph.tree import Box, Graph, graph_of
from precision.findings.layers import calls_table
from precision.findings.origins import finding, found_row
from precision.results import LayersReport, LayersResult
from precision.text.names import escape_markdown, for_markdown

HOW_TO_READ = """\
Every box is a module or an operator, every line a tensor that goes from where it is made to where it is read. Both are
seen while the model runs. Boxes with a ▸ can be opened; modules built alike that follow each other are folded into a
stack, with a bar for each.

- **Error carried**: the relative error of what a box returns (normalized L2), with all that came before.
- **Error born**: what the box adds itself, on the reference's own input; of a module with others inside, what its
  own code adds. Single operators are not measured alone, and have no number.
- **Dtype**: of what the box returns in the candidate. It is the stripe at the left of each box, too.
- **Fit**: whether the format holds a module's weights, inputs and outputs, as on the page Ranges; the worst.
- **Sensitivity**: the relative error of the model's output if that layer alone is in the format.

Bars are logarithmic, from the smallest error of an innermost box to the largest, over at most four decades. The strip
at the left is the whole model, from the first operator to the last. Dashed boxes make values of nothing that was
computed, such as positions. Modules without operators, such as dropout or compiled code, are left out.

**Keyboard**: ↓ and ↑ follow the data, → opens and ← folds, Enter chooses.
"""


def main() -> None:
    """Draw the page."""
    enter_through_router()
    result = current_result(LayersResult, shows=lambda result: bool(result.report and result.report.operators))
    report = result.report
    if report is None or not report.rows or not report.operators:
        frame.nothing_to_show("No operator to show", result, how_to_read=HOW_TO_READ)
    frame.header(escape_markdown(finding(report)), result)
    run = f"{result.spec.digest()} {result.measured_at} {result.elapsed_s}"
    _graph_and_panel(result, run)
    with st.expander("The same as a table", icon=":material/table:"):
        downloads.table(
            calls_table(report), name=f"{downloads.file_stem(result)}-graph", key="graph-table", alt="Every module call"
        )
    frame.footer(result, how_to_read=HOW_TO_READ)


@st.cache_resource(max_entries=8, show_spinner=False)
def _graph(run: str, *, _report: LayersReport) -> Graph:
    del run  # identifies the report, which is too large for a cache key
    return graph_of(_report)


@st.fragment
def _graph_and_panel(result: LayersResult, run: str) -> None:
    report = result.report
    if report is None:
        return
    graph = _graph(run, _report=report)
    wide, narrow = st.columns([5, 3], gap="medium")
    with wide:
        measure = linked.radio("Coloured by", MEASURES, key="colour", label_visibility="collapsed")
        view = view_of(measure, graph, report, result.spec.dtype)
        path = nonfinite_path(graph, report)
        with narrow:
            chosen = _pick(graph)
        show_graph(
            graph,
            view.readings,
            measure=measure,
            run=run,
            chosen=chosen,
            path=path or worst_path(graph),
            is_nonfinite=bool(path),
            legend=(*view.legend, *([LegendEntry("not finite", "broken")] if path else [])),
            colours=view.colours,
            on_choice=_chosen,
        )
        if graph.unknown:
            st.caption(f"{graph.unknown:,} operators read tensors that were made where no operator is seen.")
    box = graph.named.get(chosen)
    with narrow:
        if box is None:
            st.caption("Click a box, or walk with the arrow keys and press Enter. Until then, the layer of the title.")
        _summary(result, report, box or _of_title(graph, report))
    if box is not None and box.row is not None and not box.is_operator:
        st.header("This layer", anchor=False)
        layer_panel.details(result, report, box.row)


def _of_title(graph: Graph, report: LayersReport) -> Box | None:
    row = found_row(report)
    boxes = (box for box in graph.model.all if box.row == row and not box.is_operator)
    return None if row is None else next(boxes, None)


def _summary(result: LayersResult, report: LayersReport, box: Box | None) -> None:
    if box is None or box.row is None:
        return
    about = f" · {escape_markdown(box.about)}" if box.about else ""
    st.markdown(f"**{for_markdown(box.name, limit=None)}**{about}")
    if box.is_operator and box.operator is not None:
        layer_panel.operator_summary(report, report.operators[box.operator])
    else:
        layer_panel.summary(result, report, box.row)


def _pick(graph: Graph) -> str:
    names = [box.name for box in graph.model.all if box.row is not None]
    picked = linked.selectbox(
        "Layer or operator", names, key="node", index=None, placeholder="none chosen", label_visibility="collapsed"
    )
    return picked or ""


def _chosen() -> None:
    view_state.put("node", st.session_state["graph"].chosen)


main()
