"""Reading the novels, on a package built here in the same way; the true one is not needed."""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
import zlib
from pathlib import Path

import pytest

from precision.measure.models import austen_package
from precision.measure.models.austen_package import chapters

_PATH = "./usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"
_EMMA = (
    *("EMMA", "", "By Jane Austen", "", "VOLUME I", "", "CHAPTER I", ""),
    *("Emma Woodhouse, _handsome_, clever,", "and rich.", "", "  She cost £5.", "", "[A remark.]", ""),
    *("CHAPTER II", "", "* * *", "", "Mr. Weston was a native of Highbury.", "", "FINIS"),
)
_NORTHANGER = ("NORTHANGER ABBEY", "", "CHAPTER 1", "", "No one who had ever seen Catherine Morland.")
_PERSUASION = ("Persuasion", "", "Chapter 1", "", "Sir Walter Elliot.", "", "Finis")


def _serialised(lines: tuple[str, ...]) -> bytes:
    """As R's `serialize(xdr = TRUE)`, version 3, of a character vector."""
    parts = [b"X\n", struct.pack(">iiii", 3, 0x040201, 0x030500, 5), b"UTF-8", struct.pack(">ii", 16, len(lines))]
    for line in lines:
        content = line.encode()
        parts += [struct.pack(">ii", 0x00040009, len(content)), content]
    return b"".join(parts)


def _package(*novels: tuple[str, ...]) -> bytes:
    blocks = [_serialised(novel) for novel in novels]
    database = b"".join(struct.pack(">I", len(block)) + zlib.compress(block) for block in blocks)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:xz") as archive:
        member = tarfile.TarInfo(_PATH)
        member.size = len(database)
        archive.addfile(member, io.BytesIO(database))
    files = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": tar.getvalue()}
    content = b"!<arch>\n"
    for name, data in files.items():
        content += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data
        content += b"\n" * (len(data) % 2)
    return content


def _stored(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "novels.deb"
    file.write_bytes(content)
    monkeypatch.setattr(austen_package, "SHA256", hashlib.sha256(content).hexdigest())
    return file


def test_chapters_are_paragraphs_without_headings_and_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = _stored(_package(_EMMA, _NORTHANGER, _PERSUASION), tmp_path, monkeypatch)
    assert chapters(package) == [
        ["Emma Woodhouse, handsome, clever, and rich.", "She cost £5."],
        ["Mr. Weston was a native of Highbury."],
        ["Sir Walter Elliot."],
    ]


def test_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "novels.deb"
    file.write_bytes(_package(_EMMA))
    with pytest.raises(ValueError, match=r"is not r-cran-janeaustenr_1\.0\.0-1_all\.deb: its sha256 is"):
        chapters(file)


def test_a_package_without_data_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = _stored(_package(_EMMA).replace(b"data.tar", b"else.tar"), tmp_path, monkeypatch)
    with pytest.raises(ValueError, match=r"No data\.tar"):
        chapters(package)
