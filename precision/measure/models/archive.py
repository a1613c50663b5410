"""Unpacks an uploaded zip file of a checkpoint's folder, or of images, into a folder that the server chose."""

import os
import stat
import zipfile
from pathlib import Path, PurePosixPath

from precision.errors import InputError
from precision.measure.models.foreign_files import shown
from precision.measure.models.zip_files import opened_zip

_PART_LIMIT_BYTES = 200
_DEPTH_LIMIT = 8
_CHUNK_BYTES = 2**20
_RATIO_LIMIT = 200
"""Weights deflate by a tenth or two; text by ten; only zeros by a thousand."""
_RATIO_FROM_BYTES = 16 * 2**20
"""Small files may be as compressible as they like."""
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_SEPARATORS = ("\\", ":", "\0")
"""Of paths on other systems; no published checkpoint has them in a name."""


def extract(archive: Path, into: Path, *, limit_bytes: int) -> Path:
    """Unpack a zip file; archives within it are left as they are.

    Only files and folders are made, in `into` and nowhere else. What was made stays there when it is refused half-way:
    the caller discards the folder. Memory does not grow with the archive.

    Args:
        archive: the zip file.
        into: a folder that is there, and empty.
        limit_bytes: of all its files together, unpacked.

    Returns:
        The folder with the config.json nearest to the top; `into` where there is none, or several as near.

    Raises:
        InputError: a name leads out of the folder, an entry is a link or a device, twice there or encrypted; there are
            more than 2,000 entries or `limit_bytes`; one unpacks to much more than it is; or it is damaged.
    """
    left = limit_bytes
    with opened_zip(archive) as opened:
        places = [(entry, into.joinpath(*_parts(archive, entry))) for entry in opened.infolist()]
        for entry, target in places:
            try:
                left -= _unpack(opened, entry, target, left)
            except (FileExistsError, NotADirectoryError) as error:
                raise InputError(
                    f"{shown(archive)}: {shown(entry.filename)!r} is there twice. Make it again."
                ) from error
            if left < 0:
                raise InputError(f"{shown(archive)} unpacks to more than {limit_bytes} bytes.")
    return _checkpoint_in(into)


def _parts(archive: Path, entry: zipfile.ZipInfo) -> tuple[str, ...]:
    """Of the path of a plain file or folder."""
    path, kind = PurePosixPath(entry.filename), stat.S_IFMT(entry.external_attr >> 16)
    leads_out = path.is_absolute() or ".." in path.parts or any(each in entry.orig_filename for each in _SEPARATORS)
    if leads_out or not path.parts or len(path.parts) > _DEPTH_LIMIT:
        raise InputError(f"{shown(archive)}: {shown(entry.filename)!r} is no plain path inside the archive.")
    if any(len(os.fsencode(part)) > _PART_LIMIT_BYTES for part in path.parts):
        raise InputError(f"{shown(archive)}: a name has more than {_PART_LIMIT_BYTES} bytes. Rename the file.")
    if kind not in (0, stat.S_IFREG) and not entry.is_dir():  # 0: made on a system without such kinds
        raise InputError(
            f"{shown(archive)}: {shown(entry.filename)!r} is a link or a device. Put the file itself there."
        )
    return path.parts


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Makes the file or folder; returns how many bytes were written, more than `left` where there would be more."""
    if entry.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    most, written = max(_RATIO_FROM_BYTES, entry.compress_size * _RATIO_LIMIT), 0
    with archive.open(entry) as source, open(os.open(target, _CREATE, 0o600), "wb") as file:
        while written <= left and (chunk := source.read(_CHUNK_BYTES)):
            file.write(chunk)
            written += len(chunk)
            if written > most:
                raise InputError(f"{shown(entry.filename)!r} unpacks to more than {_RATIO_LIMIT} times its size.")
    return written


def _checkpoint_in(folder: Path) -> Path:
    configs = sorted((path for path in folder.rglob("config.json") if path.is_file()), key=_depth)
    alone = configs and (len(configs) == 1 or _depth(configs[0]) < _depth(configs[1]))
    return configs[0].parent if alone else folder


def _depth(path: Path) -> int:
    return len(path.parts)
