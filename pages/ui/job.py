"""Running the chosen comparison: submit, show progress, cancel, explain an end without a result."""

from __future__ import annotations

import logging
from typing import NoReturn

import streamlit as st

from pages.ui import state
from pages.ui.sessions import watch_sessions
from precision.engine import Engine, EngineConfig, Job
from precision.errors import PrecisionError
from precision.names import escape_markdown, for_markdown, plain
from precision.results import CompareResult, Failure
from precision.spec import RunSpec
from precision.units import seconds_text

_QUICK_S = 0.9
"""A run that ends within this time is shown at once, without a progress bar flashing by."""
_POLL_S = 0.5
CANCELLED = "cancelled"
"""Stage of a failure that somebody asked for."""

log = logging.getLogger("precision.pages")


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    """The server's one engine; starting it returns at once."""
    started = Engine(EngineConfig.from_environment())
    started.start()
    watch_sessions(started)
    return started


def current_result() -> CompareResult:
    """The result of what the sidebar asks for; draws progress and stops the page while there is none.

    A run that ended early gives what it measured, with the reason in its `failure`.
    """
    if error := state.link_error():
        st.error(f"This link cannot be followed. {escape_markdown(error)}", icon=":material/link_off:")
        st.button("Show the default instead", on_click=state.choice_changed)
        st.stop()
    try:
        spec = state.spec()
        job = _job_for(spec)
    except PrecisionError as error:
        _stop_with(str(error))
    state.mirror_in_link(spec)
    if job.status in ("queued", "running"):
        job = engine().wait(job.id, timeout_s=_QUICK_S)
    if job.status in ("queued", "running"):
        _progress(job.id)
        st.stop()
    if job.result is not None:
        return job.result
    return _ended_early(job)


def run_again() -> None:
    """Measure the current choice anew instead of showing the stored result."""
    try:
        state.follow_job(engine().submit(state.spec(), session=state.session_id(), fresh=True).id)
    except PrecisionError as error:
        st.toast(plain(str(error)), icon=":material/error:")


def _job_for(spec: RunSpec) -> Job:
    """The job that this session looks at, if it is this spec's; else a new one."""
    known = state.job_id()
    if known is None:
        engine().release(state.session_id())
    elif (job := _known(known)) and job.spec == spec and (job.stopping or job.status in ("failed", "cancelled")):
        return job  # explained, not silently run again
    job = engine().submit(spec, session=state.session_id())
    state.follow_job(job.id)
    return job


def _known(job_id: str) -> Job | None:
    """The job, or None where it is of another server, or of this one before it was restarted."""
    try:
        return engine().job(job_id)
    except PrecisionError:
        return None


@st.fragment(run_every=_POLL_S)
def _progress(job_id: str) -> None:
    job = engine().job(job_id)
    if job.status not in ("queued", "running"):
        st.rerun()
    with st.container(border=True):
        st.progress(job.fraction, text=_progress_text(job))
        st.button(
            "Cancel",
            icon=":material/stop_circle:",
            key="cancel",
            disabled=job.stopping,
            on_click=_cancel,
            args=(job_id,),
            help="Stops the run and frees the device.",
        )


def _cancel(job_id: str) -> None:
    engine().cancel(job_id, session=state.session_id())


def _progress_text(job: Job) -> str:
    if job.stopping:
        return "Stopping …"
    if job.status == "queued":
        if engine().state == "starting":
            return "The worker is starting; this takes a few seconds."
        return f"Waiting for the device: position {job.position} in the queue."
    detail = f" · {for_markdown(job.detail)}" if job.detail else ""
    left = f" · about {seconds_text(job.remaining_s)} left" if job.remaining_s is not None else ""
    return f"{job.stage}{detail} · {seconds_text(job.elapsed_s)}{left}"


def _ended_early(job: Job) -> CompareResult:
    """What was measured before the end, with the reason; without anything measured, the reason alone."""
    if job.status == "cancelled":
        failure = Failure(stage=CANCELLED, where=None, message="The run was cancelled. Nothing is computing.")
    else:
        failure = Failure(stage=job.stage, where=None, message=job.error or "The run ended without a result.")
    if job.partial is None:
        say_failure(failure)
        st.stop()
    return job.partial.model_copy(update={"failure": failure})


def say_failure(failure: Failure, *, kept: str = "") -> None:
    """Why a run stopped, and the way to start it again."""
    if failure.stage == CANCELLED:
        st.info(f"{escape_markdown(failure.message)}{kept}", icon=":material/stop_circle:")
    else:
        where = f"**Stopped in {for_markdown(failure.where)}.** " if failure.where else ""
        st.error(f"{where}{escape_markdown(failure.message)}{kept}", icon=":material/error:")
    st.button("Run again", on_click=run_again, type="primary")


def _stop_with(message: str) -> NoReturn:
    st.error(escape_markdown(message), icon=":material/error:")
    st.stop()
