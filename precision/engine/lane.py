"""A lane: one worker and the queue it serves, one job at a time."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from pydantic import ValidationError

from precision.analyses import MODULES, result_type
from precision.engine.announcement import Announcement
from precision.engine.book import JobBook
from precision.engine.cluster import Cluster, WorkerLostError
from precision.engine.config import EngineConfig
from precision.engine.faults import Ending, crash_message, overtime_message
from precision.engine.hosts import Host, NotReadyError
from precision.engine.job import Job
from precision.engine.worker import Outcome, announce, content_now, import_ahead, request_stop, run_job
from precision.errors import JobError

_T = TypeVar("_T")

_log = logging.getLogger("precision.engine")

_IDLE_S = 0.5
"""Without a job for this long, the lane imports ahead."""
_AHEAD = (
    *MODULES[1:],
    "transformers",
    "sympy",
    "torch.fx.experimental.symbolic_shapes",
    "torch.distributed.tensor",
    "torch._dynamo",
    "scipy.optimize",
    "transformers.models.auto",
    "transformers.modeling_utils",
    "transformers.models.bert.modeling_bert",
)
"""What other analyses and Hugging Face models need imported, seconds in all, in steps that no job waits long behind."""
_LIMIT_GRACE_S = 0.5
"""At its time limit a job has this long to stop by itself."""
_ASK_WITHIN_S = 0.5
_ENDING_NOTICED_S = 5.0
_TRIES_AT_FIRST = 3
_TRIES = 8
"""Starts in a row that may end before the worker is ready: few where none ever was, for it may never be."""
_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
"""Before the next of these starts: twice as long each time, up to the longest."""


def _start(coroutine: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    """A task that nobody need wait for: what it raises is looked at here, and not reported as forgotten."""
    task = asyncio.create_task(coroutine)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


@dataclass(eq=False, kw_only=True)
class Lane:
    """Starts its worker, again whenever it ends, and runs the jobs of its queue on it."""

    name: str
    """Of the queue, and of the worker."""
    host: Host
    """Where the worker lives."""
    book: JobBook
    cluster: Cluster
    """By which the worker is reached."""
    config: EngineConfig
    task: str
    """`module:function` that a job runs."""
    topic: str
    """Where workers publish progress."""
    on_ready: Callable[[Announcement], None]
    """Called with what the worker announces, each time it is ready."""

    def __post_init__(self) -> None:
        self._wake = asyncio.Event()
        self._ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._address = ""

    def wake(self) -> None:
        """Look at the queue again; from the event loop's thread."""
        self._wake.set()

    async def content_of(self, model: str) -> str | None:
        """What the files of a checkpoint hold now on this worker's machine."""
        content: str | None = await self.cluster.call(content_now, model, worker=self._address)
        return content

    async def run(self) -> None:
        """Serve until cancelled; a worker that ends is started again, and waiting jobs wait for it.

        Raises:
            JobError: the worker ends before it is ready, too many times in a row, or does not come.
        """
        tries = _TRIES_AT_FIRST
        try:
            while True:
                await self._come_up(tries)
                self.book.set_waiting_for(self.name, "waiting")
                await self._serve()
                self.book.set_waiting_for(self.name, "restarting")
                _log.info("worker %s ended: %s", self.name, await self._ended)
                tries = _TRIES
        finally:
            self._ended.cancel()
            await self.host.close()

    async def _come_up(self, tries: int) -> None:
        for failures in range(1, tries + 1):
            try:
                self._address = await self.host.start()
                self._ended = _start(self.host.ended())
                await self._warm_up()
            except NotReadyError as error:
                _log.info("worker %s, try %d of %d: %s", self.name, failures, tries, error)
                if failures == tries:
                    raise
                await asyncio.sleep(min(_PAUSE_S * 2 ** (failures - 1), _LONGEST_PAUSE_S))
            else:
                return

    async def _warm_up(self) -> None:
        work = _start(self.cluster.submit(announce, self.task, worker=self._address))
        if not (await self._before_end(work) and await self._answered(work)) and self._ended.done():
            raise NotReadyError("The worker process ended while it was warming up; the server's log has the reason.")
        self.on_ready(Announcement.model_validate_json(work.result()))

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        ahead = list(_AHEAD)
        while self.host.alive() and not self._ended.done():
            self._wake.clear()
            stop = asyncio.Event()
            job = self.book.next(self.name, stop=partial(loop.call_soon_threadsafe, stop.set))
            if job is not None:
                await self._run(job, stop)
            elif not ahead:
                await self._before_end(_start(self._wake.wait()))
            elif not await self._before_end(_start(self._wake.wait()), timeout_s=_IDLE_S):
                module = ahead.pop(0)
                await self._before_end(_start(self.cluster.submit(import_ahead, module, worker=self._address)))

    async def _before_end(self, work: asyncio.Task[Any], *, timeout_s: float | None = None) -> bool:
        """Whether `work` was done before the worker ended and the time was up; if not, it is given up."""
        await asyncio.wait({work, self._ended}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            return False
        return True

    async def _answered(self, work: asyncio.Task[Any]) -> bool:
        """Whether `work` has a value; if not, the worker has probably ended, and that is waited for."""
        if work.done() and work.exception() is None:
            return True
        # The scheduler may know before the host.
        await asyncio.wait({self._ended}, timeout=_ENDING_NOTICED_S)
        if not self._ended.done() and isinstance(work.exception(), WorkerLostError):
            await self.host.kill()
            await asyncio.wait({self._ended})
        return False

    async def _run(self, job: Job, stop: asyncio.Event) -> None:
        work = _start(
            self.cluster.submit(
                run_job, self.task, job.spec.model_dump_json(), job.id, self.topic, worker=self._address
            )
        )
        unwanted = _start(stop.wait())
        try:
            limit_s = self.config.time_limit
            await asyncio.wait({work, self._ended, unwanted}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            stage = self.book.job(job.id).stage
            cancelled = unwanted.done()
            overtime = not (cancelled or work.done() or self._ended.done())
            if cancelled or overtime:
                await self._stop(job, work, grace_s=_LIMIT_GRACE_S if overtime else self.config.cancel_grace)
            if cancelled:
                self.book.cancelled(job.id)
            elif overtime:
                self._fail(job, overtime_message(limit_s, stage))
            else:
                await self._conclude(job, work)
        except JobError as error:
            self.book.failed(job.id, f"Interrupted: {error}", kind=JobError.__name__)
            raise
        except asyncio.CancelledError:
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(self.cluster.call(request_stop, job.id, worker=self._address), _ASK_WITHIN_S)
            raise
        finally:
            unwanted.cancel()
            work.cancel()

    async def _stop(self, job: Job, work: asyncio.Task[Outcome], *, grace_s: float) -> None:
        finished: set[asyncio.Future[Any]] = {work, self._ended}
        asking = _start(self.cluster.call(request_stop, job.id, worker=self._address))
        await asyncio.wait(finished, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        asking.cancel()
        if not work.done():
            await self.host.kill()
            await self._ended

    async def _conclude(self, job: Job, work: asyncio.Task[Outcome]) -> None:
        if await self._answered(work):
            self._settle(job, work.result())
        elif self._ended.done():
            ending = self._ended.result()
            if ending.memory_bytes is not None or not self.book.put_back(job.id):
                self._fail(job, crash_message(ending, self.book.job(job.id).stage))
        else:
            self._fail_for_bug(job, str(work.exception()))

    def _settle(self, job: Job, outcome: Outcome) -> None:
        if outcome.status == "done":
            self._keep(job, outcome.text)
        elif outcome.status == "error":
            self.book.failed(job.id, outcome.text, kind=outcome.kind)
        elif outcome.status == "cancelled":
            self.book.cancelled(job.id)
        else:
            self._fail_for_bug(job, outcome.text)

    def _keep(self, job: Job, text: str) -> None:
        try:
            result = result_type(job.spec.analysis).model_validate_json(text)
        except ValidationError as error:
            self._fail_for_bug(job, str(error))
            return
        # On a cluster the worker knows its device by another name.
        device = next((known for known in self.book.devices() or () if known.id == job.spec.device), result.device)
        self.book.done(job.id, result.model_copy(update={"device": device}))

    def _fail(self, job: Job, message: str) -> None:
        _log.warning("job %s (%s): %s", job.id, job.spec.model, message)
        self.book.failed(job.id, message, kind=JobError.__name__)

    def _fail_for_bug(self, job: Job, trace: str) -> None:
        bug_id = secrets.token_hex(4)
        _log.error("job %s failed with internal error %s\n%s\n%s", job.id, bug_id, job.spec, trace)
        self.book.failed(job.id, f"Internal error {bug_id}: the server's log has the details.", kind=None)
