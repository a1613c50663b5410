"""How worker processes are started: quickly, with torch already there."""

import multiprocessing
import os
import sys
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path

from precision import analyses
from precision.engine.sandbox import set_caches

_TRIM_BYTES = "65536"
"""What a job freed goes back to the system, so that it does not count against the next job's memory limit."""
ProcessContext = ForkServerContext | SpawnContext


def set_environment(threads: int, data: Path) -> None:
    """Have the processes that this one starts compute with so many threads, and keep in `data` what they compile.

    Numeric libraries read it once, when they are loaded; this process computes nothing, so it does no harm here.
    """
    os.environ.update({f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "MKL", "OPENBLAS")})
    os.environ["MALLOC_TRIM_THRESHOLD_"] = _TRIM_BYTES
    set_caches(data)


def worker_processes(threads: int, task: str, data: Path) -> ProcessContext:
    """The context to start worker processes with; begins at once what they need first.

    On Linux workers are forked from a small server that has imported torch already, so that after one was ended
    the next is there at once; elsewhere each starts from nothing.

    Numeric libraries compute with `threads` and keep in `data` what they compile; `task` is the `module:function` that
    the workers will run.
    """
    set_environment(threads, data)
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "precision.engine.worker", first_module(task)])
    forkserver.ensure_running()
    return context


def first_module(task: str) -> str:
    """What a worker imports before it says that it is ready; of the task of all analyses, the module of the first."""
    module = task.partition(":")[0]
    return analyses.MODULES[0] if module == analyses.__name__ else module
