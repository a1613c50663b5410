"""The engine: jobs from any thread, run in worker processes."""

import asyncio
import atexit
import contextlib
import logging
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from precision.engine.book import JobBook
from precision.engine.config import EngineConfig
from precision.engine.job import EngineState
from precision.engine.processes import worker_processes
from precision.errors import JobError
from precision.models.opened import read
from precision.spec import RunSpec

if TYPE_CHECKING:
    from precision.engine.service import Service

_TASK = "precision.analyses:run"
_CLOSE_WITHIN_S = 3.0
_ANSWERED_WITHIN_S = 2.0
"""A worker whose interpreter is held by a kernel for longer gives no answer."""

_log = logging.getLogger("precision.engine")


class Engine(JobBook):
    """Runs analyses in worker processes, one at a time per device; every method may be called from any thread.

    Nothing here imports torch. A job that crashes, or needs too much memory or time, takes only its worker.

    `task` is a `module:function` that takes a `RunSpec` and a `Progress` and returns that analysis' `AnalysisResult`.
    """

    def __init__(self, config: EngineConfig | None = None, *, task: str = _TASK) -> None:
        self._config = config or EngineConfig()
        self._task = task
        super().__init__(
            self._config.queue_limit, self._config.session_limit, on_queued=self._wake, content_of=self._ask_content
        )
        if self._config.open is not None:
            self.open(read(self._config.open))
        self._thread = threading.Thread(target=self._run, name="precision engine", daemon=True)
        self._lock = threading.Lock()
        self._state: tuple[EngineState, str | None] = ("starting", None)
        self._started = False
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serving: asyncio.Task[None] | None = None
        self._service: Service | None = None

    @property
    def state(self) -> EngineState:
        """`starting` until the first devices are known; `failed` (see `reason`) while they are lost."""
        return self._state[0]

    @property
    def reason(self) -> str | None:
        """Why the state is `failed`; otherwise None."""
        return self._state[1]

    @property
    def protections(self) -> Mapping[str, tuple[str, ...]]:
        """What each worker has given up, by its name, of `sandbox.PROTECTIONS`; empty until one is ready."""
        return {} if self._service is None else dict(self._service.protections)

    def start(self) -> None:
        """Bring the workers up in the background; returns at once, and does nothing the second time.

        Jobs may be submitted before.
        """
        with self._lock:
            first, self._started = not (self._started or self._closing), True
        if first:
            self._thread.start()
            atexit.register(self.close)

    def close(self) -> None:
        """End every worker; unfinished jobs are interrupted. Does nothing the second time."""
        with self._lock:
            first, self._closing = not self._closing, True
            loop, serving = self._loop, self._serving
        if not first:
            return
        atexit.unregister(self.close)
        if loop is not None and serving is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(serving.cancel)
            self._thread.join(_CLOSE_WITHIN_S)
        self.refuse("Interrupted: the server is shutting down.")
        self._set_state("closed", None)

    def _wake(self) -> None:
        service, loop = self._service, self._loop
        if service is not None and loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(service.wake)

    def _ask_content(self, spec: RunSpec) -> str | None:
        service, loop = self._service, self._loop
        if service is None or loop is None or not loop.is_running():
            return None
        asked = asyncio.run_coroutine_threadsafe(service.content_of(spec), loop)
        try:
            return asked.result(_ANSWERED_WITHIN_S)
        except Exception as error:  # noqa: BLE001  # without an answer it is measured again
            asked.cancel()
            _log.info("what %s holds is not known: %r", spec.model, error)
            return None

    def _set_state(self, state: EngineState, reason: str | None) -> None:
        with self._lock:
            self._state = (state, reason)

    def _run(self) -> None:
        try:
            with contextlib.suppress(asyncio.CancelledError):
                asyncio.run(self._serve())
        except JobError as error:
            self._stop_for(str(error))
        except Exception:  # noqa: BLE001  # whatever it is, pages must learn of it
            _log.exception("the engine has stopped")
            self._stop_for("The job engine has stopped; the server's log has the details.")

    def _stop_for(self, reason: str) -> None:
        self._set_state("failed", reason)
        self.refuse(reason)

    async def _serve(self) -> None:
        processes = None
        if self._config.scheduler is None:
            _make(self._config.data)
            processes = worker_processes(self._config.threads, self._task, self._config.data)
        # Imported here: it takes most of a second, in which a page can be shown already.
        from precision.engine.service import Service

        service = Service(config=self._config, task=self._task, book=self, processes=processes, report=self._set_state)
        with self._lock:
            if self._closing:
                return
            self._loop, self._serving = asyncio.get_running_loop(), asyncio.current_task()
            self._service = service
        await service.run()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise JobError(f"The folder {folder} cannot be written ({error.strerror}). Set PRECISION_DATA.") from error
