"""Hugging Face architectures by configuration, with random weights: nothing is downloaded."""

from typing import Any

import torch
from torch import Tensor, nn

from precision.measure.models.built import Built
from precision.measure.models.quiet import quiet_transformers
from precision.models.architectures import ARCHITECTURES, Architecture
from precision.models.request import InputRequest


def build(request: InputRequest) -> Built:
    """The architecture's module with random inputs."""
    architecture = ARCHITECTURES[request.model]
    module = module_of(architecture)
    return Built(module, kwargs={**_random_inputs(architecture, module, request), **architecture.forward})


def skeleton(model_id: str) -> nn.Module:
    """The architecture's module on `meta`."""
    with torch.device("meta"):
        return module_of(ARCHITECTURES[model_id])


def module_of(architecture: Architecture) -> nn.Module:
    """The module, its weights drawn from torch's default generator (or on torch's default device `meta`)."""
    # Imported here because it takes seconds that no other model needs.
    with quiet_transformers():
        import transformers
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        config = getattr(transformers, architecture.config)(**architecture.settings)
        # The encoder alone is not exported at the top of transformers.
        model_class = (
            WhisperEncoder if architecture.model == "WhisperEncoder" else getattr(transformers, architecture.model)
        )
        module: nn.Module = model_class(config)
        return module


def _random_inputs(architecture: Architecture, module: Any, request: InputRequest) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(request.seed)
    config, batch = module.config, request.batch or architecture.batch
    if architecture.kind == "pixels":
        side = config.image_size
        return {"pixel_values": torch.randn(batch, config.num_channels, side, side, generator=generator)}
    if architecture.kind == "mel frames":
        # The second convolution has stride 2: two frames make one position.
        frames = 2 * config.max_source_positions
        return {"input_features": torch.randn(batch, config.num_mel_bins, frames, generator=generator)}
    size = (batch, request.length or 1)
    names = ("input_ids", "decoder_input_ids") if architecture.kind == "encoder and decoder ids" else ("input_ids",)
    return {name: torch.randint(0, config.vocab_size, size, generator=generator) for name in names}
