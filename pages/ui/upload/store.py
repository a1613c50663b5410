"""What sessions may upload and have uploaded: tickets, limits, folders. Nothing here reads what a file holds."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from precision.models.uploads import UPLOAD_PREFIX, uploads_folder
from precision.text.units import bytes_text

MOST_FILES: Final = 2_000
_MOST_NAME: Final = 200
_MOST_FOLDERS: Final = 3
_RESERVE_BYTES: Final = 2**30
"""Of the disk, never filled by uploads: databases and logs need room even to shrink."""
_LEFT_BEHIND_S: Final = 600.0
_PICKLES: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".pt2")


class RefusedError(Exception):
    """An upload that is not taken, with the HTTP status that says so."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Offer:
    """That a page of one session takes files of these kinds."""

    session: str
    purpose: str
    suffixes: tuple[str, ...]


@dataclass
class Upload:
    """Files on their way, or there."""

    offer: Offer
    folder: Path
    names: Sequence[PurePosixPath]
    sizes: Sequence[int]
    holders: set[str]
    done: set[int] = field(default_factory=set)

    @property
    def size(self) -> int:
        """In bytes, of all files together."""
        return sum(self.sizes)

    @property
    def is_complete(self) -> bool:
        """Whether every file is there."""
        return len(self.done) == len(self.names)

    @property
    def reference(self) -> str:
        """As a `RunSpec` names it."""
        return UPLOAD_PREFIX + self.folder.name


class Uploads:
    """All of them; every method may be called from any thread."""

    def __init__(self, folder: Path, *, session_limit: int, total_limit: int) -> None:
        """Limits are in bytes, of one session and of all; what another process left behind is removed."""
        self._folder, self._session_limit, self._total_limit = folder, session_limit, total_limit
        self._lock = threading.Lock()
        self._offers: dict[str, Offer] = {}
        self._uploads: dict[str, Upload] = {}
        _make(folder)
        for left in folder.iterdir():
            if time.time() - left.stat().st_mtime > _LEFT_BEHIND_S:
                shutil.rmtree(left, ignore_errors=True)

    @property
    def session_limit(self) -> int:
        """Bytes that one session may have here at a time."""
        return self._session_limit

    def offer(self, session: str, purpose: str, suffixes: Collection[str]) -> str:
        """The ticket by which this session's page takes files; the same for the same purpose."""
        wanted = Offer(session, purpose, tuple(suffixes))
        with self._lock:
            ticket = next((ticket for ticket, offer in self._offers.items() if offer == wanted), None)
            ticket = ticket or secrets.token_urlsafe(16)
            self._offers[ticket] = wanted
            return ticket

    def begin(self, ticket: str, files: Sequence[tuple[str, int]]) -> str:
        """Make room for files, of which names and sizes are known; returns the key of the upload.

        What the session uploaded for the same purpose before is removed.

        Raises:
            RefusedError: no page offers it, or a name, a kind or a size is refused.
        """
        offer = self._offers.get(ticket)
        if offer is None:
            raise RefusedError("No page takes this upload any more. Open the page again.", 404)
        names, sizes = _checked_names([name for name, _ in files], offer.suffixes), [size for _, size in files]
        with self._lock:
            for upload in [each for each in self._uploads.values() if each.offer == offer]:
                self._remove(upload)
            self._require_room(offer.session, sum(sizes))
            key = secrets.token_urlsafe(16)
            folder = self._folder / key
            try:
                folder.mkdir(mode=0o700)
            except OSError as error:
                raise RefusedError(f"The server cannot keep files ({error.strerror}).", 507) from error
            self._uploads[key] = Upload(offer, folder, names, sizes, {offer.session})
            return key

    def open(self, ticket: str, key: str, place: int) -> tuple[BinaryIO, int]:
        """A new file to write one of an upload's files into, and the bytes that it will have.

        Raises:
            RefusedError: no such upload or file, or it is there already.
        """
        upload = self._upload(ticket, key)
        if not 0 <= place < len(upload.names):
            raise RefusedError("This file was not announced.", 404)
        path = upload.folder / upload.names[place]
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
            return os.fdopen(os.open(path, flags, 0o600), "wb"), upload.sizes[place]
        except FileExistsError as error:
            raise RefusedError(f"{upload.names[place].name} is there already.", 409) from error
        except OSError as error:
            raise RefusedError(f"The server cannot keep this file ({error.strerror}).", 507) from error

    def finished(self, ticket: str, key: str, place: int) -> None:
        """One file is there as a whole."""
        self._upload(ticket, key).done.add(place)

    def cancel(self, ticket: str, key: str) -> None:
        """Remove an upload, whole or not."""
        upload = self._upload(ticket, key)
        with self._lock:
            self._remove(upload)

    def named(self, reference: str) -> Upload | None:
        """The upload behind `upload:KEY`, if it is complete and here."""
        upload = self._uploads.get(reference.removeprefix(UPLOAD_PREFIX))
        return upload if upload and upload.is_complete else None

    def hold(self, reference: str, session: str) -> None:
        """Keep an upload as long as this session is there too: one that was reloaded, or that opened its link."""
        if upload := self.named(reference):
            upload.holders.add(session)

    def sessions(self) -> Collection[str]:
        """Those that hold an upload or have an offer."""
        with self._lock:
            holders = {session for upload in self._uploads.values() for session in upload.holders}
            return holders | {offer.session for offer in self._offers.values()}

    def release(self, session: str) -> None:
        """A session is gone: so are its offers, and the uploads that no other session holds."""
        with self._lock:
            self._offers = {ticket: offer for ticket, offer in self._offers.items() if offer.session != session}
            for upload in list(self._uploads.values()):
                upload.holders.discard(session)
                if not upload.holders:
                    self._remove(upload)

    def _upload(self, ticket: str, key: str) -> Upload:
        upload, offer = self._uploads.get(key), self._offers.get(ticket)
        if upload is None or upload.offer != offer:
            raise RefusedError("This upload is not here: it was cancelled, or its session has ended.", 404)
        return upload

    def _require_room(self, session: str, size: int) -> None:
        own = sum(upload.size for upload in self._uploads.values() if upload.offer.session == session)
        every = sum(upload.size for upload in self._uploads.values())
        if own + size > self._session_limit:
            raise RefusedError(
                f"These files have {bytes_text(size)}; one session may have {bytes_text(self._session_limit)} here. "
                "Whoever runs the server can raise it by PRECISION_UPLOAD_LIMIT.",
                413,
            )
        if every + size > self._total_limit or shutil.disk_usage(self._folder).free - size < _RESERVE_BYTES:
            raise RefusedError("The server has no room for these files at present. Try again later.", 507)

    def _remove(self, upload: Upload) -> None:
        del self._uploads[upload.folder.name]
        shutil.rmtree(upload.folder, ignore_errors=True)


