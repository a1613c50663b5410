"""Opening files that somebody else made: regular ones, inside their folder, without ever waiting. Needs no torch."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from precision.errors import InputError, PrecisionError
from precision.text.names import plain

TEXT_LIMIT_BYTES = 64 * 2**20
"""Of a tokenizer's or processor's file; the largest published ones have half of it."""
CONFIG_LIMIT_BYTES = 4 * 2**20

_ENTRIES_LIMIT = 10_000
_TEMPLATES = "additional_chat_templates"
"""The one folder inside a checkpoint that transformers reads by itself."""
_UNREAD = frozenset(
    {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack", ".ot", ".onnx", ".gguf", ".tflite", ".py"}
)
"""Suffixes of what is never opened here, whatever its size."""
_WEIGHTS = ".safetensors"


def shown(path: Path | str) -> str:
    """A path or a name from a foreign file, safe and short enough for a sentence."""
    return plain(str(path), limit=200)


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turns whatever a library raises over a foreign file into an `InputError` that begins with `what`."""
    try:
        yield
    except (PrecisionError, MemoryError):
        raise
    except Exception as error:
        raise InputError(f"{what}: {shown(_reason(error))}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of libraries in Rust, no Exception
            raise
        raise InputError(f"{what}: {shown(str(error))}") from error


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file, open for reading. A pipe, a device, a socket or a folder is refused, and not waited for.

    Raises:
        InputError: it is not a regular file, not there, or not readable.
    """
    try:
        # A pipe would be waited for without O_NONBLOCK, which means nothing to a regular file.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(path)} cannot be read: {_reason(error)}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{shown(path)} is not a regular file, so it is not read.")
    with open(descriptor, "rb") as file:
        yield file


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    Raises:
        InputError: see `opened`; or it is larger.
    """
    with opened(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise InputError(f"{shown(path)} is larger than {limit} bytes, more than any published one.")
    return content


def check_folder(folder: Path) -> frozenset[str]:
    """The names of a checkpoint folder's files, each of them one that a library may open.

    Links may lead to where the folder itself is, or, in the cache of Hugging Face, to the model's own `blobs`.

    Raises:
        InputError: a file is no regular file, lies elsewhere, or is too large for its kind.
    """
    homes = [folder.resolve()]
    if folder.parent.name == "snapshots":
        homes.append(folder.parent.parent.resolve() / "blobs")
    names = {entry.name for entry in _entries(folder) if _is_file(entry, homes)}
    if (folder / _TEMPLATES).is_dir():
        for entry in _entries(folder / _TEMPLATES):
            _is_file(entry, homes)
    return frozenset(names)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    entries: list[os.DirEntry[str]] = []
    try:
        with os.scandir(folder) as found:
            for entry in found:
                if len(entries) == _ENTRIES_LIMIT:
                    raise InputError(f"{shown(folder)} has more than {_ENTRIES_LIMIT} files. That is not a checkpoint.")
                entries.append(entry)
    except OSError as error:
        raise InputError(f"{shown(folder)} cannot be read: {_reason(error)}.") from error
    return sorted(entries, key=lambda entry: entry.name)


def _is_file(entry: os.DirEntry[str], homes: list[Path]) -> bool:
    """Whether it is a file that may be opened; False of what nobody opens."""
    path, suffix = Path(entry.path), Path(entry.name).suffix
    if suffix in _UNREAD:
        return False
    try:
        status = entry.stat()
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # a link to nowhere, or in a circle
        raise InputError(f"{shown(path)} cannot be read: {_reason(error)}.") from error
    is_folder = stat.S_ISDIR(status.st_mode)
    if is_folder and suffix in (_WEIGHTS, ".json"):
        raise InputError(f"{shown(path)} is a folder where a file is expected.")
    if is_folder and entry.name != _TEMPLATES:
        return False
    if not any(real.is_relative_to(home) for home in homes):
        raise InputError(f"{shown(path)} is a link that leads out of the checkpoint's folder. Put the file there.")
    if is_folder:
        return False
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{shown(path)} is not a regular file, so it is not read.")
    if suffix != _WEIGHTS and status.st_size > TEXT_LIMIT_BYTES:
        raise InputError(f"{shown(path)} is larger than {TEXT_LIMIT_BYTES} bytes, more than any published one.")
    if not os.access(path, os.R_OK):
        raise InputError(f"{shown(path)} cannot be read: permission denied.")
    return True


def _reason(error: Exception) -> str:
    """What went wrong; of the system's errors without the path, which may be the server's own."""
    return error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
