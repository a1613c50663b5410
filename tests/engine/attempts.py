"""What a hostile file might have a worker do."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from precision.engine import seccomp

DONE = "done"


def attempt(what: str) -> str:
    """`done`, what was asked for, or the name of the error; `what` is one of the names below, and its argument."""
    name, _, argument = what.partition(" ")
    try:
        return _ATTEMPTS[name](argument) or DONE
    except OSError as error:
        return type(error).__name__


def _program(_argument: str) -> None:
    subprocess.run(["/usr/bin/env", "true"], check=True)


def _create(folder: str) -> None:
    (Path(folder) / "new").touch()


def _overwrite(file: str) -> None:
    Path(file).write_text("trespassed")


def _truncate(file: str) -> None:
    os.truncate(file, 0)


def _delete(file: str) -> None:
    Path(file).unlink()


def _rename(file: str) -> None:
    Path(file).rename(Path(file).with_name("renamed"))


def _read(file: str) -> str:
    return Path(file).read_text()


def _connect(port: str) -> None:
    socket.create_connection(("127.0.0.1", int(port)), timeout=60).close()


def _open_socket(family: str) -> None:
    socket.socket(getattr(socket, family), socket.SOCK_DGRAM).close()


def _signal(pid: str) -> None:
    os.kill(int(pid), signal.SIGTERM)


def _calls(_argument: str) -> str:
    """Which of the calls that seccomp should refuse the kernel answers with another error: all arguments are wrong."""
    libc, column = ctypes.CDLL(None, use_errno=True), seccomp._MACHINES[platform.machine()][0]
    wrong = [ctypes.c_long(-1)] * 6
    answers = {
        name: libc.syscall(numbers[column], *wrong) and ctypes.get_errno() for name, numbers in seccomp._REFUSED.items()
    }
    return " ".join(name for name, error in answers.items() if error != errno.EPERM)


def _temporary_file(_argument: str) -> str:
    with tempfile.NamedTemporaryFile() as file:
        return file.name


def _threads(field: str) -> str:
    """The values of a field of all threads' status."""
    statuses = [status.read_text() for status in Path("/proc/self/task").glob("*/status")]
    lines = {line for status in statuses for line in status.splitlines() if line.startswith(f"{field}:")}
    return " ".join(sorted(line.partition(":")[2].strip() for line in lines))


_ATTEMPTS: dict[str, Callable[[str], str | None]] = {
    "program": _program,
    "create": _create,
    "overwrite": _overwrite,
    "truncate": _truncate,
    "delete": _delete,
    "rename": _rename,
    "read": _read,
    "connect": _connect,
    "socket": _open_socket,
    "signal": _signal,
    "calls": _calls,
    "temporary": _temporary_file,
    "threads": _threads,
}
