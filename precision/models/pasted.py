"""Code of a model that somebody typed into a page: kept as text under its hash, and executed by workers alone.

A link holds the hash and never the text: else whoever opens it would run what somebody else wrote.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from precision.errors import InputError
from precision.models.data_folder import data_folder
from precision.models.python_models import OWN_INPUT
from precision.results import ModelDescription

PASTED_PREFIX = "code:"
VARIABLE = "PRECISION_ALLOW_CODE"
MAX_CHARACTERS = 20_000
TEMPLATE = """\
import torch
from torch import nn

model = nn.Sequential(
    nn.Linear(64, 128),
    nn.GELU(),
    nn.LayerNorm(128),
    nn.Linear(128, 10),
)
inputs = torch.randn(32, 64)
# True classes, if there are any:
# labels = [0, 1, 2, 3] * 8
"""
_HASH = re.compile(r"[0-9a-f]{64}")


def is_allowed(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether whoever runs this lets people paste code."""
    return environment.get(VARIABLE, "").strip() == "1"


def keep(text: str) -> str:
    """Keep a text, and return the id of its model.

    Raises:
        InputError: code is not allowed here, the text is empty or too long, or it cannot be written.
    """
    _require_allowed()
    if not text.strip():
        raise InputError("There is no code. Define `model` and `inputs`.")
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"The code has {len(text):,} characters; at most {MAX_CHARACTERS:,} are allowed.")
    content = text.encode(errors="replace")
    digest = hashlib.sha256(content).hexdigest()
    folder = _folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:  # which only its owner can read
            file.write(content)
        Path(file.name).replace(_file(digest))
    except OSError as error:
        raise InputError(f"The code cannot be kept in {folder} ({error.strerror}).") from error
    return f"{PASTED_PREFIX}{digest}"


def text_of(model_id: str) -> str:
    """The text that was kept under this id.

    Raises:
        InputError: code is not allowed here, or this one is not here.
    """
    _require_allowed()
    digest = model_id.removeprefix(PASTED_PREFIX)
    if not digest:
        raise InputError("No code is chosen yet.")
    try:
        content = _file(digest).read_bytes() if _HASH.fullmatch(digest) else b""
    except OSError:
        content = b""
    if hashlib.sha256(content).hexdigest() != digest:
        raise InputError(
            f"The code {digest[:8]} is not on this machine. A link holds no code: paste it, or ask who sent it."
        )
    return content.decode()


def described(model_id: str) -> ModelDescription:
    """What is known of the model before its code is executed.

    Raises:
        InputError: as `text_of`.
    """
    text_of(model_id)
    return ModelDescription(
        id=model_id,
        title=f"Pasted code {model_id.removeprefix(PASTED_PREFIX)[:8]}",
        family="Own",
        weights="own",
        licence="not stated",
        good_for="What somebody typed here; its link works on this server only.",
        parameters=None,
        inputs=(OWN_INPUT,),
    )


def _require_allowed() -> None:
    if not is_allowed():
        raise InputError(f"Code that people paste is not executed here. {VARIABLE}=1 allows it.")


def _folder() -> Path:
    return data_folder() / "code"


def _file(digest: str) -> Path:
    return _folder() / f"{digest}.py"
