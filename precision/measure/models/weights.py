"""Fills a model with the weights of its checkpoint, widened to float32."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from precision.measure.models.checkpoint import Checkpoint
from precision.measure.models.foreign_files import explained
from precision.measure.models.quantized_checkpoint import read_quantized, stored_as_they_are
from precision.results import StoredWeight

_AS_WIDE = {"float32", "float64", "int32", "int64", "bool"}


class Filled(NamedTuple):
    """A model with its weights."""

    module: nn.Module
    missing: tuple[str, ...]
    """Tensors that the checkpoint lacks; they have random values."""
    stored: tuple[StoredWeight, ...]
    """What the checkpoint stores each tensor as."""


def fill(checkpoint: Checkpoint, config: Any, skeleton: Any) -> Filled:
    """The model of `skeleton`'s class, in float32, with the weights of a checked checkpoint.

    Args:
        checkpoint: what is read.
        config: the transformers configuration; what it says of quantization is taken out.
        skeleton: the model on `meta`.

    Raises:
        InputError: the weights cannot be read, or do not fit.
    """
    source: dict[str, object] = {"pretrained_model_name_or_path": checkpoint.folder, "use_safetensors": True}
    stored = stored_as_they_are(checkpoint.tensors)
    if checkpoint.quantization is not None:
        read = read_quantized(checkpoint, skeleton)
        source, stored = {"pretrained_model_name_or_path": None, "state_dict": read.tensors}, read.stored
        if hasattr(config, "quantization_config"):
            del config.quantization_config
    with explained(f"{checkpoint.folder}: its weights cannot be loaded"):
        module, info = type(skeleton).from_pretrained(
            **source, config=config, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    return Filled(module, tuple(sorted(info["missing_keys"])), stored)


def stored_warnings(checkpoint: Checkpoint, stored: tuple[StoredWeight, ...]) -> Iterator[str]:
    """What to know of values that are stored in fewer bits than float32."""
    if checkpoint.quantization is None:
        narrow = [each for each in checkpoint.dtypes if each.startswith(("F", "BF")) and each not in ("F32", "F64")]
        if narrow:
            yield f"The checkpoint stores {', '.join(narrow)} values; they were widened to float32 for the reference."
        return
    for kind in sorted({each.format for each in stored} - _AS_WIDE):
        weights = [each for each in stored if each.format == kind]
        bits = 8 * sum(each.stored_bytes for each in weights) / max(1, sum(each.elements for each in weights))
        yield (
            f"The checkpoint stores {len(weights)} tensors as {kind}, in {bits:.3g} bits a value with their scales; "
            f"they were widened to float32 for the reference."
        )
    if checkpoint.quantization.quantizes_activations:
        yield "This checkpoint is meant to have its activations quantized too, as it computes. Here they are not."
