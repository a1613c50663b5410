"""`worker`: one worker of a Dask cluster, for dashboards that use its scheduler."""

import argparse
import asyncio
import platform
import signal
import sys

from precision.engine import EngineConfig
from precision.engine.config import scheduler_address


def add_options(command: argparse.ArgumentParser) -> None:
    """The options of the command `worker`."""
    command.epilog = (
        "PRECISION_MEMORY_LIMIT, PRECISION_THREADS, PRECISION_DATA and PRECISION_MODEL_ROOTS apply to this worker."
    )
    command.add_argument("scheduler", type=_address, metavar="SCHEDULER", help="its address, such as tcp://box:8786")
    command.add_argument(
        "--name",
        default=platform.node(),
        metavar="NAME",
        help="prefix of its device names; each worker of a scheduler needs its own (default: %(default)s)",
    )


def work(arguments: argparse.Namespace) -> int:
    """Run the worker until it is stopped."""
    from precision.engine.cluster_worker import join

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's way to say Ctrl-C
    asyncio.run(join(arguments.scheduler, arguments.name, config=EngineConfig.from_environment(), joined=_joined))
    return 0


def _joined(name: str, scheduler: str) -> None:
    print(f"Worker {name} has joined {scheduler}. Ctrl-C stops it.", file=sys.stderr, flush=True)


def _address(text: str) -> str:
    try:
        return scheduler_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text[:80]!r}: {error}") from error
