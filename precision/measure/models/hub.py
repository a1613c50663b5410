"""Where a pretrained checkpoint lies: a local folder, the Hugging Face cache, or, where there is a network, the hub."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

from precision.errors import InputError
from precision.measure.models.configuration import read_config
from precision.measure.models.foreign_files import shown
from precision.models.roots import is_confined, permitted

_HUB_ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?", re.ASCII)
_FOLDER_PREFIXES = ("/", "./", "../", "~")
_TIMEOUT_S = 5.0
"""How long the hub may take to answer before it counts as unreachable."""

_FILES = [
    "config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
]
"""Weights as safetensors and the tokenizer; never pickles or code."""


def locate(source: str, *, config_only: bool = False) -> Path:
    """The folder of a checkpoint, downloaded where it has to be and can be.

    `source` is an existing folder, or a hub id such as `google-bert/bert-base-uncased`. Where folders are confined
    (`precision.models.roots`), those elsewhere count as none, whether they exist or not. With `config_only`, a folder
    that holds its config.json will do: weights are left where they are.

    Raises:
        InputError: no such folder, no such id, neither cached nor to be reached; or the configuration is refused.
    """
    folder = _folder(source)
    if folder is not None:
        return folder
    _check_hub_id(source)
    return _cached(source) or (_downloaded_config if config_only else _downloaded)(source)


def located_here(source: str) -> Path | None:
    """As `locate`, without the network; None where neither a folder nor the cache has it."""
    folder = _folder(source)
    return folder if folder is not None or not _HUB_ID.fullmatch(source) else _cached(source)


def _check_hub_id(source: str) -> None:
    if source.startswith(_FOLDER_PREFIXES) or not _HUB_ID.fullmatch(source):
        if is_confined() and permitted(Path(source)) is None:
            # Never says whether it exists.
            raise InputError(
                f"{shown(source)!r} is neither a hub id such as owner/name nor inside a folder that this server may "
                f"read. Those are named by PRECISION_MODEL_ROOTS where the worker runs."
            )
        if source.startswith(_FOLDER_PREFIXES):
            raise InputError(f"No folder {shown(source)!r} on the machine that computes. Give one, or a hub id.")
        raise InputError(f"{shown(source)!r} is neither an existing folder nor a hub id such as owner/name.")


def _folder(source: str) -> Path | None:
    path = permitted(Path(source))
    try:
        return path if path is not None and path.is_dir() else None
    except (OSError, ValueError):  # too long for a path, or not readable
        return None


def _cached(hub_id: str) -> Path | None:
    try:
        folder = Path(snapshot_download(hub_id, allow_patterns=_FILES, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise InputError(f"{shown(hub_id)!r} is not a hub id: {error}") from error
    complete = (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
    return folder if complete else None


def _downloaded(hub_id: str) -> Path:
    # The small file first: it is judged before the large ones come.
    _downloaded_config(hub_id)
    with _explained(hub_id):
        return Path(snapshot_download(hub_id, allow_patterns=_FILES, etag_timeout=_TIMEOUT_S))


def _downloaded_config(hub_id: str) -> Path:
    with _explained(hub_id):
        # Asked first because it does not retry: without a network the downloads would for half a minute.
        HfApi().model_info(hub_id, timeout=_TIMEOUT_S)
        folder = Path(snapshot_download(hub_id, allow_patterns="config.json", etag_timeout=_TIMEOUT_S))
        read_config(folder)
        return folder


@contextmanager
def _explained(hub_id: str) -> Iterator[None]:
    """Turns what the hub's client raises into words."""
    try:
        yield
    except RepositoryNotFoundError as error:
        raise InputError(f"The hub has no model {hub_id!r}, or it is private or gated. Check the id.") from error
    except InputError:
        raise
    except Exception as error:  # those of whichever transport the hub's client uses
        raise InputError(
            f"{hub_id!r} is not in the local cache and the hub cannot be reached ({type(error).__name__}). "
            f"Download it first with `hf download {hub_id}` on the machine that computes, or give a local folder."
        ) from error
