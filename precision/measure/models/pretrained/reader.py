"""Samples as the arguments of a checkpoint's model, by its own tokenizer and processors."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from precision.errors import InputError, UnsupportedError
from precision.measure.models.foreign_files import explained
from precision.measure.models.images import read_image
from precision.measure.models.pretrained.classes import arguments_of, taken_by
from precision.measure.models.pretrained.tokens import (
    decoder_inputs,
    has_tokenizer,
    max_length,
    tokenizer_in,
    tokens_of,
)
from precision.measure.models.samples import Samples, lines_of, shipped
from precision.measure.models.sound import read_sound
from precision.models.request import InputRequest
from precision.spec import MAX_LENGTH

_ASK = "Describe this."
_FIXED = ("n_samples", "nb_max_samples", "max_length")
"""Settings of feature extractors that make one length of recordings of any length."""
_OF_A_PROCESSOR = "Choose the input 'random', or give a folder with its preprocessor_config.json"


class Reader:
    """What a model takes, and how its samples become that."""

    def __init__(self, folder: Path, module: Any, request: InputRequest) -> None:
        """Look at what `forward` takes; nothing is loaded yet.

        Raises:
            UnsupportedError: it takes something else than texts, pictures and recordings.
        """
        self._folder, self._module, self._request = folder, module, request
        self._names, self._taken = arguments_of(module), taken_by(module)
        others = "films" if self._taken.pictures and getattr(module.config, "num_frames", None) else ""
        if others := others or ", ".join(self._taken.others):
            raise UnsupportedError(
                f"{folder} is a {type(module).__name__}, which takes {others}: neither text, pictures nor recordings. "
                f"Choose the input 'random', or give a file of arrays."
            )

    @property
    def samples(self) -> Samples:
        """Those of the request, or those that ship."""
        request, taken = self._request, self._taken
        own = shipped(pictures=taken.pictures, sound=taken.sound is not None)
        if request.text is not None:
            lines = lines_of(request.text)
            if not (taken.text or taken.speaks):
                raise InputError(f"A {type(self._module).__name__} reads no text. Leave the text empty.")
            own = Samples(lines, _again(own.pictures, len(lines)), _again(own.recordings, len(lines)))
        if request.batch is not None and request.batch > len(own):
            raise InputError(_too_few(request.batch, len(own), own))
        return own.first(request.batch)

    @cached_property
    def tokenizer(self) -> Any:
        """What reads and writes its text; None of a model without."""
        needed = self._taken.text or (self._taken.speaks and has_tokenizer(self._folder))
        return tokenizer_in(self._folder) if needed else None

    @property
    def is_text(self) -> bool:
        """Whether text is all that the model takes."""
        return self._taken.text and not self._taken.pictures and self._taken.sound is None

    @property
    def fixed_length(self) -> bool:
        """Whether recordings of any length become inputs of one length."""
        return any(getattr(self._extractor, name, None) for name in _FIXED)

    def for_all(self, samples: Samples) -> Self:
        """To read these samples in several batches, of one length.

        Raises:
            InputError: they are not what the model takes.
        """
        taken = self._taken
        lacking = [
            what
            for what, is_needed, given in (
                ("texts", taken.text and not taken.in_text, samples.texts),
                ("pictures", taken.pictures, samples.pictures),
                ("recordings", taken.sound is not None, samples.recordings),
            )
            if is_needed and not given
        ]
        if lacking:
            raise InputError(f"A {type(self._module).__name__} takes {' and '.join(lacking)}; the data has none.")
        if self.is_text and self._request.length is None and self.tokenizer.pad_token is not None:
            limit = max_length(self._module, self._request) or MAX_LENGTH
            longest = max(map(len, self.tokenizer(list(samples.texts))["input_ids"]))
            self._request = replace(self._request, length=max(1, min(longest, limit)))
        return self

    @property
    def usual_batch(self) -> int:
        """How many samples run at once where nobody says; recordings of unlike lengths one by one."""
        if self.is_text:
            return 16
        return 1 if self._taken.sound and not self.fixed_length else 4

    def arguments(self, samples: Samples) -> dict[str, object]:
        """What the model is called with for these samples.

        Raises:
            InputError: the checkpoint lacks what reads them, or it cannot read these.
        """
        taken = self._taken
        images = [read_image(path) for path in samples.pictures] if taken.pictures else []
        sounds = self._recordings(samples) if taken.sound else []
        if (images or sounds) and taken.in_text:
            found = dict(self._together(samples, images, sounds))
        else:
            found = {}
            if taken.text:
                found.update(tokens_of(self.tokenizer, samples.texts, self._module, self._request))
            if images:
                found.update(self._called(self._processor("AutoImageProcessor"), images))
            if sounds:
                found.update(self._heard(sounds))
        if taken.speaks:
            found |= self._spoken(samples, found)
        return {name: value for name, value in found.items() if name in self._names}

    def _recordings(self, samples: Samples) -> list[np.ndarray]:
        rate = self._extractor.sampling_rate
        sounds = [read_sound(path, rate) for path in samples.recordings]
        # Padding is no data: what is padded to one length by the model's own rule stays whole.
        return sounds if self.fixed_length else [sound[: min(map(len, sounds))] for sound in sounds]

    @cached_property
    def _extractor(self) -> Any:
        return self._processor("AutoFeatureExtractor")

    def _heard(self, sounds: list[np.ndarray]) -> Mapping[str, Tensor]:
        return self._called(self._extractor, sounds, sampling_rate=self._extractor.sampling_rate)

    def _spoken(self, samples: Samples, found: Mapping[str, Any]) -> dict[str, Tensor]:
        """What the decoder reads: the text that it is to say; without a tokenizer, its start alone."""
        if self.is_text:
            return decoder_inputs(self._folder, self._module, found["input_ids"])
        if self.tokenizer is None or not samples.texts:
            return decoder_inputs(self._folder, self._module, torch.zeros(len(samples), 1, dtype=torch.long))
        tokens = tokens_of(self.tokenizer, samples.texts, self._module, self._request)
        mask = tokens.get("attention_mask") if "decoder_attention_mask" in self._names else None
        return decoder_inputs(self._folder, self._module, tokens["input_ids"], mask)

    def _together(self, samples: Samples, images: list[Any], sounds: list[np.ndarray]) -> Mapping[str, Tensor]:
        """Text with a place for each picture or recording, as the processor of both writes it."""
        processor = self._processor("AutoProcessor")
        kind = "image" if images else "audio"
        texts = [self._prompt(processor, kind, text) for text in samples.texts or [_ASK] * len(samples)]
        given: dict[str, Any] = {"images": images} if images else {"audio": sounds}
        return self._called(processor, text=texts, padding=True, **given)

    def _prompt(self, processor: Any, kind: str, text: str) -> str:
        text = text if self._request.text else _ASK
        if getattr(processor, "chat_template", None):
            content = [{"type": kind}, {"type": "text", "text": text}]
            prompt: str = processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
            )
            return prompt
        return f"{getattr(processor, f'{kind}_token', '')}{text}"

    def _processor(self, name: str) -> Any:
        import transformers

        with explained(f"{self._folder}: what prepares its pictures or sound cannot be loaded. {_OF_A_PROCESSOR}"):
            return getattr(transformers, name).from_pretrained(
                self._folder, trust_remote_code=False, local_files_only=True
            )

    def _called(self, processor: Any, *given: Any, **settings: Any) -> Mapping[str, Tensor]:
        with explained(f"{self._folder}: its {type(processor).__name__} fails"):
            return dict(processor(*given, return_tensors="pt", **settings))


def _again(files: tuple[Path, ...], count: int) -> tuple[Path, ...]:
    """So many of them, from the first again after the last."""
    return tuple(files[place % len(files)] for place in range(count)) if files else ()


def _too_few(asked: int, there: int, samples: Samples) -> str:
    what = "pictures" if samples.pictures else "recordings" if samples.recordings else "sentences, one per line"
    return f"A batch of {asked} needs {asked} {what}; there are {there}."
