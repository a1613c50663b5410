"""Settings of the job engine, read from environment variables."""

import contextlib
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

from precision.errors import InputError
from precision.models import opened
from precision.models.data_folder import absolute, default_folder
from precision.models.python_models import functions_in
from precision.text.units import parse_bytes

_MEMORY_SHARE = 0.75
"""Of the machine's or the container's memory: the rest is for the web process and the system."""
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")

_CGROUP_CORES = Path("/sys/fs/cgroup/cpu.max")


def _default_memory_limit() -> int:
    memory = psutil.virtual_memory().total
    for file in map(Path, _CGROUP_LIMITS):
        if file.is_file() and (limit := file.read_text().strip()).isdigit():
            memory = min(memory, int(limit))
    return int(memory * _MEMORY_SHARE)


def _default_threads() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if _CGROUP_CORES.is_file():
        quota, period = _CGROUP_CORES.read_text().split()
        if quota.isdigit():
            cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def _default_roots() -> tuple[Path, ...]:
    """Where whoever runs the server has files of their own."""
    own: tuple[Path, ...] = ()
    with contextlib.suppress(RuntimeError, OSError):  # a user without a home, or a working folder that is gone
        own = (Path.home(), Path.cwd())
    return tuple(dict.fromkeys(folder for folder in own if folder != Path(folder.anchor)))


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """Limits of the job engine and where it runs; each field has an environment variable of its name."""

    memory_limit: int = field(default_factory=_default_memory_limit)
    """Bytes of resident memory that one worker process may use. `PRECISION_MEMORY_LIMIT`, such as `8GiB`."""
    time_limit: float = 900.0
    """Seconds that one job may run. `PRECISION_TIME_LIMIT`."""
    threads: int = field(default_factory=_default_threads)
    """Threads that compute within one worker. `PRECISION_THREADS`; by default the cores this process may use."""
    queue_limit: int = 20
    """Jobs that may wait. `PRECISION_QUEUE_LIMIT`."""
    session_limit: int = 2
    """Unfinished jobs of one session. `PRECISION_SESSION_LIMIT`."""
    cancel_grace: float = 2.0
    """Seconds that a job has to stop by itself before its worker is ended. `PRECISION_CANCEL_GRACE`."""
    scheduler: str | None = None
    """Address (`tcp://host:port`) of an existing Dask scheduler to use. `PRECISION_SCHEDULER`."""
    sandbox: bool = True
    """Whether a worker gives up the rights that computing does not need, where the system can. `PRECISION_SANDBOX`."""
    data: Path = field(default_factory=default_folder)
    """Folder for temporary files, measured speeds of devices and pasted code. `PRECISION_DATA`."""
    models: tuple[str, ...] = ()
    """Functions that give models, as `package.module:function`. `PRECISION_MODELS`; workers read it themselves."""
    open: Path | None = None
    """File of results that are there from the start. `PRECISION_OPEN`."""
    allow_code: bool = False
    """Whether people may paste code of models. `PRECISION_ALLOW_CODE`, 1 or 0; workers read it themselves."""
    model_roots: tuple[Path, ...] = field(default_factory=_default_roots)
    """Folders in which jobs may load local checkpoints. `PRECISION_MODEL_ROOTS`, separated as in `PATH`."""
    upload_limit: int = 4 * 2**30
    """Bytes that one session may have uploaded at a time. `PRECISION_UPLOAD_LIMIT`, such as `4GiB`."""
    uploads_limit: int = 16 * 2**30
    """Bytes that all sessions may have uploaded at a time. `PRECISION_UPLOADS_LIMIT`."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The configuration that the `PRECISION_*` variables ask for; unset and empty ones mean the default.

        Raises:
            InputError: a value is malformed or out of range; the message names the variable.
        """
        parsers = {
            "memory_limit": parse_bytes,
            "time_limit": _seconds,
            "threads": _count,
            "queue_limit": _count,
            "session_limit": _count,
            "cancel_grace": _seconds,
            "scheduler": scheduler_address,
            "data": absolute,
            "models": lambda text: tuple(entry.value for entry in functions_in(text)),
            "open": _results,
            "allow_code": _switch,
            "model_roots": _folders,
            "upload_limit": parse_bytes,
            "uploads_limit": parse_bytes,
            "sandbox": _on_or_off,
        }
        given = {}
        for name, parse in parsers.items():
            variable = f"PRECISION_{name.upper()}"
            if text := environment.get(variable, "").strip():
                try:
                    given[name] = parse(text)
                except ValueError as error:
                    raise InputError(f"{variable} = {text[:80]!r}: {error}.") from error
        return cls(**given)  # type: ignore[arg-type]  # each parser gives its own field's type


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError("expected a number of seconds, more than zero")
    return seconds


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError("expected a whole number, at least 1")
    return int(text)


def _on_or_off(text: str) -> bool:
    if text.lower() not in ("on", "off"):
        raise ValueError("expected on or off")
    return text.lower() == "on"


def scheduler_address(text: str) -> str:
    """The address of a Dask scheduler, as it is.

    Raises:
        ValueError: it is not one.
    """
    if not re.fullmatch(r"(tcp|tls|ucx|ws|wss)://[^\s/]+:\d+", text):
        raise ValueError("expected an address such as tcp://scheduler:8786")
    return text


def _results(text: str) -> Path:
    """A file of results; one that holds none is refused."""
    file = absolute(text)
    opened.read(file)
    return file


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("expected 1 or 0")
    return text == "1"


def _folders(text: str) -> tuple[Path, ...]:
    try:
        return tuple(absolute(part) for part in text.split(os.pathsep))
    except ValueError:
        raise ValueError(f"expected absolute paths with {os.pathsep!r} between them") from None
