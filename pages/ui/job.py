"""Running the chosen comparison: submit, show progress, cancel, explain an end without a result."""

import logging
import threading
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NoReturn, TypeVar

import streamlit as st

from pages.ui import elsewhere, readiness, state
from pages.ui.installed import require_installed
from pages.ui.sessions import watch_sessions
from precision.analyses import analysis_of
from precision.engine import Engine, EngineConfig, Job
from precision.errors import InputError, PrecisionError
from precision.models.catalogue import describe
from precision.models.opened import is_elsewhere
from precision.results import AnalysisResult, Failure
from precision.spec import Analysis, RunSpec
from precision.text.names import escape_markdown, for_markdown, plain
from precision.text.units import seconds_text

_QUICK_S = 0.9
"""A run that ends within this time is shown at once, without a progress bar."""
_POLL_S = 0.5
_DIMMED = """\
<style>
[data-testid="stMain"] [data-testid="stElementContainer"] {opacity: 0.5; pointer-events: none}
[data-testid="stMain"] .st-key-under-way [data-testid="stElementContainer"] {opacity: 1; pointer-events: auto}
</style>
<span class="px-style"></span>
"""
"""All of the page but what says what is under way. For the element in it, see `pages.ui.shell.menu`."""
CANCELLED = "cancelled"
"""Stage of a failure that somebody asked for."""
NOT_POSSIBLE = "This choice cannot be run"
NO_RESULT = "Nothing was measured"

log = logging.getLogger("precision.pages")


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    """The server's one engine; the frame starts it."""
    made = Engine(EngineConfig.from_environment())
    watch_sessions(made)
    readiness.watch(made)
    return made


R = TypeVar("R", bound=AnalysisResult)


def current_result(
    kind: type[R], also: Mapping[str, object] | None = None, *, shows: Callable[[R], bool] = lambda _: False
) -> R:
    """The result of what the sidebar asks for; of a run that goes on, what the page can show so far.

    Until there is something to show, the result that the page showed before, dimmed; without one, the page stops.
    A run that ended early gives what it measured, with the reason in its `failure`.

    Args:
        kind: type of the result, which says what to measure.
        also: settings of the page's own, besides the sidebar's.
        shows: whether the page has something to show of what is measured so far.
    """
    analysis = analysis_of(kind)
    job = _current_job(analysis, also)
    if job.finished:
        result = job.result or _ended_early(job)
        state.remember_shown(analysis, job.id)
    else:
        result = _while_running(job, lambda partial: isinstance(partial, kind) and shows(partial))
    if not isinstance(result, kind):
        raise TypeError(f"{analysis} gave a {type(result).__name__}")
    return result


def warn_of_link_error() -> None:
    """If the link that opened the session cannot be followed: the reason and a way out. The page continues."""
    if error := state.link_error():
        st.warning(
            f"This link cannot be followed; the default is chosen instead. {escape_markdown(error)}",
            icon=":material/link_off:",
        )
        _offer_default()


def refuse(title: str, error: str, *, icon: str = ":material/error:") -> NoReturn:
    """Stop the page with the reason, and a way out."""
    st.title(title, anchor=False)
    st.error(escape_markdown(error), icon=icon)
    _offer_default()
    st.stop()


def _offer_default() -> None:
    st.button("Show the default instead", on_click=state.show_default)


def require_choice() -> None:
    """Stop the page if the link cannot be followed, the sidebar waits for a model's name, or a package is missing."""
    if link_error := state.link_error():
        refuse("This link cannot be followed", link_error, icon=":material/link_off:")
    if missing := state.awaited():
        st.title("Which model?", anchor=False)
        st.info(missing, icon=":material/edit:")
        st.stop()
    if model := state.chosen_model():
        require_installed(model)


