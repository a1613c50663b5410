"""Progress on one line of a terminal."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from precision.progress import Progress, Silent
from precision.text.names import plain

_START_OF_LINE, _CLEAR_TO_END = "\r", "\x1b[K"


class TerminalProgress(Silent):
    """Rewrites one line of `stream` at every step."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def step(self, stage: str, fraction: float, detail: str = "") -> None:
        """Show `stage` at `fraction` of the whole run."""
        text = f"{fraction:4.0%}  {stage}" + (f"  {plain(detail)}" if detail else "")
        self._write(text[: shutil.get_terminal_size().columns - 1])

    def clear(self) -> None:
        """Leave the line empty for what is printed next."""
        self._write("")

    def _write(self, text: str) -> None:
        self._stream.write(f"{_START_OF_LINE}{text}{_CLEAR_TO_END}")
        self._stream.flush()


@dataclass(frozen=True)
class Part(Silent):
    """Progress of one run of several: run number `at` (from 0) of `of`."""

    whole: Progress
    at: int
    of: int
    name: str

    def step(self, stage: str, fraction: float, detail: str = "") -> None:
        """Show `stage`, and which run it belongs to."""
        self.whole.step(f"{self.name}, {self.at + 1} of {self.of}: {stage}", (self.at + fraction) / self.of, detail)


@contextmanager
def on_terminal(stream: TextIO) -> Iterator[Progress]:
    """Progress on `stream` where it is a terminal, cleared at the end; none where it is a file or a pipe."""
    if not stream.isatty():
        yield Silent()
        return
    progress = TerminalProgress(stream)
    try:
        yield progress
    finally:
        progress.clear()
