"""Results in a file, and in a dashboard of their own."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import precision
from precision.cli.dashboard import free_port
from precision.errors import InputError
from precision.findings.page_link import first_link
from precision.models.opened import read, written

if TYPE_CHECKING:
    from precision.results import AnalysisResult

_ENDS_WITHIN_S = 15.0


def save(results: Iterable[AnalysisResult], path: str | os.PathLike[str]) -> None:
    """Write results to a file, in place of what it holds.

    Raises:
        InputError: it cannot be written.
    """
    try:
        Path(path).write_text(written(results), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{os.fspath(path)} cannot be written: {error.strerror}.") from error


class Dashboard:
    """A server of its own that shows results; it ends with this process, or when it is closed.

    Raises:
        InputError: two of the results are of one request.
    """

    def __init__(self, results: tuple[AnalysisResult, ...], *, browser: bool) -> None:
        with tempfile.NamedTemporaryFile("w", prefix="precision-", suffix=".json", delete=False) as file:
            file.write(written(results))
        self._file = Path(file.name)
        try:
            port, link = free_port(), first_link(read(self._file))
        except InputError:
            self._file.unlink()
            raise
        self.address = f"http://localhost:{port}/{link}"
        """Of the page that shows the first result."""
        command = [sys.executable, "-m", "precision", "open", str(self._file), f"--port={port}"]
        home = str(Path(precision.__file__).parents[1])
        paths = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(  # noqa: S603  # our own command
            command if browser else [*command, "--no-browser"],
            env=os.environ | {"PYTHONPATH": paths},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        atexit.register(self.close)

    def wait(self) -> None:
        """Return when the server ends; Ctrl-C ends it."""
        try:
            self._process.wait()
        except KeyboardInterrupt:
            pass
        finally:
            self.close()

    def close(self) -> None:
        """End the server, and remove its file. Does nothing the second time."""
        atexit.unregister(self.close)
        self._process.terminate()
        try:
            self._process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._file.unlink(missing_ok=True)

    def __repr__(self) -> str:
        return f"Dashboard at {self.address}"


def is_interactive() -> bool:
    """Whether somebody types here, in a notebook or at a prompt, rather than a script running to its end."""
    return "ipykernel" in sys.modules or hasattr(sys, "ps1")