def _current_job(analysis: Analysis, also: Mapping[str, object] | None) -> Job:
    """The job of what the sidebar asks for, at its end if that comes soon; stops the page where there is none."""
    require_choice()
    try:
        spec = state.spec(analysis, also)
        if is_elsewhere(spec.measured.model) and engine().stored(spec.measured) is None:
            state.mirror_in_link(spec)
            elsewhere.not_in_file(spec.measured)
        job = _job_for(spec.measured)
    except PrecisionError as error:
        if isinstance(error, InputError):
            refuse(NOT_POSSIBLE, str(error))
        st.title(NO_RESULT, anchor=False)
        st.error(escape_markdown(str(error)), icon=":material/error:")
        st.button("Try again")  # like every button, it runs the page again
        st.stop()
    state.mirror_in_link(spec)
    starting = engine().state == "starting"  # no answer comes within seconds: the page says so at once
    return job if job.finished or starting else engine().wait(job.id, timeout_s=_QUICK_S)


def _while_running(job: Job, shows: Callable[[AnalysisResult], bool]) -> AnalysisResult:
    """What is measured so far, if the page can show it; else the result that it showed before, dimmed."""
    seen_s = job.partial.elapsed_s if job.partial else 0.0
    known = job.partial if job.partial and shows(job.partial) else _errors_of(job.spec)
    if known and shows(known):
        show_progress(job.id, shown_s=seen_s)
        return known
    before = known_job(state.last_shown(job.spec.analysis))
    with st.container(key="under-way"):
        st.title(_under_way(job.spec), anchor=False)
        show_progress(job.id, shown_s=seen_s)
        if before is None or before.result is None:
            _import_ahead()
            st.stop()
        st.caption(
            f":material/history: Until there is something to show, the result before: **{in_short(before.spec)}**."
        )
        st.html(_DIMMED)
    return before.result


@st.cache_resource(show_spinner=False)
def _import_ahead() -> None:
    """Import what the first answer needs while it is being measured, once in a server."""
    threading.Thread(target=import_module, args=("pandas",), name="import ahead", daemon=True).start()


def _errors_of(spec: RunSpec) -> AnalysisResult | None:
    """What a sweep has measured already of a comparison: all but the times."""
    if spec.analysis is not Analysis.COMPARE:
        return None
    job = engine().stored(spec.errors_alone)
    return job.result.model_copy(update={"spec": spec}) if job and job.result else None


def in_short(spec: RunSpec) -> str:
    """A run in a few words, safe in a heading."""
    return escape_markdown(f"{describe(spec.model).short_title} in {spec.candidate}")


def _under_way(spec: RunSpec) -> str:
    return spec.in_words(spec.analysis.info.running, model=describe(spec.model).short_title, escape=escape_markdown)


def is_followed(analysis: Analysis) -> bool:
    """Whether the session, or the link that opened it, is looking at a job of this analysis."""
    job = known_job(state.job_id(analysis))
    return job is not None and job.spec.analysis is analysis


def run_again(spec: RunSpec) -> None:
    """Measure again instead of showing the stored result."""
    if job := submit_or_tell(spec, fresh=True):
        state.follow_job(spec.analysis, job.id)


def submit_or_tell(spec: RunSpec, *, fresh: bool) -> Job | None:
    """The job of a run that a button asks for; if refused, a toast says why. `fresh`: also where there is a result."""
    try:
        return engine().submit(spec, session=state.session_id(), fresh=fresh)
    except PrecisionError as error:
        st.toast(plain(str(error), limit=None), icon=":material/error:")
        return None


def _job_for(spec: RunSpec) -> Job:
    """The job that this session looks at, if it is this spec's; else a new one."""
    known = state.job_id(spec.analysis)
    if not state.follows_jobs():
        engine().release(state.session_id())
    job = known_job(known)
    if known and job is None:
        st.toast("The run of this link no longer exists; it runs again.", icon=":material/refresh:")
    if job and job.spec == spec and (job.stopping or job.status in ("failed", "cancelled")):
        return job  # explained, not silently run again
    job = engine().submit(spec, session=state.session_id())
    state.follow_job(spec.analysis, job.id)
    return job


