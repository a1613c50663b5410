"""Which positions are data: by the names that transformers and torch use, or by what the caller says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from precision.errors import InputError
from precision.measure.metrics.outputs import Leaf, flatten
from precision.measure.models.padding import data_output, data_positions
from precision.measure.own_model import own_model

MASK = torch.tensor([[1, 1, 1], [1, 0, 0]])
CAUSAL = torch.ones(3, 3, dtype=torch.long).tril()


def added(seen: Tensor, below: float = -torch.inf) -> Tensor:
    """What is added to the scores where a query sees a key, and where not."""
    return torch.zeros(seen.shape).masked_fill(seen == 0, below)


class Takes(nn.Module):
    """Hands on its first argument; the names of the others say what they are."""

    def forward(
        self,
        x: Tensor,
        attention_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        pad: Tensor | None = None,
    ) -> Tensor:
        return x


def data(mask: Tensor | str | None = None, **arguments: Tensor) -> Tensor | None:
    return data_positions(own_model(Takes(), {"x": torch.ones(2, 3, 4), **arguments}, mask=mask))


@pytest.mark.parametrize(
    ("arguments", "mask"),
    [
        ({"attention_mask": MASK}, None),
        ({"attention_mask": MASK.float()}, None),
        ({"attention_mask": MASK.bool()}, None),
        ({"src_key_padding_mask": ~MASK.bool()}, None),
        ({"pad": ~MASK.bool()}, "pad"),
        ({"pad": MASK}, "pad"),
        ({"src_key_padding_mask": torch.zeros(2, 3).masked_fill(MASK == 0, -torch.inf)}, None),
        ({"attention_mask": (1.0 - MASK) * -1e9}, None),
        ({"attention_mask": added(MASK[:, None, None])}, None),
        ({"attention_mask": added(MASK[:, None, None] * CAUSAL)}, None),
        ({"attention_mask": added(MASK[:, None, None].expand(2, 4, 3, 3))}, None),
        ({"attention_mask": (MASK[:, None, None] * CAUSAL).bool()}, None),
        ({"src_key_padding_mask": ~MASK[:, None, None].bool()}, None),
        ({"pad": added(MASK[:, None, None], -1e4)}, "pad"),
        ({}, MASK),
        ({"attention_mask": torch.ones(2, 3)}, MASK.bool()),
    ],
)
def test_what_says_where_the_data_are(arguments: dict[str, Tensor], mask: Tensor | str | None) -> None:
    found = data(mask, **arguments)
    assert found is not None
    assert torch.equal(found, MASK.bool())


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"pad": MASK},
        {"src_key_padding_mask": MASK},
        {"attention_mask": torch.ones(2, 3)},
        {"attention_mask": torch.zeros(2, 3)},
        {"attention_mask": torch.ones(2, 1, 3, 3)},
        {"attention_mask": added(CAUSAL.expand(2, 1, 3, 3))},
        {"attention_mask": added(CAUSAL.tril(-1).expand(2, 1, 3, 3))},
        {"attention_mask": added(MASK[:, None, None], -8.0)},
        {"attention_mask": added((MASK[:, None, None] * CAUSAL)[:, :, 1:])},
    ],
)
def test_without_a_sign_of_padding_everything_is_data(arguments: dict[str, Tensor]) -> None:
    assert data(None, **arguments) is None


@pytest.mark.parametrize("mask", ["nothing", "x"])
def test_a_mask_that_cannot_be_one_is_refused(mask: str) -> None:
    with pytest.raises(InputError, match="mask = "):
        data(mask)


def leaf(output: Tensor) -> Leaf:
    loaded = own_model(Takes(), {"x": output, "attention_mask": MASK})
    return data_output(output, loaded).leaves[0]


def test_padding_is_left_out_of_tensors_with_positions_and_of_no_others() -> None:
    tokens = torch.arange(24.0).reshape(2, 3, 4)
    found = leaf(tokens)
    assert torch.equal(found.tensor, tokens[MASK.bool()])
    assert (found.shape, found.left_out) == ((2, 3, 4), 2)
    assert found.index((3, 1)) == (1, 0, 1)
    assert torch.equal(found.padded(), tokens * MASK[..., None])
    clusters = found.clusters()
    assert clusters is not None
    assert clusters.tolist() == [0, 0, 0, 1]
    assert leaf(torch.ones(2, 3)).left_out == 2
    for other in (torch.ones(2, 4, 3), torch.ones(2, 3, 3, 3), torch.ones(2)):
        assert leaf(other).rows is None


@pytest.mark.parametrize(
    "path", ["text_embeds", "pooler_output", "image_embeds", "vision_model_output.last_hidden_state"]
)
def test_what_is_as_wide_as_the_texts_are_long_by_chance_has_no_padding(path: str) -> None:
    value = torch.ones(2, 3, 4) if path.endswith("state") else torch.ones(2, 3)
    found = replace(flatten(value).leaves[0], path=path)
    assert found.without(MASK.bool()).rows is None


def test_the_mask_of_an_encoder_says_nothing_of_a_decoder() -> None:
    class Decodes(nn.Module):
        def forward(self, attention_mask: Tensor, decoder_ids: Tensor, decoder_attention_mask: Tensor) -> Tensor:
            return decoder_ids

    arguments = {"attention_mask": MASK, "decoder_ids": torch.ones(2, 3), "decoder_attention_mask": torch.ones(2, 3)}
    assert data_positions(own_model(Decodes(), arguments)) is None
    found = data_positions(own_model(Decodes(), arguments | {"decoder_attention_mask": MASK}))
    assert found is not None
    assert torch.equal(found, MASK.bool())
