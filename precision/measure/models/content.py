"""What a checkpoint's files hold, as a short key: cheap to ask again, so that a changed checkpoint is noticed."""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from precision.errors import InputError
from precision.measure.models.foreign_files import check_folder, opened
from precision.measure.models.hub import located_here
from precision.measure.models.safetensors_header import HEADER_LIMIT_BYTES
from precision.models.catalogue import HUB_PREFIX

_SUFFIXES = (".safetensors", ".json", ".txt")
"""Of weights and their index, the configuration, and the tokenizer."""
_KEY_CHARACTERS = 16


def content_key(model_id: str) -> str | None:
    """Tells one content of a checkpoint from another; None for other models, and where its files are not here.

    A hash of the size and the modification time of its files, and of the header of each safetensors file; before it,
    the revision of a model of the hub. The weights are not read: a change that keeps size and time goes unnoticed.
    """
    if not model_id.startswith(HUB_PREFIX):
        return None
    try:
        folder = located_here(model_id.removeprefix(HUB_PREFIX).strip())
        if folder is None:
            return None
        files = f"files {_hash_of(folder)}"
    except (OSError, InputError):
        return None
    is_cached = folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--")
    return f"revision {folder.name}, {files}" if is_cached else files


def _hash_of(folder: Path) -> str:
    digest = hashlib.sha256(str(folder.resolve()).encode())
    for name in sorted(check_folder(folder)):
        if name.endswith(_SUFFIXES):
            with opened(folder / name) as file:
                status = os.fstat(file.fileno())
                digest.update(f"\0{name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
                if name.endswith(".safetensors"):
                    digest.update(_header(file))
    return digest.hexdigest()[:_KEY_CHARACTERS]


def _header(file: BinaryIO) -> bytes:
    size = file.read(8)
    return size + file.read(min(int.from_bytes(size, "little"), HEADER_LIMIT_BYTES))
