"""The Dask cluster behind the engine: its scheduler and client. All that is untyped of Dask is here and in `worker`."""

import asyncio
import contextlib
import logging
import operator
import pickle
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Self

import dask
from distributed import Client, KilledWorker, Scheduler
from distributed.client import FutureCancelledError
from toolz import pipe

from precision.engine.config import EngineConfig
from precision.errors import JobError

_CONNECT_TIMEOUT_S = 5
_SENDERS_END_S = 0.1
_CLOSE_TIMEOUT_S = 1
_LOST = "The connection to the scheduler is lost. The server keeps trying to reconnect."
_SETTINGS: dict[str, object] = {
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.worker-ttl": None,  # a kernel may hold the interpreter for long; jobs have a limit
    "distributed.scheduler.http.routes": [],
    "distributed.admin.low-level-log-length": 100,  # events are kept, and partial results are events
}


class WorkerLostError(JobError):
    """The scheduler has lost the worker of a task."""


class ClusterWorker(NamedTuple):
    """A worker as its scheduler knows it."""

    address: str
    memory_limit_bytes: int
    """0 for none."""


class Cluster:
    """A connection to a scheduler, embedded here or elsewhere. For one event loop."""

    def __init__(self, client: Client, scheduler: Scheduler | None) -> None:
        self._client: Any = client
        self._scheduler: Any = scheduler

    @classmethod
    async def connect(cls, config: EngineConfig) -> Self:
        """Use the scheduler of `config`, or start one here that only this machine can reach.

        Raises:
            JobError: the scheduler cannot be reached.
        """
        # A worker that is ended is expected here, and said by the engine in its own words.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        if config.scheduler is None:
            dask.config.set({**_SETTINGS, "temporary-directory": str(config.data)})
            scheduler = await Scheduler(
                host="127.0.0.1", port=0, dashboard=False, dashboard_address="127.0.0.1:0", allowed_failures=0
            )
            address = scheduler.address
        else:
            scheduler, address = None, config.scheduler
        client: Any = Client(  # type: ignore[no-untyped-call]
            address, asynchronous=True, set_as_default=False, timeout=_CONNECT_TIMEOUT_S
        )
        cluster = cls(client, scheduler)
        try:
            await client
        except BaseException as error:
            await cluster.close()
            if isinstance(error, OSError):
                raise JobError(f"The scheduler at {address} cannot be reached. Is it running?") from error
            raise
        return cluster

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return str(self._client.scheduler.address)

    def check(self) -> None:
        """Do nothing while the scheduler is there.

        Raises:
            JobError: the scheduler is lost.
        """
        if self._client.status != "running":
            raise JobError(_LOST)

    async def workers(self) -> dict[str, ClusterWorker]:
        """The workers there are, by name.

        Raises:
            JobError: the scheduler is lost.
        """
        try:
            info = await self._client.scheduler.identity(n_workers=-1)
        except OSError as error:
            raise JobError(_LOST) from error
        return {
            str(worker["name"]): ClusterWorker(str(address), int(worker["memory_limit"] or 0))
            for address, worker in info["workers"].items()
        }

    async def submit(self, function: Callable[..., Any], *arguments: object, worker: str) -> Any:
        """Run a function as the worker's next task and return its value; cancelling this gives the task up.

        The scheduler loads every task. It needs no module of ours for this one: bytes that the worker loads and calls.

        Raises:
            WorkerLostError: the worker was lost before there was a value.
        """
        call = pickle.dumps(partial(function, *arguments))
        future = self._client.submit(pipe, call, pickle.loads, operator.call, workers=[worker], pure=False)
        try:
            return await future
        except (KilledWorker, FutureCancelledError) as error:
            raise WorkerLostError(f"The worker at {worker} is lost: {error}") from error
        finally:
            future.release()

    async def call(self, function: Callable[..., Any], *arguments: object, worker: str) -> Any:
        """Run a function in the worker's event loop, beside its task; its value, or None where it raised."""
        answers = await self._client.run(function, *arguments, workers=[worker], on_error="ignore")
        return answers.get(worker)

    async def restart(self, worker: str) -> None:
        """Have the worker's nanny end it and start it again."""
        await self._client.restart_workers([worker], raise_for_error=False)

    def subscribe(self, topic: str, handler: Callable[[Mapping[str, Any]], None]) -> None:
        """Call `handler` with every message published to `topic`."""
        self._client.subscribe_topic(topic, lambda event: handler(event[1]))

    async def close(self) -> None:
        """Leave the scheduler, and end it if it was started here."""
        with contextlib.suppress(TimeoutError, OSError):
            # What the blocking `close` does. The asynchronous one waits for a lost scheduler to come back.
            await asyncio.wait_for(self._client._close(fast=True), _CLOSE_TIMEOUT_S)
        if self._scheduler is not None:
            with contextlib.suppress(TimeoutError, OSError):
                await asyncio.wait_for(self._scheduler.close(), _CLOSE_TIMEOUT_S)
        # Dask's senders wake every few milliseconds. Cut off in a wait that has just timed out, they would complain.
        await asyncio.sleep(_SENDERS_END_S)
