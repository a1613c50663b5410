"""An archive's files on disk: beside an upload, where they go with it, or in a folder that ends with this process."""

import atexit
import shutil
import tempfile
from pathlib import Path

from precision.measure.models.archive import extract
from precision.models.data_folder import data_folder
from precision.models.uploads import uploads_folder

_LIMIT_BYTES = 16 * 2**30
_UNPACKED = "unpacked"


def unpacked(archive: Path) -> Path:
    """The folder of what a `.zip` holds; an upload's is unpacked once.

    Raises:
        InputError: it is refused; see `archive.extract`.
    """
    if archive.is_relative_to(uploads_folder()):
        there = archive.parent / _UNPACKED
        if there.is_dir():
            return _only_folder(there)
        made = Path(tempfile.mkdtemp(dir=uploads_folder(), prefix="."))
    else:
        there = made = Path(tempfile.mkdtemp(dir=data_folder()))
        atexit.register(shutil.rmtree, made, ignore_errors=True)
    try:
        extract(archive, made, limit_bytes=_LIMIT_BYTES)
        if made is not there:
            made.rename(there)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return _only_folder(there)


def _only_folder(folder: Path) -> Path:
    """Of an archive of one folder, that folder; what macOS adds does not count."""
    inside = [each for each in folder.iterdir() if not each.name.startswith((".", "__MACOSX"))]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder
