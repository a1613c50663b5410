"""What autocast does in the chosen model's own run: a job beside the page's own, at a click."""

from __future__ import annotations

import streamlit as st

from pages.ui import state
from pages.ui.chart import show
from pages.ui.job import engine, known_job, show_progress
from precision.charts import plot_dtype_tree
from precision.engine import Job
from precision.errors import PrecisionError
from precision.findings.autocast import lowering, stayed_text
from precision.models.catalogue import describe
from precision.results import LayersResult
from precision.spec import Analysis, CastMethod, RunSpec
from precision.text.names import escape_markdown, plain


def section() -> None:
    """A button; then the model's modules by what they computed in. The page goes on below."""
    st.header("In this model", anchor=False)
    spec = state.spec(Analysis.LAYERS, {"method": CastMethod.AUTOCAST, "plan": ()}).measured
    job = known_job(state.autocast_jobs().get(spec.digest()))
    if job is None:
        _offer(spec)
    elif not job.finished:
        show_progress(job.id)
    else:
        _result(job, spec)
    _open_layers()


def _offer(spec: RunSpec, *, label: str = "Run this model under autocast") -> None:
    name = escape_markdown(describe(spec.model).short_title)
    st.markdown(
        f"Runs {name} under autocast beside {spec.reference}, and shows which of its modules ran in which dtype."
    )
    st.button(
        label,
        icon=":material/play_arrow:",
        key="run-autocast",
        on_click=_start,
        args=(spec,),
        help="Both models run side by side, with every operator watched.",
    )


def _start(spec: RunSpec) -> None:
    """Runs it; again, where it ended without a result."""
    before = known_job(state.autocast_jobs().get(spec.digest()))
    try:
        job = engine().submit(spec, session=state.session_id(), fresh=before is not None)
    except PrecisionError as error:
        st.toast(plain(str(error), limit=None), icon=":material/error:")
    else:
        state.autocast_jobs()[spec.digest()] = job.id


def _result(job: Job, spec: RunSpec) -> None:
    found = job.result or job.partial
    if not isinstance(found, LayersResult):
        st.info(
            escape_markdown(job.error or "The run was cancelled. Nothing is computing."), icon=":material/stop_circle:"
        )
        _offer(spec, label="Run it again")
        return
    if found.failure or job.result is None:
        why = found.failure.message if found.failure else job.error or "The run was cancelled."
        st.warning(f"{escape_markdown(why)}\n\nWhat ran before is shown.", icon=":material/warning:")
        _offer(spec, label="Run it again")
    if (counted := lowering(found)) is not None:
        st.markdown(f"{escape_markdown(stayed_text(counted))} Arithmetic **{found.execution.label}**, **measured**.")
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
