from __future__ import annotations

import os
import random
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest

from precision.errors import InputError
from precision.measure.models.archive import extract

LIMIT = 2**20


def made(folder: Path, *entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder / "upload.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def special(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, mode << 16
    return entry


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def left_outside(into: Path) -> list[str]:
    return sorted(path.name for path in into.parent.rglob("*") if into not in path.parents and path != into)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_checkpoint_is_found_where_it_lies(tmp_path: Path, into: Path, method: int) -> None:
    weights = random.Random(0).randbytes(300_000)  # noqa: S311
    path = made(
        tmp_path,
        ("minilm/", b""),
        ("minilm/config.json", b"{}"),
        ("minilm/1_Pooling/config.json", b"{}"),
        ("minilm/model.safetensors", weights),
        ("minilm/more.zip", b"never looked at"),
        method=method,
    )
    folder = extract(path, into, limit_bytes=LIMIT)
    assert folder == into / "minilm"
    assert (folder / "model.safetensors").read_bytes() == weights
    assert (folder / "more.zip").read_bytes() == b"never looked at"
    assert stat.S_IMODE((folder / "config.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("names", [("a.png", "b/c.png"), ("a/config.json", "b/config.json")])
def test_without_one_checkpoint_it_is_the_whole(tmp_path: Path, into: Path, names: tuple[str, ...]) -> None:
    assert extract(made(tmp_path, *((name, b"") for name in names)), into, limit_bytes=LIMIT) == into
    assert all((into / name).is_file() for name in names)


@pytest.mark.parametrize(
    "name", ["../out", "a/../../out", "/out", "a\\..\\out", "C:out", "..", "a/" * 9 + "b", "//out", "/"]
)
def test_a_name_that_leads_out(tmp_path: Path, into: Path, name: str) -> None:
    path = made(tmp_path, ("config.json", b"{}"), (name, b"x"))
    with pytest.raises(InputError, match="is no plain path inside the archive"):
        extract(path, into, limit_bytes=LIMIT)
    assert left_outside(into) == ["upload.zip"]
    assert list(into.iterdir()) == [], "nothing is written before all names are judged"


def test_a_name_with_a_zero_in_it(tmp_path: Path, into: Path) -> None:
    path = made(tmp_path, ("aXb", b"x"))
    path.write_bytes(path.read_bytes().replace(b"aXb", b"a\0b"))
    with pytest.raises(InputError, match=r"is no plain path|cannot be unpacked"):
        extract(path, into, limit_bytes=LIMIT)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_devices(tmp_path: Path, into: Path, kind: int) -> None:
    path = made(tmp_path, (special("model.safetensors", kind | 0o777), b"/etc/passwd"))
    with pytest.raises(InputError, match=r"'model\.safetensors' is a link or a device"):
        extract(path, into, limit_bytes=LIMIT)


def test_a_link_that_waits_in_the_folder_is_not_written_through(tmp_path: Path, into: Path) -> None:
    (tmp_path / "victim").write_text("kept")
    (into / "config.json").symlink_to(tmp_path / "victim")
    with pytest.raises(InputError, match=r"'config\.json' is there twice"):
        extract(made(tmp_path, ("config.json", b"{}")), into, limit_bytes=LIMIT)
    assert (tmp_path / "victim").read_text() == "kept"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "a"), "two entries of the same name"),
        (("a", "./a"), r"'\./a' is there twice"),
        (("a", "a/b"), "'a/b' is there twice"),
        (("a/b", "a"), "'a' is there twice"),
    ],
)
def test_duplicates(tmp_path: Path, into: Path, names: tuple[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        extract(made(tmp_path, *((name, b"x") for name in names)), into, limit_bytes=LIMIT)


def test_an_encrypted_entry(tmp_path: Path, into: Path) -> None:
    path = made(tmp_path, ("a", b"x"), method=zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="'a' is encrypted"):
        extract(path, into, limit_bytes=LIMIT)


def test_an_unusual_compression(tmp_path: Path, into: Path) -> None:
    with pytest.raises(InputError, match="'a' is compressed by method 14"):
        extract(made(tmp_path, ("a", b"x"), method=zipfile.ZIP_LZMA), into, limit_bytes=LIMIT)


def test_too_many_entries(tmp_path: Path, into: Path) -> None:
    path = made(tmp_path, *((str(index), b"") for index in range(2001)))
    with pytest.raises(InputError, match="has 2001 entries, beyond the limit of 2000"):
        extract(path, into, limit_bytes=LIMIT)


def test_a_directory_that_would_fill_the_memory(tmp_path: Path, into: Path) -> None:
    path = made(tmp_path, *((f"{index:0500}", b"") for index in range(8000)))
    with pytest.raises(InputError, match="its directory has more than 4194304 bytes"):
        extract(path, into, limit_bytes=LIMIT)


@pytest.mark.parametrize(("name", "message"), [("x" * 201, "more than 200 bytes"), ("x/" * 300, "more than 512 char")])
def test_long_names(tmp_path: Path, into: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        extract(made(tmp_path, (name, b"")), into, limit_bytes=LIMIT)


def test_the_whole_is_limited_whatever_the_directory_says(tmp_path: Path, into: Path) -> None:
    path = made(tmp_path, ("a", b"x" * 600_000), ("b", bytes(8 * LIMIT)), method=zipfile.ZIP_STORED)
    with pytest.raises(InputError, match="unpacks to more than 1048576 bytes"):
        extract(path, into, limit_bytes=LIMIT)
    assert sum(file.stat().st_size for file in into.iterdir()) <= 3 * LIMIT, "and no more is written"


def test_a_bomb_stops_at_its_ratio(tmp_path: Path, into: Path) -> None:
    path = made(tmp_path, ("a", bytes(64 * 2**20)))
    with pytest.raises(InputError, match="'a' unpacks to more than 200 times its size"):
        extract(path, into, limit_bytes=2**40)
    assert (into / "a").stat().st_size <= 18 * 2**20


def test_a_directory_that_lies_about_sizes(tmp_path: Path, into: Path) -> None:
    path = made(tmp_path, ("a", bytes(2**20)))
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\1\2") + 24
    content[place : place + 4] = struct.pack("<I", 10)
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be unpacked"):
        extract(path, into, limit_bytes=LIMIT)
    assert (into / "a").stat().st_size <= 2**20


@pytest.mark.parametrize("content", [b"", b"PK", os.urandom(1000), zlib.compress(b"x")])
def test_no_zip(tmp_path: Path, into: Path, content: bytes) -> None:
    (tmp_path / "upload.zip").write_bytes(content)
    with pytest.raises(InputError, match="is no zip file that can be read"):
        extract(tmp_path / "upload.zip", into, limit_bytes=LIMIT)


def test_an_empty_zip(tmp_path: Path, into: Path) -> None:
    with pytest.raises(InputError, match="holds nothing"):
        extract(made(tmp_path), into, limit_bytes=LIMIT)


def test_a_damaged_entry(tmp_path: Path, into: Path) -> None:
    path = made(tmp_path, ("a", b"12345"), method=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"12345", b"12344"))
    with pytest.raises(InputError, match="cannot be unpacked: Bad CRC-32"):
        extract(path, into, limit_bytes=LIMIT)


def test_memory_does_not_grow_with_the_archive(tmp_path: Path, into: Path) -> None:
    path = made(tmp_path, ("a", os.urandom(2**20) * 200), method=zipfile.ZIP_STORED)
    code = (
        "import resource, sys; from pathlib import Path; from precision.measure.models.archive import extract\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "extract(Path(sys.argv[1]), Path(sys.argv[2]), limit_bytes=2**30)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, path, into], capture_output=True, text=True, check=True)
    assert (into / "a").stat().st_size == 200 * 2**20
    assert int(done.stdout) < 20_000, "kB"
