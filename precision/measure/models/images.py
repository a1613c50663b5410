"""Reads an image that somebody uploaded, of a few common formats, within limits that hold before it is decoded."""

import os
from pathlib import Path

from PIL import Image, ImageOps

from precision.errors import InputError
from precision.measure.models.foreign_files import explained, opened, shown

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
MAX_PIXELS = 50_000_000
MAX_IMAGE_BYTES = 64 * 2**20
_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "La", "RGBa")


def read_image(path: Path) -> Image.Image:
    """The image in RGB, upright; of an animation, the first picture. Transparency is dropped.

    Raises:
        InputError: of another format, of more than 50 million pixels or 64 MiB, damaged, or of more than 8 bits a
            channel, which RGB does not hold.
    """
    with opened(path) as file, explained(f"{shown(path)} is no image that can be read ({', '.join(FORMATS)})"):
        if os.fstat(file.fileno()).st_size > MAX_IMAGE_BYTES:
            raise InputError(f"{shown(path)} is larger than {MAX_IMAGE_BYTES} bytes. Give a smaller image.")
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InputError(
                    f"{shown(path)} has {image.width} × {image.height} pixels, beyond the limit of {MAX_PIXELS}."
                )
            if image.mode not in _EIGHT_BITS:
                raise InputError(f"{shown(path)} has more than 8 bits a channel. Save it with 8.")
            image.load()
            return ImageOps.exif_transpose(image).convert("RGB")
