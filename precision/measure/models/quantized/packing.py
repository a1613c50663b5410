"""Small integers out of 32-bit words, and scales over the elements that share them."""

import torch
from torch import Tensor

_WORD_BITS = 32


def unpacked(words: Tensor, bits: int, count: int) -> Tensor:
    """The first `count` unsigned integers of each row, uint8, lowest bits first.

    Args:
        words: `(rows, words)` int32.
        bits: 2, 4 or 8.
        count: integers in a row.

    Raises:
        ValueError: the words are not as many as the integers need.
    """
    per_word = _WORD_BITS // bits
    if words.dtype != torch.int32 or words.dim() != 2 or words.shape[1] != -(-count // per_word):
        raise ValueError(
            f"{tuple(words.shape)} words of {words.dtype} do not hold {count} integers of {bits} bits a row"
        )
    values = torch.empty((*words.shape, per_word), dtype=torch.uint8)
    for place in range(per_word):
        values[..., place] = (words >> place * bits) & (2**bits - 1)
    return values.flatten(1)[:, :count]


def checked_groups(groups: Tensor, count: int) -> Tensor:
    """Which group each of `count` columns belongs to, as an index.

    Raises:
        ValueError: there are not as many, or one is negative.
    """
    if groups.shape != (count,) or bool((groups < 0).any()):
        raise ValueError(f"g_idx of shape {tuple(groups.shape)} does not name a group for each of {count} columns")
    return groups.long()


def spread(scale: Tensor, shape: tuple[int, int], *, block: tuple[int, int] | None = None) -> Tensor:
    """A scale for each element of a weight, or one that broadcasts to it.

    Args:
        scale: one value; one a row, `(rows,)` or `(rows, 1)`; one a group of columns, `(rows, groups)`; or, with
            `block`, one a block, the last ones cut off by the edge.
        shape: rows and columns of the weight.
        block: rows and columns that share a scale, where the shape of `scale` is that of the blocks.

    Raises:
        ValueError: the shapes do not belong together.
    """
    rows, columns = shape
    if scale.numel() == 1:
        return scale.reshape(1, 1)
    if scale.dim() == 1:
        scale = scale.unsqueeze(1)
    if block is not None and tuple(scale.shape) == (-(-rows // block[0]), -(-columns // block[1])):
        return scale.repeat_interleave(block[0], 0)[:rows].repeat_interleave(block[1], 1)[:, :columns]
    if scale.dim() == 2 and scale.shape[0] == rows and scale.shape[1] > 0 and columns % scale.shape[1] == 0:
        return scale if scale.shape[1] == 1 else scale.repeat_interleave(columns // scale.shape[1], 1)
    raise ValueError(f"scales of shape {tuple(scale.shape)} do not belong to a weight of shape {shape}")
