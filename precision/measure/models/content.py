"""What a checkpoint's files hold, as a short key: cheap to ask again, so that a changed checkpoint is noticed."""

import hashlib
from pathlib import Path

from precision.errors import InputError
from precision.measure.models.hub import located_here
from precision.models.catalogue import HUB_PREFIX

_SUFFIXES = (".safetensors", ".json", ".txt")
"""Of weights and their index, the configuration, and the tokenizer."""
_HEADER_LIMIT_BYTES = 8 * 2**20
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
    for file in sorted(folder.iterdir()):
        if file.suffix in _SUFFIXES and file.is_file():  # a pipe is none, and reading one would wait
            status = file.stat()
            digest.update(f"\0{file.name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
            if file.suffix == ".safetensors":
                digest.update(_header(file))
    return digest.hexdigest()[:_KEY_CHARACTERS]


def _header(file: Path) -> bytes:
    with file.open("rb") as opened:
        size = opened.read(8)
        return size + opened.read(min(int.from_bytes(size, "little"), _HEADER_LIMIT_BYTES))
