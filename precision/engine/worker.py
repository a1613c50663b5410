"""What runs in a worker process: the worker itself, and the functions the engine sends to it.

Importable without torch: the engine's own process imports it only to name these functions.
"""

import asyncio
import gc
import logging
import multiprocessing
import os
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Connection
from pkgutil import resolve_name
from typing import Any, Literal, NamedTuple

import dask
from distributed import Worker, get_worker

from precision.engine.announcement import Announcement, code_version, versions
from precision.engine.config import EngineConfig
from precision.engine.faults import SMALLER
from precision.engine.processes import first_module
from precision.engine.sandbox import OWN_FOLDERS, confine
from precision.errors import JobCancelledError, JobError, PrecisionError
from precision.models.roots import confined_to
from precision.progress import Progress
from precision.results import AnalysisResult
from precision.spec import RunSpec

Task = Callable[[RunSpec, Progress], AnalysisResult]

_REPORT_EVERY_S = 0.1
_CONFIG = "precision-config"
_STOPPED_JOBS = "precision-stopped-jobs"
_PROTECTIONS = "precision-protections"
"""What the worker's extensions keep here."""


class Outcome(NamedTuple):
    """How a job ended inside its worker. Only strings cross to the engine, no exceptions and no objects."""

    status: Literal["done", "error", "cancelled", "bug"]
    text: str = ""
    """The result as JSON, the message, or the trace of the bug."""
    kind: str = ""
    """Class name of the `PrecisionError`."""


def serve(scheduler: str, config: EngineConfig, started: Connection) -> None:
    """Be one worker until told to stop, or until the process that started it is gone.

    `started` receives the address of the worker once it is connected.
    """
    # Before there is a second thread: what is given up holds for this one and those that it starts.
    protections = confine(config.data, [_port(scheduler)]) if config.sandbox else ()
    _end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    _compute_with(config.threads)
    asyncio.run(_serve(scheduler, config, protections, started))


async def _serve(scheduler: str, config: EngineConfig, protections: tuple[str, ...], started: Connection) -> None:
    # The profiler would interrupt what is being timed; no HTTP routes, since only the engine may ask this worker.
    dask.config.set({"distributed.worker.profile.enabled": False, "distributed.worker.http.routes": []})
    async with Worker(
        scheduler, nthreads=1, memory_limit=0, local_directory=str(config.data), host="127.0.0.1",
        dashboard_address="127.0.0.1:0", dashboard=False,
    ) as worker:  # fmt: skip
        worker.extensions[_CONFIG] = config
        _note(worker, protections)
        started.send_bytes(worker.address.encode())
        started.close()
        await worker.finished()


def dask_setup(worker: Any) -> None:
    """Confine a worker of somebody's cluster; its nanny calls this before the worker joins."""
    config = EngineConfig.from_environment()
    ports = [_port(address) for address in (worker.scheduler.address, worker.nanny)]
    _note(worker, confine(config.data, ports) if config.sandbox else ())


def _note(worker: Any, protections: tuple[str, ...]) -> None:
    worker.extensions[_PROTECTIONS] = protections
    if OWN_FOLDERS in protections:  # it cannot write to the system's folder of temporary files; Dask removes this one
        os.environ["TMPDIR"] = tempfile.tempdir = worker.local_directory


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _compute_with(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)  # the variables alone are cut to the number of cores


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()


def announce(task: str) -> str:
    """Import what the first job needs, and return this worker's `Announcement` as JSON."""
    import_module(first_module(task))
    from precision.measure.machine.devices import list_devices

    if threads := os.environ.get("OMP_NUM_THREADS"):
        _compute_with(int(threads))
    _forget_garbage()
    protections = get_worker().extensions.get(_PROTECTIONS, ())
    return Announcement(
        precision=code_version(), versions=versions(), devices=tuple(list_devices()), protections=protections
    ).model_dump_json()


def import_ahead(module: str) -> None:
    """Import a module that some jobs need, while there is nothing to do; one that cannot be is left to the job."""
    try:
        import_module(module)
        _forget_garbage()
    except Exception:  # noqa: BLE001  # whoever needs it will say why it cannot be imported
        logging.getLogger("precision.engine").info("cannot import %s ahead", module)


