"""Positions that are no data: what an attention mask, or the caller, says is padding enters no metric."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from precision.errors import InputError
from precision.measure.metrics.outputs import Flattened, flatten

if TYPE_CHECKING:
    from precision.measure.models.built import Batch
    from precision.measure.models.loading import LoadedModel

_IS_MASK = r"^attention_mask$|padding_mask$"
"""Names of arguments that say which positions are data, in transformers and in torch."""
_UNSEEN = -1000.0
"""What is added to the scores of keys that are not seen is at most this: their weights are then 0 in float32."""
_OF_DECODER = "decoder_"
"""How arguments of a decoder begin: its outputs are not at the encoder's positions."""


def data_output(output: object, loaded: LoadedModel, batch: Batch | None = None, *, detached: bool = True) -> Flattened:
    """The tensors of an output without the positions that are padding.

    Those are left out of tensors `(texts, positions, ...)` of three dimensions or more. `batch` is the call that gave
    the output; by default the first one. `detached` as in `flatten`.
    """
    flat, data = flatten(output, detached=detached), data_positions(loaded, batch)
    return flat if data is None else replace(flat, leaves=tuple(leaf.without(data) for leaf in flat.leaves))


def data_positions(loaded: LoadedModel, batch: Batch | None = None) -> Tensor | None:
    """`(texts, positions)`, True where there is data; None where all is, or nothing says which is.

    Raises:
        InputError: the caller's mask is not of that shape, or names no argument.
    """
    args, kwargs = (batch.args, batch.kwargs) if batch else (loaded.args, loaded.kwargs)
    named = loaded.named(args, kwargs)
    if loaded.mask is None:
        return _guessed(named)
    if isinstance(loaded.mask, Tensor):
        found = _data("mask", loaded.mask, by_caller=True)
    elif loaded.mask in named:
        found = _data(loaded.mask, named[loaded.mask], by_caller=True)
    else:
        raise InputError(f"mask = {loaded.mask!r}: no such argument. There are: {', '.join(named)}.")
    if found is None:
        raise InputError(
            f"mask = {loaded.mask if isinstance(loaded.mask, str) else 'a tensor'}: a tensor (texts, positions) is "
            "needed that is not zero where there is data, or negative where there is none."
        )
    if not found.any():
        raise InputError("mask = nothing: it excludes every position.")
    return None if found.all() else found


def padding_text(loaded: LoadedModel, what: str, *, batches: Iterable[Batch | None] = (None,)) -> tuple[str, ...]:
    """How many positions of these batches are padding, and `what` that means; nothing where none is."""
    found = [data for batch in batches if (data := data_positions(loaded, batch)) is not None]
    if not found:
        return ()
    padding, positions = sum(int((~data).sum()) for data in found), sum(data.numel() for data in found)
    return (f"{padding:,} of {positions:,} positions are padding: {what}.",)


def _guessed(named: Mapping[str, object]) -> Tensor | None:
    """By an argument of a usual name; None where that is not certain."""
    own = "decoder_attention_mask" if any(name.startswith(_OF_DECODER) for name in named) else ""
    for name, value in named.items():
        if name != own and (own or not re.search(_IS_MASK, name)):
            continue
        found = _data(name, value)
        # With as many texts as positions, it is not certain which of the two comes first.
        if found is not None and found.any() and not found.all() and found.shape[0] != found.shape[1]:
            return found
    return None


def _data_keys(mask: Tensor, *, says_padding: bool) -> Tensor | None:
    """Of a mask of attention `(texts, heads, queries, keys)`, the keys that a query sees; None where it is not certain.

    It is added, 0 where a query sees a key and far below elsewhere; or it holds truth values. A key that no query sees
    is padding where all others are seen by their own position: then the mask hides no data, as one of the past alone
    hides the last.
    """
    if mask.dtype == torch.bool:
        seen = ~mask if says_padding else mask
    elif bool(((mask == 0) | (mask <= _UNSEEN)).all()):
        seen = mask == 0
    else:
        return None
    seen = seen.any(1)
    data, (queries, keys) = seen.any(1), seen.shape[1:]
    if queries == 1:
        return data
    return data if queries == keys and not (data & ~seen.diagonal(dim1=1, dim2=2)).any() else None


def _data(name: str, mask: object, *, by_caller: bool = False) -> Tensor | None:
    """True where there is data; None for what cannot be read as a mask of positions.

    Truth values of an argument called padding are true at padding. Of numbers with such a name it is not certain,
    unless the caller says that it is a mask.
    """
    if not isinstance(mask, Tensor) or mask.dim() not in (2, 4) or mask.is_complex() or bool(mask.isnan().any()):
        return None
    says_padding = re.search("pad", name) is not None
    if mask.dim() == 4:
        return _data_keys(mask, says_padding=says_padding)
    if mask.dtype == torch.bool:
        return ~mask if says_padding else mask
    if bool((mask < 0).any()):  # additive: 0 where there is data
        return mask == 0
    return None if says_padding and not by_caller else mask != 0
