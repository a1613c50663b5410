"""Jobs that a page starts besides its main one: how to start, find and show them."""

from collections.abc import Iterator
from dataclasses import dataclass

import streamlit as st

from pages.ui import elsewhere, state
from pages.ui.job import engine, failure_of, known_job, say_failure, show_progress, submit_or_tell
from precision.engine import Job
from precision.models.opened import is_elsewhere
from precision.results import Failure
from precision.spec import RunSpec


@dataclass(frozen=True)
class SideJobs:
    """The jobs that a session has started for one purpose, found by their specs until the session ends.

    Args:
        purpose: its name; jobs for other purposes are kept apart.
        what: what a message calls such a job, after "The".
    """

    purpose: str
    what: str = "run"

    def start(self, spec: RunSpec) -> Job:
        """Submit a run and follow its job.

        Raises:
            PrecisionError: the engine does not take it; the message says why.
        """
        return self._follow(engine().submit(spec, session=state.session_id()))

    def start_or_tell(self, spec: RunSpec, *, fresh: bool = False) -> None:
        """As `start`, for a button: if the engine refuses, a toast says why. `fresh`: also where there is a result."""
        if job := submit_or_tell(spec, fresh=fresh):
            self._follow(job)

    def button(self, label: str, spec: RunSpec, *, key: str, icon: str, says: str, again: bool = False) -> None:
        """Draw a button that starts a run; `again`: a quiet one, which also runs where there is a result.

        Of a module that is not here, the call that measures it.
        """
        if is_elsewhere(spec.model):
            elsewhere.offer_call(spec)
            return
        st.button(
            label,
            icon=icon,
            type="tertiary" if again else "primary",
            key=key,
            on_click=self.start_or_tell,
            args=(spec,),
            kwargs={"fresh": again},
            help=says,
        )

    def job(self, spec: RunSpec) -> Job | None:
        """The job of this spec as it is now; None where none was started, it is forgotten, or its model has changed."""
        job = known_job(self._ids.get(spec.digest()))
        if job is not None and not engine().is_current(job):
            self.forget(spec)
            return None
        return job

    def forget(self, spec: RunSpec) -> None:
        """Stop following the job of this spec; it continues."""
        self._ids.pop(spec.digest(), None)

    def cancel(self, spec: RunSpec) -> None:
        """End the job of this spec, unless another session wants it too."""
        if (job := self.job(spec)) is not None and not job.finished:
            engine().cancel(job.id, session=state.session_id())

    def __iter__(self) -> Iterator[Job]:
        """The jobs that were started, as they are now, without those that are forgotten or whose model has changed."""
        jobs = (known_job(job_id) for job_id in tuple(self._ids.values()))
        return (job for job in jobs if job is not None and engine().is_current(job))

    def show(self, spec: RunSpec, *, kept: str = "") -> Job | None:
        """Draw the progress of the job of this spec, with Cancel, or why it ended without a result. Returns the job.

        Args:
            spec: as it was started with.
            kept: added to the reason if the job has measured a part.
        """
        job = self.job(spec)
        if job is not None and not job.finished:
            show_progress(job.id, key=f"cancel-{self.purpose}")
        elif job is not None and job.result is None:
            say_failure(self.failure(job), kept=kept if job.partial is not None else "")
        return job

    def failure(self, job: Job) -> Failure:
        """Why a job ended without a result."""
        return failure_of(job, self.what)

    @property
    def _ids(self) -> dict[str, str]:
        return state.side_jobs(self.purpose)

    def _follow(self, job: Job) -> Job:
        self._ids[job.spec.digest()] = job.id
        return job
