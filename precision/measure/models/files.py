"""One user's file as what it holds: a picture, or a recording. Read in the worker, never in the web process."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from PIL import Image

from precision.errors import InputError

_SOUND_LIMIT_SECONDS = 600
_PICTURE_LIMIT_PIXELS = 50_000_000


def read_image(path: Path) -> Image.Image:
    """A picture."""
    with Image.open(path) as image:
        return image.convert("RGB")


def read_sound(path: Path, rate: int) -> npt.NDArray[np.float32]:
    """One channel of a recording, `rate` samples a second, between -1 and 1.

    WAV, FLAC, Ogg and MP3; channels are averaged.

    Raises:
        InputError: it is none of these, broken, empty, or longer than ten minutes.
    """
    try:
        with soundfile.SoundFile(path) as opened:
            if not 0 < opened.frames <= _SOUND_LIMIT_SECONDS * opened.samplerate:
                raise InputError(
                    f"{path.name} holds {opened.frames / opened.samplerate:,.0f} s of sound. "
                    f"A recording is at most {_SOUND_LIMIT_SECONDS} s long, and not empty."
                )
            sound, own = opened.read(dtype="float32", always_2d=True), opened.samplerate
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise InputError(f"{path.name} is no recording that can be read (WAV, FLAC, Ogg or MP3): {error}") from error
    mono: npt.NDArray[np.float32] = soxr.resample(sound.mean(axis=1), own, rate)
    return mono
