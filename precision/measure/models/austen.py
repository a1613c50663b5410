"""A small language model, trained on five of Jane Austen's novels, with the chapters it has not seen; and its twins.

A twin is the same function: some weights times a power of two, and others divided by it, so that every output is the
same, bit for bit, in float32 and in bfloat16. Only the values on the way are larger, as in models that have outliers.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from precision import models
from precision.measure.models.built import Built
from precision.measure.models.pretrained.build import build_from, skeleton_in
from precision.models.request import InputRequest

STORED = Path(models.__file__).parent / "weights" / "austen"
HELD_OUT = STORED / "held_out.txt"
"""The chapters not trained on, a paragraph a line."""
END = "<|end|>"
"""The one special token: it stands before each paragraph."""
WINDOW = 256
"""Tokens that the model was trained to read at once."""

_PARAGRAPHS, _LENGTH = 32, 64
"""Read where nobody says how many, and of how many tokens."""
_LONG_CHARACTERS = 250
"""A paragraph of so many fills that length."""
_OVERFLOWING = 2.0**12
_OUTLYING = 2.0**7
_OUTLIERS = 2
"""Channels that the twin with outliers has."""


def build(request: InputRequest) -> Built:
    """The trained model or one of its twins, with paragraphs it has not seen, your own text or random token ids."""
    if request.choice.takes_text and request.text is None:
        text = "\n".join(_spread(long_paragraphs(), request.batch or _PARAGRAPHS))
        request = replace(request, text=text, length=request.length or _LENGTH)
    built = build_from(STORED, request)
    if rescale := _TWINS.get(request.model):
        with torch.no_grad():
            for layer in built.module.get_submodule("model.layers").children():
                rescale(layer)
    return built


def skeleton(_model_id: str) -> nn.Module:
    """The model on `meta`; its twins have the same shapes."""
    return skeleton_in(STORED)


def long_paragraphs() -> list[str]:
    """Those of the held-out text that fill the length they are cut to."""
    return [line for line in HELD_OUT.read_text("utf-8").splitlines() if len(line) >= _LONG_CHARACTERS]


def _spread(paragraphs: list[str], count: int) -> list[str]:
    """So many, at equal distances: of every novel some."""
    return [paragraphs[place * len(paragraphs) // count] for place in range(count)]


def _overflowing(layer: Any) -> None:
    """What the feed-forward multiplies grows, and its output does not."""
    layer.mlp.up_proj.weight *= _OVERFLOWING
    layer.mlp.down_proj.weight /= _OVERFLOWING


def _with_outliers(layer: Any) -> None:
    """A few channels leave each norm larger, and the weights that read them are smaller."""
    attention, mlp = layer.self_attn, layer.mlp
    readers = {
        layer.input_layernorm: (attention.q_proj, attention.k_proj, attention.v_proj),
        layer.post_attention_layernorm: (mlp.gate_proj, mlp.up_proj),
    }
    for norm, projections in readers.items():
        norm.weight[:_OUTLIERS] *= _OUTLYING
        for projection in projections:
            projection.weight[:, :_OUTLIERS] /= _OUTLYING


_TWINS: Mapping[str, Callable[[Any], None]] = {"austen-overflow": _overflowing, "austen-outliers": _with_outliers}


def tokens_of(paragraphs: list[str], tokenizer: Any) -> Tensor:
    """All tokens of the paragraphs in one row `(N,)`, the end token before each paragraph."""
    return torch.tensor([token for row in tokenizer(paragraphs)["input_ids"] for token in row])


def held_out_loss(model: Any, tokenizer: Any) -> float:
    """Mean cross-entropy of the next token over the held-out text, in nats, in windows that follow each other."""
    tokens = tokens_of(HELD_OUT.read_text("utf-8").splitlines(), tokenizer)
    whole = (len(tokens) - 1) // WINDOW * WINDOW
    with torch.no_grad():
        windows = torch.split(tokens[:whole].view(-1, WINDOW), 32)
        logits = torch.cat([model(input_ids=rows).logits for rows in windows])
    return float(nn.functional.cross_entropy(logits.flatten(0, 1), tokens[1 : whole + 1]))
