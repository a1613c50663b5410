"""Files that people uploaded: where they lie, and which may be there. Read by workers, written by the web process."""

import re
from pathlib import Path

from precision.errors import InputError
from precision.models.data_folder import data_folder

UPLOAD_PREFIX = "upload:"
KEY = re.compile(r"[\w-]{22}", re.ASCII)
MODEL_FILES = (".json", ".safetensors", ".txt", ".model", ".jinja", ".zip")
DATA_FILES = (
    *(".txt", ".csv", ".npy", ".npz", ".safetensors", ".zip"),
    *(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".wav", ".flac", ".ogg", ".mp3"),
)


def uploads_folder() -> Path:
    """Where every upload has a folder of its own, named by its key."""
    return data_folder() / "uploads"


def uploaded(reference: str) -> Path:
    """The folder of an upload, `upload:KEY`.

    Raises:
        InputError: it is not there, or no longer.
    """
    key = reference.removeprefix(UPLOAD_PREFIX)
    folder = uploads_folder() / key
    if not KEY.fullmatch(key) or not folder.is_dir():
        raise InputError("These files are no longer here: uploads end with their session. Upload them again.")
    return folder
