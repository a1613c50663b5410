"""Opening zip files that somebody else made: their directory is bounded before it is read."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO
from pathlib import Path

from precision.errors import InputError
from precision.measure.models.foreign_files import explained, opened, shown

ENTRIES_LIMIT = 2_000
_NAME_LIMIT_CHARACTERS = 512
_READ_LIMIT_BYTES = 4 * 2**20
"""Nothing is read at once but the directory of all entries, whose size the file itself says."""
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class _Bounded(BufferedReader):
    def read(self, size: int | None = -1, /) -> bytes:
        """As of a file, but never more than the limit, which counts as a fault."""
        most = _READ_LIMIT_BYTES + 1
        data = super().read(most if size is None or size < 0 else min(size, most))
        if len(data) > _READ_LIMIT_BYTES:
            raise zipfile.BadZipFile(f"its directory has more than {_READ_LIMIT_BYTES} bytes")
        return data


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip file with at most 2,000 distinct entries, at least one, none encrypted, all stored or deflated.

    Entries are read by `open` and `read(n)`; sizes in the directory may lie.

    Raises:
        InputError: it is none, or beyond the limits; also for what goes wrong as entries are read within.
    """
    with opened(path) as file, _Bounded(FileIO(file.fileno(), closefd=False)) as bounded:
        with explained(f"{shown(path)} is no zip file that can be read"):
            archive = zipfile.ZipFile(bounded)
        entries = archive.infolist()
        if not entries:
            raise InputError(f"{shown(path)} holds nothing.")
        if len(entries) > ENTRIES_LIMIT:
            raise InputError(f"{shown(path)} has {len(entries)} entries, beyond the limit of {ENTRIES_LIMIT}.")
        if len({entry.filename for entry in entries}) < len(entries):
            raise InputError(f"{shown(path)} has two entries of the same name. Make it again.")
        for entry in entries:
            _check(path, entry)
        with archive, explained(f"{shown(path)} cannot be unpacked"):
            yield archive


def _check(path: Path, entry: zipfile.ZipInfo) -> None:
    if len(entry.filename) > _NAME_LIMIT_CHARACTERS:
        raise InputError(f"{shown(path)} has an entry with a name of more than {_NAME_LIMIT_CHARACTERS} characters.")
    if entry.flag_bits & _ENCRYPTED:
        raise InputError(f"{shown(path)}: {shown(entry.filename)!r} is encrypted. Make it again without a password.")
    if entry.compress_type not in _METHODS:
        raise InputError(
            f"{shown(path)}: {shown(entry.filename)!r} is compressed by method {entry.compress_type}. "
            f"Make it again with deflate, or without compression."
        )