@cache
def uploads() -> Uploads:
    """Those of this server."""
    from precision.engine.config import EngineConfig  # only now: the server's start does not wait for psutil

    config = EngineConfig.from_environment()
    return Uploads(uploads_folder(), session_limit=config.upload_limit, total_limit=config.uploads_limit)


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _checked_names(names: Sequence[str], suffixes: Collection[str]) -> list[PurePosixPath]:
    """The names as places in the upload's folder, without the folder that all are in.

    Raises:
        RefusedError: none, too many, or one that is no plain name of a kind that is taken.
    """
    if not 0 < len(names) <= MOST_FILES:
        raise RefusedError(f"Between 1 and {MOST_FILES:,} files can be uploaded at a time, not {len(names):,}.", 413)
    paths = [PurePosixPath(name) for name in names]
    if len({path.parts[:1] for path in paths}) == 1 and all(len(path.parts) > 1 for path in paths):
        paths = [PurePosixPath(*path.parts[1:]) for path in paths]
    for path in paths:
        _check_name(path, suffixes)
    if len(set(paths)) < len(paths):
        raise RefusedError("Two of these files have the same name.")
    return paths


def _check_name(path: PurePosixPath, suffixes: Collection[str]) -> None:
    plain = all(
        part.isprintable() and part[0] != "." and not set(part) & set('\\/:*?"<>|') and len(part) <= _MOST_NAME
        for part in path.parts
    )
    if not plain or path.is_absolute() or not 0 < len(path.parts) <= _MOST_FOLDERS:
        raise RefusedError(f"{str(path)[:80]!r} is no name that can be kept. Rename it: letters, digits, dots, dashes.")
    if path.suffix.lower() in _PICKLES:
        raise RefusedError(
            f"{path.name} may hold code, which is never run here. Save its weights as safetensors: "
            "safetensors.torch.save_file(model.state_dict(), 'model.safetensors').",
            415,
        )
    if path.suffix.lower() not in suffixes:
        raise RefusedError(f"{path.name} is of no kind that is taken here: {', '.join(suffixes)}.", 415)
