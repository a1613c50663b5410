"""A worker of somebody's cluster, as the engine expects them there: what `precision-explorer worker` runs."""

import logging
import os
from collections.abc import Callable
from typing import Any

import dask
from distributed import Nanny

from precision.engine.config import EngineConfig
from precision.engine.processes import set_environment
from precision.errors import JobError

_SETTINGS: dict[str, object] = {
    "distributed.worker.profile.enabled": False,  # it would interrupt what is being timed
    "distributed.worker.http.routes": [],
    # A job has its memory limit and no other: nothing is paused or written to disk before.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 1.0,
}


async def join(scheduler: str, name: str, *, config: EngineConfig, joined: Callable[[str, str], None]) -> None:
    """Be a worker of `scheduler` until it is gone.

    The worker is a process of its own, watched by a nanny here, which starts it again whenever it ends.

    `joined` is called with name and scheduler once the worker is known there.

    Raises:
        JobError: it cannot join, or the scheduler is gone.
    """
    set_environment(config.threads, config.data)
    dask.config.set(_SETTINGS)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is said in our own words
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "critical")  # in the worker's process too
    nanny: Any = Nanny(
        scheduler, name=name, nthreads=1, memory_limit=config.memory_limit, local_directory=str(config.data),
        dashboard_address="127.0.0.1:0", dashboard=False, preload=["precision.engine.worker"],
    )  # fmt: skip
    try:
        await nanny
    except (OSError, RuntimeError) as error:
        raise JobError(_why(error, scheduler, name=name)) from error
    joined(name, scheduler)
    try:
        await nanny.finished()
    finally:
        await nanny.close()
    raise JobError(f"The scheduler at {scheduler} is gone, so this worker stops.")


def _why(error: BaseException, scheduler: str, *, name: str) -> str:
    unreached = isinstance(error, OSError)
    while error.__cause__ is not None:
        error = error.__cause__
        unreached |= isinstance(error, OSError)
    if "name taken" in str(error):
        return f"The scheduler at {scheduler} already has a worker {name!r}. Choose another --name."
    if unreached:
        return f"The scheduler at {scheduler} cannot be reached. Is it running?"
    return f"The worker cannot join the scheduler at {scheduler}: {error}"
