"""Reads five of Jane Austen's novels out of the Debian package that the language model is trained on."""

import hashlib
import io
import re
import tarfile
import zlib
from pathlib import Path

PACKAGE = "r-cran-janeaustenr_1.0.0-1_all.deb"
SHA256 = "df6bddf211906d1ff404f8ff662c21b34e6660e7f54a311084e749050c019c95"
TITLES = ("EMMA", "MANSFIELD PARK", "Persuasion", "PRIDE AND PREJUDICE", "SENSE AND SENSIBILITY")
"""First lines of the novels read. Northanger Abbey is left out: its text is of a modern edition."""

_LINES = "./usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"
_CHAPTER = re.compile(r"chapter ([ivxl]+|[0-9]+)", re.IGNORECASE)
_EMPHASIS = "_"
_HEADING = re.compile(r"[^a-z]*|Finis")


def chapters(package: Path) -> list[list[str]]:
    """The paragraphs of every chapter, each paragraph on one line, novels in the order of the package.

    Headings, lines of asterisks, marks of emphasis and remarks of editors in brackets are dropped.

    Raises:
        ValueError: The file is not the package that this was written for.
    """
    content = package.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != SHA256:
        raise ValueError(f"{package} is not {PACKAGE}: its sha256 is {found}, expected {SHA256}")
    novels = [lines for lines in _texts(_file(content, _LINES)) if lines[0] in TITLES]
    return [chapter for lines in novels for chapter in _chapters(lines)]


def _file(package: bytes, name: str) -> bytes:
    """One installed file of a Debian package: an `ar` archive with a tar archive in it."""
    start = len(b"!<arch>\n")
    while start < len(package):
        header, start = package[start : start + 60], start + 60
        size = int(header[48:58])
        if header.startswith(b"data.tar"):
            with tarfile.open(fileobj=io.BytesIO(package[start : start + size])) as archive:
                member = archive.extractfile(name)
                return member.read() if member else b""
        start += size + size % 2
    raise ValueError("No data.tar: that is not a Debian package.")


def _texts(database: bytes) -> list[list[str]]:
    """The vectors of strings in R's lazy-load database: blocks of a length, then zlib of R's XDR serialisation."""
    found = []
    while database:
        decompressor = zlib.decompressobj()
        found.append(_strings(decompressor.decompress(database[4:])))
        database = decompressor.unused_data
    return found


def _strings(block: bytes) -> list[str]:
    """A serialised character vector, version 3: encoding, type, count, then for each string flags, length, bytes."""
    stream = io.BytesIO(block)

    def integer() -> int:
        return int.from_bytes(stream.read(4))

    stream.seek(len(b"X\n") + 3 * 4)
    stream.read(integer())
    integer()
    strings = []
    for _ in range(integer()):
        integer()
        strings.append(stream.read(integer()).decode())
    return strings


def _chapters(lines: list[str]) -> list[list[str]]:
    """Paragraphs of each chapter. What stands before the first is the title."""
    found: list[list[str]] = []
    for paragraph in "\n".join(line.strip() for line in lines).split("\n\n"):
        text = re.sub(r"\s+", " ", paragraph.replace(_EMPHASIS, "")).strip()
        if _CHAPTER.fullmatch(text):
            found.append([])
        elif found and not _HEADING.fullmatch(text) and not text.startswith("["):
            found[-1].append(text)
    return found
