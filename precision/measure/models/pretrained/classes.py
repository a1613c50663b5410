"""The class of transformers that a checkpoint's configuration asks for, and what its forward takes."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from precision.errors import InputError
from precision.measure.models.bounded_build import bounded_build
from precision.measure.models.foreign_files import explained, shown

PLACEHOLDERS = ("image_token_id", "image_token_index", "video_token_id", "audio_token_id", "audio_token_index")
"""Settings of models whose text holds a token where a picture or sound goes."""
_SOUND = ("input_features", "input_values")


def configured(folder: Path, settings: Mapping[str, object]) -> Any:
    """The model of a checked config.json on `meta`, float32: the class that it names, or its architecture without head.

    Raises:
        InputError: transformers has no such architecture, or can build nothing from these settings.
    """
    import transformers

    model_type = settings["model_type"]
    if model_type not in transformers.CONFIG_MAPPING:
        raise InputError(
            f"{folder}: transformers {transformers.__version__} has no architecture {shown(str(model_type))!r}."
        )
    with explained(f"{folder}: no model can be built from its config.json"), bounded_build(f"{folder}/config.json"):
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        with torch.device("meta"):
            if named := _named(config):
                return named._from_config(config, dtype=torch.float32)
            base: Any = transformers.AutoModel
            return base.from_config(config, trust_remote_code=False, dtype=torch.float32)


def _named(config: Any) -> Any:
    """The first class that the configuration names, of those that transformers makes of such a configuration."""
    import transformers

    for name in config.architectures or ():
        found = getattr(transformers, name, None) if isinstance(name, str) else None
        if (
            isinstance(found, type)
            and issubclass(found, transformers.PreTrainedModel)
            and found.config_class is type(config)
        ):
            return found
    return None


def arguments_of(module: Any) -> Mapping[str, inspect.Parameter]:
    """What the model's forward takes, by name."""
    return inspect.signature(module.forward).parameters


@dataclass(frozen=True)
class Taken:
    """What kinds of input a model is called with."""

    text: bool
    pictures: bool
    sound: str | None
    """The name of its argument."""
    others: tuple[str, ...]
    """Arguments that it needs and that are none of these."""
    in_text: bool
    """Whether its text holds a token where a picture or sound goes."""
    speaks: bool
    """Whether its decoder reads what it is to say."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the arguments."""
        own = {"input_ids": self.text, "pixel_values": self.pictures, str(self.sound): self.sound is not None}
        return (*(name for name, is_taken in own.items() if is_taken), *self.others)


def taken_by(module: Any) -> Taken:
    """Its main inputs, those without a default, and what it sets beside its text."""
    arguments, main, config = arguments_of(module), module.main_input_name, module.config
    required = (name for name, each in arguments.items() if each.default is each.empty and _is_named(each))
    needed = dict.fromkeys((*([main] if isinstance(main, str) else main), *required))
    hears = needed if getattr(config, "audio_config", None) is None else arguments
    sound = next((name for name in _SOUND if name in hears), None)
    pictures = "pixel_values" in arguments
    return Taken(
        text="input_ids" in needed or ("input_ids" in arguments and (pictures or sound is not None)),
        pictures=pictures,
        sound=sound,
        others=tuple(name for name in needed if name not in ("input_ids", "pixel_values", *_SOUND)),
        in_text="input_ids" in arguments and setting(config, *PLACEHOLDERS) is not None,
        speaks=bool(config.is_encoder_decoder) and "decoder_input_ids" in arguments,
    )


def _is_named(parameter: inspect.Parameter) -> bool:
    return parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)


def setting(config: Any, *names: str) -> Any:
    """The first of these settings that the configuration, or that of one of its parts, has; None where none has."""
    found = (getattr(part, name, None) for part in parts_of(config) for name in names)
    return next((value for value in found if value is not None), None)


def parts_of(config: Any) -> Iterator[Any]:
    """A configuration, and those that it is made of."""
    yield config
    for part in vars(config).values():
        if hasattr(part, "model_type") and hasattr(part, "to_dict"):
            yield from parts_of(part)