def run_job(task: str, spec: str, job_id: str, topic: str) -> Outcome:
    """Run `task`, a `module:function`, on a `RunSpec` as JSON, and publish its progress to `topic` under `job_id`."""
    progress = _Published(job_id, topic)
    try:
        with confined_to(_config(get_worker()).model_roots):
            result = resolve_name(task)(RunSpec.model_validate_json(spec), progress)
        return Outcome("done", result.model_dump_json())
    except JobCancelledError:
        return Outcome("cancelled")
    except PrecisionError as error:
        return Outcome("error", str(error), type(error).__name__)
    except BaseException as error:  # noqa: BLE001  # whatever it is, the engine logs it whole and goes on
        if _out_of_memory(error):
            return Outcome("error", f"Not enough memory: {error}. {SMALLER}", JobError.__name__)
        return Outcome("bug", traceback.format_exc())
    finally:
        progress.close()
        gc.collect()  # models in reference cycles, before the next job needs the memory


def request_stop(job_id: str, dask_worker: Any = None) -> None:
    """Ask a running job to stop at its next step; sent beside the job, to the worker's event loop."""
    _stopped_jobs(dask_worker).add(job_id)


def content_now(model: str, dask_worker: Any = None) -> str | None:
    """What the files of a checkpoint hold now; asked beside the job, in the worker's event loop."""
    from precision.measure.models.content import content_key

    with confined_to(_config(dask_worker).model_roots):
        return content_key(model)


def end_process() -> None:
    """End this worker process at once."""
    os._exit(1)


def _forget_garbage() -> None:
    """Keep what is imported out of later garbage collections, which then take milliseconds."""
    gc.collect()
    gc.freeze()


def _out_of_memory(error: BaseException) -> bool:
    """Whether memory of the machine or of an accelerator was refused; torch has several errors for it."""
    allocator = isinstance(error, RuntimeError) and "allocate memory" in str(error)
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or allocator


def _config(worker: Any) -> EngineConfig:
    """Of the engine that started this worker; a cluster's worker has settings of its own."""
    config: EngineConfig | None = worker.extensions.get(_CONFIG)
    return config or EngineConfig.from_environment()


def _stopped_jobs(worker: Any) -> set[str]:
    stopped: set[str] = worker.extensions.setdefault(_STOPPED_JOBS, set())
    return stopped


class _Published:
    """Progress that is published to a topic, at most every `_REPORT_EVERY_S`, the latest always in the end."""

    def __init__(self, job_id: str, topic: str) -> None:
        self._worker: Any = get_worker()
        self._stopped = _stopped_jobs(self._worker)
        self._job_id = job_id
        self._topic = topic
        self._latest: tuple[str, float, str] | None = None
        self._sent: tuple[str, float, str] | None = None
        self._sent_at = 0.0
        self._flush_due = False
        self._lock = threading.Lock()

    def step(self, stage: str, fraction: float, detail: str = "") -> None:
        """Publish the step, now or with the next ones; raise if the job was asked to stop."""
        if self._job_id in self._stopped:
            raise JobCancelledError("Cancelled.")
        with self._lock:
            self._latest = (stage, fraction, detail)
            wait = self._sent_at + _REPORT_EVERY_S - time.monotonic()
            if wait <= 0:
                self._send()
            elif not self._flush_due:
                self._flush_due = True
                self._worker.loop.add_callback(self._worker.loop.call_later, wait, self._flush)

    def partial(self, result: AnalysisResult) -> None:
        """Publish what is measured so far."""
        self._publish(partial=result.model_dump_json())

    def close(self) -> None:
        """Forget that the job was asked to stop, and publish nothing more."""
        self._stopped.discard(self._job_id)
        with self._lock:
            self._latest = None

    def _flush(self) -> None:
        with self._lock:
            self._flush_due = False
            self._send()

    def _send(self) -> None:
        # What is known already is not said again: a message wakes other threads, and something may be being timed.
        if self._latest is not None and self._latest != self._sent:
            stage, fraction, detail = self._sent = self._latest
            self._sent_at = time.monotonic()
            self._publish(stage=stage, fraction=fraction, detail=detail)

    def _publish(self, **message: str | float) -> None:
        self._worker.log_event(self._topic, {"job": self._job_id, **message})
