"""What autocast does in a run of the chosen model: a job of its own."""

import streamlit as st

from pages.ui import elsewhere, state
from pages.ui.chart import show
from pages.ui.job import engine, say_failure
from pages.ui.side_jobs import SideJobs
from precision.charts.dtype_tree import plot_dtype_tree
from precision.findings.autocast import lowering, stayed_text
from precision.models.catalogue import describe
from precision.models.opened import is_elsewhere
from precision.results import LayersResult
from precision.spec import Analysis, CastMethod, RunSpec
from precision.text.names import escape_markdown

_RUNS = SideJobs("autocast")
_KEPT = "\n\nWhat ran before is shown."


def section() -> None:
    """The model's modules by the dtypes in which they computed, once the run has ended that the page starts."""
    st.header("In this model", anchor=False)
    spec = state.spec(Analysis.LAYERS, {"method": CastMethod.AUTOCAST, "plan": (), "weights": ()}).measured
    if is_elsewhere(spec.model) and engine().stored(spec) is None:
        elsewhere.offer_call(spec)
        return
    if _RUNS.job(spec) is None:
        _RUNS.start_or_tell(spec)
    job = _RUNS.show(spec, kept=_KEPT)
    if job is None:  # the engine did not take it
        _offer(spec)
    elif job.finished:
        found = job.result or job.partial
        failure = found.failure if isinstance(found, LayersResult) else None
        if failure:
            say_failure(failure, kept=_KEPT)
        if failure or job.result is None:
            _offer(spec, again=True)
        if isinstance(found, LayersResult):
            _modules(found)
    _open_layers()


def _offer(spec: RunSpec, *, again: bool = False) -> None:
    name = escape_markdown(describe(spec.model).short_title)
    st.markdown(
        f"Runs {name} under autocast beside {spec.reference}, and shows which of its modules ran in which dtype."
    )
    st.button(
        "Run it again" if again else "Run this model under autocast",
        icon=":material/play_arrow:",
        type="tertiary" if again else "primary",
        key="run-autocast",
        on_click=_RUNS.start_or_tell,
        args=(spec,),
        kwargs={"fresh": again},
        help="Both models run side by side, with every operator watched.",
    )


def _modules(found: LayersResult) -> None:
    if (counted := lowering(found)) is not None:
        stayed = stayed_text(counted)
        said = f"{escape_markdown(stayed)} " if stayed else ""
        st.markdown(f"{said}Arithmetic **{found.execution.label}**, **measured**.")
    show(plot_dtype_tree(found), key="autocast-tree")


def _open_layers() -> None:
    opened = st.button(
        "Open Layers with autocast",
        icon=":material/account_tree:",
        key="layers-autocast",
        on_click=state.choose,
        args=("method", CastMethod.AUTOCAST.value),
        help="Every operator of every module call, as a table.",
    )
    if opened:
        st.switch_page("pages/layers.py")
