"""The runs of a sweep: each is a job, one at a time on each device, followed until all have ended."""

from typing import NamedTuple

from pages.ui import state
from pages.ui.job import engine
from pages.ui.side_jobs import SideJobs
from precision.engine import Job
from precision.errors import InputError, PrecisionError
from precision.findings.sweep import SweepPlan, failed_row, sweep_row
from precision.results import CompareResult, MemoryResult, SweepRow
from precision.spec import Analysis, RunSpec

RUNS = SideJobs("sweep")
_MEMORY = SideJobs("memory", "count")
_WAIT_S = 0.4
"""A run that ends within this time is followed by the next one at once."""


class SweepState(NamedTuple):
    """How far a sweep has come."""

    rows: tuple[SweepRow, ...]
    """Of runs that have ended, in the plan's order."""
    running: tuple[Job, ...]
    """Submitted and not ended."""
    asked: int
    """Runs of the plan that were asked for: for errors, and for times."""
    left: int
    """Of these, those that have not ended."""
    held_up: str
    """Why the next run cannot begin yet; empty if it can."""

    @property
    def ended(self) -> bool:
        """Whether all runs that were asked for have ended."""
        return not self.left

    @property
    def untimed(self) -> int:
        """Runs whose errors are measured and whose times are not."""
        return sum(row.reason is None and row.time_s is None for row in self.rows)


def advance(plan: SweepPlan, *, wait: bool = False) -> SweepState:
    """Submit those of the runs asked for that can start now, and return the progress of all.

    Errors of all formats come first, then times. What is known from another page is not run again. Runs that are no
    longer asked for are cancelled. A job that was ended by another session starts again. With `wait`, a running job
    gets a moment to end, so that the next one can follow.
    """
    wanted = _wanted(plan)
    _cancel_all_but(wanted)
    held_up = _submit(wanted)
    running = _unfinished(wanted)
    if wait and running:
        engine().wait(running[0].id, timeout_s=_WAIT_S)
        held_up = _submit(wanted)
        running = _unfinished(wanted)
    rows = tuple(row for spec in plan.specs if (row := _row(spec)) is not None)
    left = sum(not _has_ended(spec) for spec in wanted.values())
    return SweepState(rows=rows, running=running, asked=len(wanted), left=left, held_up=held_up)


def start(plan: SweepPlan, *, times: bool = False) -> None:
    """Ask for the errors of every run of the plan, or for their times too; those that failed start again."""
    state.sweep_cancelled().clear()
    state.swept().clear()
    state.swept().update(spec.digest() for spec in plan.specs)
    state.swept_times().clear()
    if times:
        state.swept_times().update(spec.digest() for spec in plan.specs)
    for spec in plan.specs:
        for run in (spec, spec.errors_alone):
            job = RUNS.job(run)
            if job is not None and job.status in ("failed", "cancelled"):
                RUNS.forget(run)


def cancel() -> None:
    """Stop asking for runs; what has been measured stays."""
    state.sweep_cancelled().update(state.swept())
    state.swept().clear()
    state.swept_times().clear()
    _cancel_all_but({})


def was_cancelled(plan: SweepPlan) -> bool:
    """Whether runs of the plan were asked for until somebody pressed Cancel."""
    return any(spec.digest() in state.sweep_cancelled() for spec in plan.specs)


def memory_of(spec: RunSpec) -> MemoryResult | str | None:
    """The bytes of the spec's model in every format; why there are none; or None while they are counted."""
    asked = spec.model_copy(update={"analysis": Analysis.MEMORY}).measured
    try:
        job = _MEMORY.job(asked) or _MEMORY.start(asked)
    except PrecisionError as error:
        return str(error)
    if not job.finished:
        job = engine().wait(job.id, timeout_s=_WAIT_S)
    if isinstance(job.result, MemoryResult):
        return job.result
    return _MEMORY.failure(job).message if job.finished else None


def _wanted(plan: SweepPlan) -> dict[str, RunSpec]:
    """The runs asked for, in the order in which they run, by digest."""
    asked = [spec for spec in plan.specs if spec.digest() in state.swept()]
    timed = {spec.digest() for spec in asked if _is_timed(spec)}
    errors = [spec.errors_alone for spec in asked if spec.digest() not in timed]
    times = [spec for spec in asked if spec.digest() in timed | state.swept_times()]
    return {run.digest(): run for run in (*errors, *times)}


def _is_timed(spec: RunSpec) -> bool:
    """Whether the whole comparison is known, by this page or by another; it is followed then."""
    if (job := RUNS.job(spec)) is not None and job.result is not None:
        return True
    return engine().stored(spec) is not None and RUNS.start(spec).finished


def _has_ended(spec: RunSpec) -> bool:
    job = RUNS.job(spec)
    return job is not None and job.finished and job.status != "cancelled"


def _submit(wanted: dict[str, RunSpec]) -> str:
    """Submit the next run of every device that has none; returns why one could not be."""
    busy = {job.spec.device for job in _unfinished(wanted)}
    for digest, spec in wanted.items():
        job = RUNS.job(spec)
        if spec.device in busy or (job is not None and job.status != "cancelled"):
            continue
        try:
            started = RUNS.start(spec)
        except InputError:
            state.swept().discard(digest)  # its device is gone: the plan says so
            state.swept_times().discard(digest)
        except PrecisionError as error:
            return str(error)
        else:
            if not started.finished:
                busy.add(spec.device)
    return ""


def _unfinished(wanted: dict[str, RunSpec]) -> tuple[Job, ...]:
    return tuple(job for spec in wanted.values() if (job := RUNS.job(spec)) is not None and not job.finished)


def _cancel_all_but(wanted: dict[str, RunSpec]) -> None:
    for job in RUNS:
        if job.spec.digest() not in wanted:
            RUNS.cancel(job.spec)


def _row(spec: RunSpec) -> SweepRow | None:
    """Of the whole comparison; while it is not known, of its errors alone."""
    run = next((each for each in (spec, spec.errors_alone) if _has_ended(each)), None)
    job = RUNS.job(run) if run else None
    if job is None:
        return None
    reason = None if isinstance(job.result, CompareResult) else RUNS.failure(job).message
    found = job.result or job.partial
    if not isinstance(found, CompareResult):
        return failed_row(spec, reason or "")
    return sweep_row(found.model_copy(update={"spec": spec}), reason=reason)