def known_job(job_id: str | None) -> Job | None:
    """The job; None if there is none, or if it belongs to another server or to this one before a restart."""
    try:
        return engine().job(job_id) if job_id else None
    except PrecisionError:
        return None


@st.fragment(run_every=_POLL_S)
def show_progress(job_id: str, *, shown_s: float | None = None, key: str = "cancel") -> None:
    """How far a job is, with a way to stop it.

    Draws the page again when the job ends, or when it has a newer partial result than the one on the page.

    Args:
        job_id: of the job.
        shown_s: seconds after which the partial result on the page was measured; None if the page shows none.
        key: of the button that cancels the job; a page may show several jobs.
    """
    job = known_job(job_id)
    if job is None or job.finished:
        st.rerun()
    partial_s = job.partial.elapsed_s if isinstance(job.partial, AnalysisResult) else 0.0
    if shown_s is not None and partial_s != shown_s:
        st.rerun()
    with st.container(border=True):
        st.progress(job.fraction, text=_progress_text(job))
        st.button(
            "Cancel",
            icon=":material/stop_circle:",
            key=key,
            disabled=job.stopping,
            on_click=_cancel,
            args=(job.id,),
            help="Stops the run and frees the device.",
        )


def _cancel(job_id: str) -> None:
    job = engine().cancel(job_id, session=state.session_id())
    if not (job.stopping or job.finished):
        st.toast("The run goes on: somebody else is waiting for it too.", icon=":material/group:")


def _progress_text(job: Job) -> str:
    if job.stopping:
        return "Stopping …"
    if job.status == "queued":
        if job.stage == "starting":
            return "The worker is starting; this takes a few seconds."
        if job.stage == "restarting":
            return f"The worker is restarting. The run keeps its place: position {job.position} in the queue."
        return f"Waiting for the device: position {job.position} in the queue."
    detail = f" · {for_markdown(job.detail)}" if job.detail else ""
    is_known = job.remaining_s is not None and not job.stage.startswith("Timing")  # which ends when it is sure
    left = f" · about {seconds_text(job.remaining_s or 0.0)} left" if is_known else ""
    return f"{job.stage}{detail} · {seconds_text(job.elapsed_s)}{left}"


def _ended_early(job: Job) -> AnalysisResult:
    """What was measured before the end, with the reason; if nothing was measured, only the reason."""
    failure = failure_of(job)
    if not isinstance(job.partial, AnalysisResult):
        if job.error_kind == InputError.__name__:
            refuse(NOT_POSSIBLE, failure.message)
        st.title(NO_RESULT, anchor=False)
        say_failure(failure)
        offer_run_again(job.spec)
        st.stop()
    return job.partial.model_copy(update={"failure": failure})


def failure_of(job: Job, what: str = "run") -> Failure:
    """Why a job ended without a result; `what` names it."""
    if job.status == "cancelled":
        return Failure(stage=CANCELLED, where=None, message=f"The {what} was cancelled. Nothing is computing.")
    return Failure(stage=job.stage, where=None, message=job.error or f"The {what} ended without a result.")


def say_failure(failure: Failure, *, kept: str = "") -> None:
    """Say why a run stopped; `kept`, about what was measured before, is added."""
    if failure.stage == CANCELLED:
        st.info(f"{escape_markdown(failure.message)}{kept}", icon=":material/stop_circle:")
    else:
        where = f"**Stopped in {for_markdown(failure.where)}.** " if failure.where else ""
        st.error(f"{where}{escape_markdown(failure.message)}{kept}", icon=":material/error:")


def offer_run_again(spec: RunSpec) -> None:
    """A button that starts a stopped run again, or the call that does."""
    if is_elsewhere(spec.model):
        elsewhere.offer_call(spec)
        return
    st.button("Run again", on_click=run_again, args=(spec,), type="primary")
