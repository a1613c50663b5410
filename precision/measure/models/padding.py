"""Positions that are no data: what an attention mask, or the caller, says is padding enters no metric."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from precision.errors import InputError
from precision.measure.metrics.outputs import Flattened, flatten

if TYPE_CHECKING:
    from precision.measure.models.loading import Batch, LoadedModel

_TRUE_IS_PADDING = r"pad"
"""In the name of a mask of truth values; in all other masks, what is not zero is data."""
_IS_MASK = r"^attention_mask$|padding_mask$"
"""Names of arguments that say which positions are data, in transformers and in torch."""


def data_output(output: object, loaded: LoadedModel, batch: Batch | None = None) -> Flattened:
    """The tensors of an output without the positions that are padding.

    Those are left out of tensors `(texts, positions, ...)` of three dimensions or more. `batch` is the call that gave
    the output; by default the first one.
    """
    flat, data = flatten(output), data_positions(loaded, batch)
    return flat if data is None else replace(flat, leaves=tuple(leaf.without(data) for leaf in flat.leaves))


def data_positions(loaded: LoadedModel, batch: Batch | None = None) -> Tensor | None:
    """`(texts, positions)`, True where there is data; None where all is, or nothing says which is.

    Raises:
        InputError: the caller's mask is not of that shape, or names no argument.
    """
    args, kwargs = (batch.args, batch.kwargs) if batch else (loaded.args, loaded.kwargs)
    named = loaded.named(args, kwargs)
    if isinstance(loaded.mask, Tensor):
        found: Tensor | None = _data("mask", loaded.mask)
    elif loaded.mask is not None:
        if loaded.mask not in named:
            raise InputError(f"mask = {loaded.mask!r}: no such argument. There are: {', '.join(named)}.")
        found = _data(loaded.mask, named[loaded.mask])
    else:
        found = _guessed(named)
    return None if found is None or found.all() else found


def _guessed(named: Mapping[str, object]) -> Tensor | None:
    for name, value in named.items():
        if re.search(_IS_MASK, name) and isinstance(value, Tensor) and value.dim() == 2:
            found = _data(name, value)
            if found.any():
                return found
    return None


def _data(name: str, mask: object) -> Tensor:
    if not isinstance(mask, Tensor) or mask.dim() != 2:
        raise InputError(f"mask = {name}: a tensor (texts, positions) is needed.")
    if mask.dtype == torch.bool:
        return ~mask if re.search(_TRUE_IS_PADDING, name) else mask
    return mask != 0
