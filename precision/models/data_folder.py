"""The folder of what outlives a process: `PRECISION_DATA`."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from precision.errors import InputError

VARIABLE = "PRECISION_DATA"


def data_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder that the environment names, or the usual one; it need not be there yet.

    Raises:
        InputError: the path is not absolute.
    """
    text = environment.get(VARIABLE, "").strip()
    try:
        return absolute(text) if text else default_folder()
    except ValueError as error:
        raise InputError(f"{VARIABLE} = {text[:80]!r}: {error}.") from error


def default_folder() -> Path:
    """The folder where the environment names none."""
    return Path(tempfile.gettempdir()) / f"precision-explorer-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def absolute(text: str) -> Path:
    """An absolute path.

    Raises:
        ValueError: it is not one.
    """
    folder = Path(text).expanduser()
    if not folder.is_absolute():
        raise ValueError("expected an absolute path")
    return folder
