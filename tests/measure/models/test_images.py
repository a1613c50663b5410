from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from precision.errors import InputError
from precision.measure.models.images import read_image


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", ["png", "webp", "bmp", "gif", "jpg"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (8, 6), (250, 10, 10)).save(path)
    image = read_image(path)
    assert (image.mode, image.size) == ("RGB", (8, 6))
    assert all(abs(seen - made) < 8 for seen, made in zip(image.getpixel((3, 3)), (250, 10, 10), strict=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (4, 4)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").mode == "RGB"


def test_the_first_picture_of_an_animation(tmp_path: Path) -> None:
    red, blue = (Image.new("RGB", (4, 4), color) for color in ("red", "blue"))
    red.save(tmp_path / "a.gif", save_all=True, append_images=[blue])
    assert read_image(tmp_path / "a.gif").getpixel((0, 0)) == (255, 0, 0)


def test_a_photograph_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").size == (4, 8)


@pytest.mark.parametrize("suffix", ["tiff", "ico", "ppm", "icns", "eps"])
def test_other_formats_whatever_they_are_called(tmp_path: Path, suffix: str) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / f"a.{suffix}")
    (tmp_path / f"a.{suffix}").rename(tmp_path / "a.png")
    with pytest.raises(InputError, match="is no image that can be read"):
        read_image(tmp_path / "a.png")


def test_more_than_eight_bits(tmp_path: Path) -> None:
    Image.new("I;16", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="has more than 8 bits a channel"):
        read_image(tmp_path / "a.png")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [7072, 12_000, 60_000])
def test_a_bomb_is_not_decoded(tmp_path: Path, side: int) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(side, side, chunk(b"IDAT", zlib.compress(b""))))
    with pytest.raises(InputError, match=r"beyond the limit of 50000000|exceeds limit"):
        read_image(path)


def test_a_text_that_unpacks_to_more_than_it_is(tmp_path: Path) -> None:
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(8 * 2**20)))
    (tmp_path / "a.png").write_bytes(png(1, 1, text, chunk(b"IDAT", zlib.compress(bytes(4)))))
    assert PngImagePlugin.MAX_TEXT_CHUNK <= 2**20
    with pytest.raises(InputError, match="is no image that can be read"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif"])
def test_a_file_cut_off(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.effect_noise((64, 64), 50).convert("RGB").save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="is no image that can be read"):
        read_image(path)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"<svg/>", b"BM" + bytes(60)])
def test_no_image(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match="is no image that can be read"):
        read_image(tmp_path / "a.png")


def test_a_file_too_large(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(64 * 2**20 + 1)
    with pytest.raises(InputError, match="is larger than 67108864 bytes"):
        read_image(tmp_path / "a.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(InputError, match="is not a regular file"):
        read_image(tmp_path / "a.png")
