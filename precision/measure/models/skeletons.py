"""Models without values: every tensor on torch's `meta` device, where it has a shape and takes no memory."""

from __future__ import annotations

import torch
from torch import nn

from precision.measure.models import huggingface, pretrained
from precision.measure.models.loading import load
from precision.models.architectures import ARCHITECTURES
from precision.models.catalogue import HUB_PREFIX, describe
from precision.spec import RunSpec


def skeleton(model_id: str) -> nn.Module:
    """The module that `load` would give, on `meta`; only a checkpoint's configuration is read.

    Models of this package's own are so small that they are built and then moved.

    Raises:
        InputError: no such model, or no configuration of it.
    """
    describe(model_id)
    if model_id.startswith(HUB_PREFIX):
        return pretrained.skeleton_of(model_id.removeprefix(HUB_PREFIX).strip())
    if model_id == "minilm":
        return pretrained.minilm_skeleton()
    if model_id in ARCHITECTURES:
        with torch.device("meta"):
            return huggingface.module_of(ARCHITECTURES[model_id])
    return load(RunSpec(model=model_id)).module.to("meta")
