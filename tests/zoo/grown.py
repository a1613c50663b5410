"""A copy of the code to which one thing is added, as a person would: by edits of the files named."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import precision

Edits = tuple[tuple[str, str], ...] | str
ROOT = Path(precision.__file__).parents[1]


class Grown:
    """The code with something added.

    Args:
        place: an empty folder.
        added: by file, a text that is there once, and what goes before it; of a new file, its text.
        folders: what is copied.
        files: likewise.
    """

    def __init__(
        self,
        place: Path,
        added: Mapping[str, Edits],
        *,
        folders: Iterable[str] = ("precision", "tests"),
        files: Iterable[str] = ("pyproject.toml",),
    ) -> None:
        self.place = place
        for name in folders:
            # With what Python and numba have compiled, but not what they are writing meanwhile.
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("*.pyc.*", "tmp*"))
        for name in files:
            shutil.copy(ROOT / name, place)
        for name, edits in added.items():
            if isinstance(edits, str):
                (place / name).write_text(edits)
                continue
            text = (place / name).read_text()
            for before, new in edits:
                assert text.count(before) == 1, (name, before)
                text = text.replace(before, new + before)
            (place / name).write_text(text)

    def python(self, *arguments: str) -> str:
        """What `python ...` prints there; it must succeed."""
        ended = subprocess.run(
            [sys.executable, *arguments], cwd=self.place, capture_output=True, text=True, check=False, timeout=600
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def tests(self, *arguments: str) -> str:
        """What pytest says of tests there, all of which must pass."""
        return self.python("-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)
