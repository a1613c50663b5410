"""Recordings, as one channel at the rate that a model hears at."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from precision.errors import InputError
from precision.measure.models.foreign_files import explained, opened, shown

_LIMIT_SECONDS = 600


def read_sound(path: Path, rate: int) -> npt.NDArray[np.float32]:
    """One channel of a recording, `rate` samples a second, between -1 and 1.

    WAV, FLAC, Ogg and MP3; channels are averaged.

    Raises:
        InputError: it is none of these, broken, empty, or longer than ten minutes.
    """
    what = f"{shown(path.name)} is no recording that can be read (WAV, FLAC, Ogg or MP3)"
    with opened(path) as file, explained(what), soundfile.SoundFile(file) as recording:
        seconds = recording.frames / recording.samplerate
        if not 0 < seconds <= _LIMIT_SECONDS:
            raise InputError(
                f"{shown(path.name)} holds {seconds:,.0f} s of sound. A recording is at most {_LIMIT_SECONDS} s long, "
                "and not empty."
            )
        sound, own_rate = recording.read(dtype="float32", always_2d=True), recording.samplerate
    mono: npt.NDArray[np.float32] = soxr.resample(sound.mean(axis=1), own_rate, rate)
    return mono
