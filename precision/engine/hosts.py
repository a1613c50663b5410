"""The two places a worker lives: a process started here, or a worker of somebody's cluster."""

import asyncio
import contextlib
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Protocol

import psutil

from precision.engine.cluster import Cluster, ClusterWorker
from precision.engine.config import EngineConfig
from precision.engine.faults import Ending
from precision.engine.processes import ProcessContext
from precision.engine.worker import end_process, serve
from precision.errors import JobError

_LOOK_EVERY_S = 0.05
_LOOK_AFTER_START_EVERY_S = 0.01
_LOOK_AT_CLUSTER_EVERY_S = 0.5
_UNKNOWN_EXIT_CODE = 255
"""What a process object says once the server of forks is gone, even of a process that lives."""
_OBEYED_WITHIN_S = 2.0
"""A worker whose interpreter is held by a kernel cannot end itself; its nanny is asked then."""
_RETURN_WITHIN_S = 30.0
"""A cluster's worker that was ended has this long to be back under its name."""


class NotReadyError(JobError):
    """A worker that ended before it was ready; another may come up."""


class Host(Protocol):
    """One worker, which may end and be started again."""

    async def start(self) -> str:
        """Start the worker; return its address.

        Raises:
            NotReadyError: it ended while it was starting.
            JobError: it does not come.
        """

    def alive(self) -> bool:
        """Whether the started worker is there, as far as is known at once."""

    async def ended(self) -> Ending:
        """Wait until the started worker is gone; ends it where it uses too much memory."""

    async def kill(self) -> None:
        """End the worker at once."""

    async def close(self) -> None:
        """Give the worker up."""


class LocalHost:
    """A worker process of this machine, watched for its memory."""

    def __init__(self, name: str, scheduler: str, *, processes: ProcessContext, config: EngineConfig) -> None:
        self._name = name
        self._scheduler = scheduler
        self._processes = processes
        self._config = config
        self._process: BaseProcess | None = None
        self._worker: psutil.Process | None = None

    async def start(self) -> str:
        """See `Host.start`."""
        receiver, sender = self._processes.Pipe(duplex=False)
        with receiver:
            with sender:
                await self._fork(sender)
            while not receiver.poll():
                await asyncio.sleep(_LOOK_AFTER_START_EVERY_S)
            return _address(receiver)

    async def _fork(self, sender: Connection) -> None:
        config = self._config
        arguments = (self._scheduler, str(config.data), config.threads, config.sandbox, sender)
        self._process = self._processes.Process(target=serve, args=arguments, name=self._name, daemon=True)
        # Starting waits for the server of forks, which imports torch: not in the event loop.
        starting = asyncio.create_task(asyncio.to_thread(self._process.start))
        try:
            await asyncio.shield(starting)
        except (OSError, EOFError) as error:
            raise NotReadyError(f"The server of worker processes ended while it started one: {error!r}.") from error
        finally:
            await asyncio.wait({starting})  # given up or not, what is started must be known
            self._worker = _known(self._process.pid)

    def alive(self) -> bool:
        """See `Host.alive`."""
        if self._process is None or self._process.pid is None:
            return False
        return self._process.is_alive() or _runs(self._worker)

    async def ended(self) -> Ending:
        """See `Host.ended`."""
        exceeded = None
        while self.alive():
            resident = _resident_bytes(self._worker)
            if exceeded is None and resident > self._config.memory_limit:
                exceeded = resident
                await self.kill()
            await asyncio.sleep(_LOOK_EVERY_S)
        code = None if self._process is None else self._process.exitcode
        return Ending(
            exit_code=None if code == _UNKNOWN_EXIT_CODE else code,
            memory_bytes=exceeded,
            memory_limit_bytes=self._config.memory_limit,
        )

    async def kill(self) -> None:
        """See `Host.kill`."""
        if self._worker is not None:
            with contextlib.suppress(psutil.Error):
                self._worker.kill()

    async def close(self) -> None:
        """End the worker: it is nobody else's."""
        await self.kill()


class ClusterHost:
    """A worker of an existing cluster, known by its name; whoever runs it starts it again."""

    def __init__(self, name: str, cluster: Cluster, *, return_within_s: float = _RETURN_WITHIN_S) -> None:
        self._name = name
        self._return_within_s = return_within_s
        self._cluster = cluster
        self._worker: ClusterWorker | None = None
        self._exceeded: int | None = None

    def exceeded_memory(self, address: str, resident_bytes: int) -> None:
        """The cluster reports that it ends the worker at `address` for its memory."""
        if self._worker is not None and self._worker.address == address:
            self._exceeded = resident_bytes

    async def start(self) -> str:
        """See `Host.start`."""
        last, self._exceeded = self._worker, None
        deadline = asyncio.get_running_loop().time() + self._return_within_s
        while asyncio.get_running_loop().time() < deadline:
            worker = (await self._cluster.workers()).get(self._name)
            if worker is not None and (last is None or worker.address != last.address):
                self._worker = worker
                return worker.address
            await asyncio.sleep(_LOOK_AT_CLUSTER_EVERY_S)
        raise JobError(f"The worker {self._name!r} has left the cluster.")

    def alive(self) -> bool:
        """See `Host.alive`."""
        return self._worker is not None

    async def ended(self) -> Ending:
        """See `Host.ended`."""
        worker = self._worker
        if worker is None:
            return Ending()
        while worker.address in {known.address for known in (await self._cluster.workers()).values()}:
            await asyncio.sleep(_LOOK_AT_CLUSTER_EVERY_S)
        return Ending(memory_bytes=self._exceeded, memory_limit_bytes=worker.memory_limit_bytes)

    async def kill(self) -> None:
        """See `Host.kill`."""
        if self._worker is None:
            return
        try:
            await asyncio.wait_for(self._cluster.call(end_process, worker=self._worker.address), _OBEYED_WITHIN_S)
        except TimeoutError:
            await self._cluster.restart(self._worker.address)

    async def close(self) -> None:
        """Leave the worker to whoever runs it."""


def _address(started: Connection) -> str:
    try:
        return started.recv_bytes().decode()
    except (EOFError, OSError):
        raise NotReadyError(
            "The worker process ended while it was starting; the server's log has the reason."
        ) from None


def _known(pid: int | None) -> psutil.Process | None:
    try:
        return None if pid is None else psutil.Process(pid)
    except psutil.Error:
        return None


def _runs(worker: psutil.Process | None) -> bool:
    try:
        return worker is not None and worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _resident_bytes(worker: psutil.Process | None) -> int:
    try:
        return 0 if worker is None else int(worker.memory_info().rss)
    except psutil.Error:
        return 0
