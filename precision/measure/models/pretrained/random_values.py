"""Random arguments for a model of transformers, in the shapes that its configuration says."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from precision.errors import UnsupportedError
from precision.measure.models.pretrained.classes import PLACEHOLDERS, setting, taken_by
from precision.models.request import InputRequest

_SIDE, _FRAMES, _SAMPLES = 224, 16, 16_000
"""Of a picture in pixels, of a film in pictures, and of a second of sound, where the configuration is silent."""


class _Size(NamedTuple):
    batch: int
    length: int
    generator: torch.Generator


def random_inputs(module: Any, request: InputRequest) -> dict[str, Tensor]:
    """Seeded values for what the model needs; ids are uniform over the vocabulary, all else is standard normal.

    Raises:
        UnsupportedError: it needs an argument of which no random values make sense.
    """
    size = _Size(request.batch or 2, request.length or 32, torch.Generator().manual_seed(request.seed))
    taken = taken_by(module)
    # Without a picture, no token of the text stands for one.
    names = ("input_ids", *taken.others) if taken.in_text else taken.names
    if unknown := [name for name in names if name not in _DRAWN]:
        raise UnsupportedError(
            f"{type(module).__name__} needs {', '.join(unknown)}, of which no random values make sense. "
            f"Give a file of arrays with these names, or samples of its own kind."
        )
    return {name: _DRAWN[name](module.config, size) for name in names}


def _ids(config: Any, size: _Size) -> Tensor:
    text = config.get_text_config()
    vocabulary = setting(text, "vocab_size") or setting(config, "vocab_size")
    ids = torch.randint(0, vocabulary, (size.batch, size.length), generator=size.generator)
    # A token that stands for a picture or sound needs one.
    for name in PLACEHOLDERS:
        if (token := getattr(config, name, None)) is not None:
            ids[ids == token] = (token + 1) % vocabulary
    return ids


def _pixels(config: Any, size: _Size) -> Tensor:
    side = setting(config, "image_size") or _SIDE
    height, width = (side["height"], side["width"]) if isinstance(side, Mapping) else _two(side)
    channels = setting(config, "num_channels", "in_channels") or 3
    return torch.randn(size.batch, channels, height, width, generator=size.generator)


def _film(config: Any, size: _Size) -> Tensor:
    side, frames = _two(setting(config, "image_size", "crop_size") or _SIDE), setting(config, "num_frames") or _FRAMES
    channels = setting(config, "num_channels", "in_chans") or 3
    return torch.randn(size.batch, frames, channels, *side, generator=size.generator)


def _pictures(config: Any, size: _Size) -> Tensor:
    return (_film if getattr(config, "num_frames", None) else _pixels)(config, size)


def _two(side: Any) -> tuple[int, int]:
    return (side, side) if isinstance(side, int) else (side[0], side[-1])


def _sound(config: Any, size: _Size) -> Tensor:
    """A second of sound; of a model that reads spectra there, as many as it has places for."""
    bins, frames = setting(config, "num_mel_bins"), setting(config, "max_length")
    if bins and frames and hasattr(config, "frequency_stride"):
        return torch.randn(size.batch, frames, bins, generator=size.generator)
    channels = getattr(config, "audio_channels", None)
    shape = (size.batch, channels, _SAMPLES) if channels else (size.batch, _SAMPLES)
    return torch.randn(shape, generator=size.generator)


def _spectra(config: Any, size: _Size) -> Tensor:
    """Features of sound: `(batch, bins, frames)` before convolutions over time, else `(batch, frames, bins)`."""
    if positions := setting(config, "max_source_positions"):
        if per_frame := setting(config, "input_feat_per_channel"):
            return torch.randn(size.batch, positions // 4, per_frame, generator=size.generator)
        bins = setting(config, "num_mel_bins") or 80
        # The second convolution has stride 2: two frames make one position.
        return torch.randn(size.batch, bins, 2 * positions, generator=size.generator)
    if (spectrum := setting(config, "spec_size")) and (bins := setting(config, "num_mel_bins")):
        return torch.randn(size.batch, 1, spectrum * spectrum // bins, bins, generator=size.generator)
    bins = setting(config, "feature_projection_input_dim", "num_mel_bins", "input_size", "hidden_size")
    return torch.randn(size.batch, 4 * size.length, bins, generator=size.generator)


def _series(config: Any, size: _Size) -> Tensor:
    channels, steps = setting(config, "num_input_channels"), setting(config, "context_length")
    shape = (size.batch, steps, channels) if channels else (size.batch, steps)
    return torch.randn(shape, generator=size.generator)


_DRAWN: Mapping[str, Callable[[Any, _Size], Tensor]] = {
    "input_ids": _ids,
    "pixel_values": _pictures,
    "pixel_values_videos": _film,
    "input_values": _sound,
    "input_features": _spectra,
    "past_values": _series,
}
