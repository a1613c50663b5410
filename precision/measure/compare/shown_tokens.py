"""The texts in which a language model's first choices change, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from precision.measure.metrics.decisions import first_largest
from precision.measure.metrics.outputs import Leaf
from precision.measure.models.loading import LoadedModel
from precision.results import ReadToken, ShownSample

SHOWN_TEXTS = 4


class _Text(NamedTuple):
    place: int
    ids: list[int]
    """What was read."""
    choices: list[tuple[int, int]]
    """The first choices of reference and candidate for what follows each of them."""
    margin: float
    """The smallest between the reference's two largest scores."""

    @property
    def order(self) -> tuple[int, float]:
        return -sum(before != after for before, after in self.choices), self.margin


def shown_tokens(reference: Leaf, candidate: Leaf, loaded: LoadedModel) -> list[ShownSample]:
    """Up to four texts: those with most changed first choices, then those with the closest call.

    Logits `(texts, positions, vocabulary)` are of what follows each position. None where the tokenizer is not known, or
    positions are not those of the ids read. Texts with a value that is not finite are left out.
    """
    named = loaded.named(loaded.args, loaded.kwargs)
    ids = named.get("decoder_input_ids", named.get("input_ids"))
    if loaded.tokenizer is None or not isinstance(ids, Tensor) or tuple(ids.shape) != reference.shape[:2]:
        return []
    texts = (_text(place, ids[place].cpu(), reference, candidate) for place in range(len(ids)))
    worst = sorted((text for text in texts if text), key=lambda text: text.order)[:SHOWN_TEXTS]
    return [ShownSample(place=text.place, tokens=_tokens(text, loaded.tokenizer)) for text in worst]


def _text(place: int, ids: Tensor, reference: Leaf, candidate: Leaf) -> _Text | None:
    """None where a score is not finite."""
    data = slice(None) if reference.rows is None else reference.rows[reference.rows[:, 0] == place, 1].cpu()
    r, y = (_rows(leaf, place) for leaf in (reference, candidate))
    if not len(r) or not (r.isfinite().all() and y.isfinite().all()):
        return None
    two = r.topk(2).values
    choices = zip(first_largest(r).tolist(), first_largest(y).tolist(), strict=True)
    return _Text(place, ids[data].tolist(), list(choices), float((two[:, 0] - two[:, 1]).min()))


def _rows(leaf: Leaf, place: int) -> Tensor:
    """The scores of one text, `(positions, vocabulary)`, of positions that are data."""
    rows = leaf.tensor[place] if leaf.rows is None else leaf.tensor[leaf.rows[:, 0] == place]
    return rows.detach().cpu().to(torch.promote_types(rows.dtype, torch.float32))


def _tokens(text: _Text, tokenizer: Any) -> tuple[ReadToken, ...]:
    """What was read; each token with the choices made before it, which are for its place."""
    ends = [len(_decoded(tokenizer, text.ids[:count])) for count in range(len(text.ids) + 1)]
    whole = _decoded(tokenizer, text.ids)
    read = [whole[start:end] for start, end in pairwise(ends)]
    found = [ReadToken(text=read[0])]
    for count, ((before, after), following) in enumerate(zip(text.choices, [*read[1:], ""], strict=True), 1):
        read_so_far = text.ids[:count]
        choices = None
        if before != after:
            choices = (_following(tokenizer, read_so_far, before), _following(tokenizer, read_so_far, after))
        found.append(ReadToken(text=following, choices=choices))
    return tuple(found)


def _following(tokenizer: Any, ids: Sequence[int], token: int) -> str:
    """A token as it reads after others, of which it depends whether it begins with a space."""
    return _decoded(tokenizer, [*ids, token], special=True)[len(_decoded(tokenizer, ids, special=True)) :]


def _decoded(tokenizer: Any, ids: Sequence[int], *, special: bool = False) -> str:
    text: str = tokenizer.decode(ids, skip_special_tokens=not special, clean_up_tokenization_spaces=False)
    return text
