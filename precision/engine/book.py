"""The book of all jobs: queues, limits, attachment, results. No processes here."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from precision.engine.job import STARTING, Job, JobStatus, Record
from precision.engine.queues import Queues
from precision.errors import InputError, JobError, PrecisionError
from precision.findings.library_call import library_call
from precision.models.catalogue import HUB_PREFIX
from precision.models.opened import is_elsewhere, request
from precision.results import AnalysisResult, DeviceInfo
from precision.spec import RunSpec

FINISHED_KEPT = 200
"""Finished jobs, with their results of up to a few hundred kB each, that are remembered."""


class JobBook:
    """Every job the engine knows, and the rules for them. Thread-safe; calls nothing while it holds its lock.

    Args:
        queue_limit: jobs that may wait.
        session_limit: unfinished jobs of one session.
        on_queued: called after a job was queued, in the submitter's thread.
        content_of: what the files of the spec's model hold now, asked where it is computed; None if there is no answer.
    """

    def __init__(
        self,
        queue_limit: int,
        session_limit: int,
        *,
        on_queued: Callable[[], object],
        content_of: Callable[[RunSpec], str | None] = lambda _spec: None,
    ) -> None:
        self._queue_limit = queue_limit
        self._session_limit = session_limit
        self._on_queued = on_queued
        self._content_of = content_of
        self._changed = threading.Condition()
        self._unfinished: OrderedDict[str, Record] = OrderedDict()
        self._finished: OrderedDict[str, Record] = OrderedDict()
        self._done_by_digest: dict[str, str] = {}
        self._opened: dict[str, Record] = {}
        self._queues = Queues()

    # --- for pages ----------------------------------------------------------------------------

    def submit(self, spec: RunSpec, session: str, *, fresh: bool = False) -> Job:
        """Queue a run, or join the unfinished job of the same spec, or return its stored result.

        The stored result of a checkpoint that may have changed since is measured again.

        Args:
            spec: what to run.
            session: who asks; a job runs as long as one session wants it.
            fresh: measure again even where the result is stored.

        Raises:
            InputError: no such device.
            JobError: no worker can be started, the queue is full, or this session has too many unfinished jobs.
            InputError: no such device, or the model is somebody's own module, which is not here.
            JobError: the queue is full, or this session has too many unfinished jobs.
        """
        kept = None if fresh else self.stored(spec)
        if kept is not None and kept.opened:
            return kept
        if is_elsewhere(spec.model):
            raise InputError(f"The module is not here to be measured. Where it is: {library_call(spec)}.")
        with self._changed:
            for record in self._unfinished.values():
                if record.spec == spec and not record.stopping:
                    record.sessions.add(session)
                    return self._snapshot(record)
            if kept is not None and kept.id in self._finished:
                self._finished.move_to_end(kept.id)
                return kept
            self._queues.check_open()
            self._queues.check_device(spec.device)
            self._check_limits(session)
            record = Record(id=secrets.token_urlsafe(16), spec=spec, sessions={session})
            self._unfinished[record.id] = record
            job = self._snapshot(record)
        self._on_queued()
        return job

    def open(self, results: Iterable[AnalysisResult]) -> None:
        """Take in results that were measured elsewhere, as finished jobs that are never forgotten."""
        with self._changed:
            for result in results:
                self._opened[request(result.spec)] = Record(
                    id=secrets.token_urlsafe(16), spec=result.spec, sessions=set(), status="done", fraction=1.0,
                    started=0.0, ended=result.elapsed_s, result=result, opened=True,
                )  # fmt: skip

    def stored(self, spec: RunSpec) -> Job | None:
        """The job that has measured this spec already; None without one, or where its model may have changed since."""
        with self._changed:
            if self._opened and (opened := self._opened.get(request(spec))):
                return self._snapshot(opened)
            known = self._done_by_digest.get(spec.digest())
            job = self._snapshot(self._finished[known]) if known else None
        return job if job is not None and self.is_current(job) else None

    def is_current(self, job: Job) -> bool:
        """Whether a job's result is that of what its model's files hold now; False too where that cannot be told."""
        if job.result is None or job.opened or not job.spec.model.startswith(HUB_PREFIX):
            return True
        return job.result.content is not None and job.result.content == self._content_of(job.spec)

    def job(self, job_id: str) -> Job:
        """The job as it is now.

        Raises:
            JobError: no such job.
        """
        with self._changed:
            return self._snapshot(self._record(job_id))

    def cancel(self, job_id: str, session: str) -> Job:
        """Withdraw `session` from this job; without any session, a queued job is dropped and a running one stopped.

        A running job stops at its next step, or is ended with its worker after `EngineConfig.cancel_grace`.

        Raises:
            JobError: no such job.
        """
        with self._changed:
            record = self._record(job_id)
            stop = self._leave(record, session)
            job = self._snapshot(record)
        if stop is not None:
            stop()
        return job

    def sessions(self) -> frozenset[str]:
        """The sessions that want an unfinished job."""
        with self._changed:
            return frozenset(session for record in self._unfinished.values() for session in record.sessions)

    def release(self, session: str) -> None:
        """Withdraw a session that is gone from all its jobs."""
        with self._changed:
            stops = [self._leave(record, session) for record in list(self._unfinished.values())]
        for stop in stops:
            if stop is not None:
                stop()

    def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """The job once it is finished, or as it is after `timeout_s`.

        Raises:
            JobError: no such job.
        """
        with self._changed:
            record = self._record(job_id)
            self._changed.wait_for(lambda: record.finished, timeout_s)
            return self._snapshot(record)

    # --- for lanes ----------------------------------------------------------------------------

    def devices(self) -> tuple[DeviceInfo, ...] | None:
        """The devices jobs may name; None while unknown."""
        with self._changed:
            return None if self._queues.devices is None else tuple(self._queues.devices.values())

    def set_devices(self, devices: tuple[DeviceInfo, ...], *, queue_of: Mapping[str, str]) -> None:
        """Replace the devices; waiting jobs for others fail, and jobs are taken again after `suspend`.

        Args:
            devices: all there are.
            queue_of: device id → name of the queue that serves it.
        """
        with self._changed:
            self._queues.set_devices(devices, queue_of)
            for record in list(self._unfinished.values()):
                if record.status == "queued":
                    try:
                        self._queues.check_device(record.spec.device)
                    except InputError as error:
                        self._end(record, "failed", error=error)
        self._on_queued()

    def set_waiting_for(self, queue: str, stage: str) -> None:
        """What the waiting jobs of a queue wait for, as their stage: `restarting` of its worker, or plain `waiting`."""
        with self._changed:
            self._queues.set_stage(queue, stage)

    def next(self, queue: str, *, stop: Callable[[], object]) -> Job | None:
        """Start the longest-waiting job of `queue`, or None; `stop` is called when nobody wants it any more."""
        with self._changed:
            for record in self._unfinished.values():
                if record.status == "queued" and self._queues.of(record.spec.device) == queue:
                    record.status, record.stage, record.started = "running", STARTING, time.monotonic()
                    record.stop = stop
                    self._changed.notify_all()
                    return self._snapshot(record)
        return None

    def put_back(self, job_id: str) -> bool:
        """Have a job wait again, at its old place, whose worker was gone before the job did its first step.

        Only once: it may be the job that ends its worker. Returns whether it waits.
        """
        with self._changed:
            record = self._unfinished.get(job_id)
            if record is None or record.status != "running" or record.stage != STARTING or record.was_put_back:
                return False
            record.status, record.stage, record.started, record.stop = "queued", "waiting", None, None
            record.was_put_back = True
            self._changed.notify_all()
            return True

    def progress(self, job_id: str, stage: str, *, fraction: float, detail: str) -> None:
        """Note where a running job is; ignored for any other."""
        with self._changed:
            record = self._unfinished.get(job_id)
            if record is not None and record.status == "running" and not record.stopping:
                record.stage, record.detail = stage, detail
                if fraction > record.fraction:
                    record.fraction, record.fraction_at = min(1.0, fraction), time.monotonic()

    def partial(self, job_id: str, result: AnalysisResult) -> None:
        """Keep what a running job has measured so far; ignored for any other."""
        with self._changed:
            record = self._unfinished.get(job_id)
            if record is not None and record.status == "running":
                record.partial = result

    def done(self, job_id: str, result: AnalysisResult) -> None:
        """End a running job with its result."""
        with self._changed:
            if record := self._unfinished.get(job_id):
                record.result, record.partial, record.fraction = result, None, 1.0
                self._end(record, "done")

    def failed(self, job_id: str, message: str, *, kind: str | None) -> None:
        """End a job with the reason; what it had measured stays."""
        with self._changed:
            if record := self._unfinished.get(job_id):
                record.error_kind = kind
                self._end(record, "failed", error=message)

    def cancelled(self, job_id: str) -> None:
        """End a job that nobody wants any more."""
        with self._changed:
            if record := self._unfinished.get(job_id):
                self._end(record, "cancelled")

    def refuse(self, message: str) -> None:
        """End every unfinished job with one reason, and take no more."""
        with self._changed:
            self._queues.closed = self._queues.closed or message
        self._end_all(message)

    def suspend(self, reason: str) -> None:
        """End every unfinished job with the reason, and take no more until there are devices again."""
        with self._changed:
            self._queues.suspended = reason
        self._end_all(f"Interrupted: {reason}")

    def abandon(self, queue: str, reason: str) -> None:
        """End the jobs that wait for a queue whose worker will not come."""
        with self._changed:
            for record in list(self._unfinished.values()):
                if record.status == "queued" and self._queues.of(record.spec.device) == queue:
                    self._end(record, "failed", error=JobError(f"Interrupted: {reason}"))

    def _end_all(self, message: str) -> None:
        with self._changed:
            for record in list(self._unfinished.values()):
                self._end(record, "failed", error=JobError(message))

    # --- rules, called with the lock held -------------------------------------------------------

    def _record(self, job_id: str) -> Record:
        opened = next((record for record in self._opened.values() if record.id == job_id), None)
        record = self._unfinished.get(job_id) or self._finished.get(job_id) or opened
        if record is None:
            raise JobError(
                f"No job {job_id[:40]!r} here: its link is mistyped, the server was restarted since, "
                f"or it is older than the last {FINISHED_KEPT} jobs. Run it again."
            )
        return record

    def _check_limits(self, session: str) -> None:
        own = sum(session in record.sessions for record in self._unfinished.values())
        if own >= self._session_limit:
            raise JobError(
                f"You have {own} unfinished jobs, and the limit is {self._session_limit} at a time. "
                f"Wait for one or cancel one, then try again."
            )
        waiting = sum(record.status == "queued" for record in self._unfinished.values())
        if waiting >= self._queue_limit:
            raise JobError(f"{waiting} jobs are waiting, and the limit is {self._queue_limit}. Try again later.")

    def _leave(self, record: Record, session: str) -> Callable[[], object] | None:
        if record.finished or record.stopping or session not in record.sessions:
            return None
        record.sessions.discard(session)
        if record.sessions:
            return None
        if record.status == "queued":
            self._end(record, "cancelled")
            return None
        record.stopping, record.stage, record.detail = True, "stopping", ""
        return record.stop

    def _end(self, record: Record, status: JobStatus, *, error: PrecisionError | str | None = None) -> None:
        record.status, record.stopping = status, False
        record.ended = time.monotonic()
        if error is not None:
            record.error = str(error)
        if isinstance(error, PrecisionError):
            record.error_kind = type(error).__name__
        del self._unfinished[record.id]
        self._finished[record.id] = record
        if status == "done":
            self._done_by_digest[record.spec.digest()] = record.id
        while len(self._finished) > FINISHED_KEPT:
            oldest, forgotten = self._finished.popitem(last=False)
            if self._done_by_digest.get(digest := forgotten.spec.digest()) == oldest:
                del self._done_by_digest[digest]
        self._changed.notify_all()

    def _snapshot(self, record: Record) -> Job:
        if record.status != "queued":
            return record.snapshot(None)
        return replace(record.snapshot(self._position(record)), stage=self._queues.stage(record.spec.device))

    def _position(self, record: Record) -> int:
        queue = self._queues.of(record.spec.device)
        ahead = 0
        for other in self._unfinished.values():
            if other is record:
                break
            ahead += other.status == "queued" and self._queues.of(other.spec.device) == queue
        return ahead + 1
