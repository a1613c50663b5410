"""The small language model and its twins, against Llama's formulas in plain torch."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoTokenizer

from precision.measure.models.austen import HELD_OUT, STORED, WINDOW, held_out_loss, long_paragraphs, tokens_of
from precision.measure.models.loading import load, skeleton
from precision.measure.models.train_austen import STEPS, split, train_tokenizer, untrained
from precision.models.catalogue import describe
from precision.spec import RunSpec
from tests.runs import compare_errors

HEADS, LAYERS = 4, 4
TWINS = ("austen-overflow", "austen-outliers")


def weights() -> dict[str, Tensor]:
    return load_file(STORED / "model.safetensors")


def plain_llama(w: dict[str, Tensor], ids: Tensor) -> Tensor:
    """Logits `(B, L, vocabulary)`, from the paper's formulas: RMSNorm, rotary positions, SwiGLU, a tied head."""
    x = w["model.embed_tokens.weight"][ids]
    width, length = x.shape[-1] // HEADS, ids.shape[1]
    angles = torch.outer(torch.arange(length), 10_000.0 ** (-torch.arange(0, width, 2) / width)).repeat(1, 2)
    heads = (*ids.shape, HEADS, width)
    future = torch.ones(length, length, dtype=torch.bool).triu(1)

    def norm(x: Tensor, name: str) -> Tensor:
        return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * w[name]

    def rotated(x: Tensor) -> Tensor:
        a, b = x.chunk(2, -1)
        return x * angles.cos() + torch.cat([-b, a], -1) * angles.sin()

    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        y = norm(x, f"{at}.input_layernorm.weight")
        q, k, v = ((y @ w[f"{at}.self_attn.{each}_proj.weight"].T).view(heads).transpose(1, 2) for each in "qkv")
        scores = (rotated(q) @ rotated(k).mT / math.sqrt(width)).masked_fill(future, -math.inf).softmax(-1)
        x = x + (scores @ v).transpose(1, 2).flatten(2) @ w[f"{at}.self_attn.o_proj.weight"].T
        y = norm(x, f"{at}.post_attention_layernorm.weight")
        gate, up = (y @ w[f"{at}.mlp.{each}_proj.weight"].T for each in ("gate", "up"))
        x = x + (gate * gate.sigmoid() * up) @ w[f"{at}.mlp.down_proj.weight"].T
    return norm(x, "model.norm.weight") @ w["model.embed_tokens.weight"].T


def logits(model_id: str, dtype: torch.dtype, **settings: object) -> Tensor:
    loaded = load(RunSpec.parse({"model": model_id, "batch": 4, **settings}))
    with torch.no_grad():
        output: Any = loaded.module.to(dtype)(*loaded.args, **loaded.kwargs)
    return torch.as_tensor(output.logits)


def test_it_computes_what_its_weights_say() -> None:
    loaded = load(RunSpec(model="austen", batch=4, length=WINDOW))
    ids, mask = loaded.kwargs["input_ids"], loaded.kwargs["attention_mask"]
    assert isinstance(ids, Tensor)
    assert isinstance(mask, Tensor)
    expected = plain_llama({name: value.double() for name, value in weights().items()}, ids)
    found = logits("austen", torch.float32, length=WINDOW)
    assert torch.allclose(found.double()[mask == 1], expected[mask == 1], atol=1e-4)


@pytest.mark.slow
def test_the_held_out_loss_is_the_catalogues() -> None:
    module, tokenizer = load(RunSpec(model="austen")).module, AutoTokenizer.from_pretrained(STORED)
    tokens = tokens_of(HELD_OUT.read_text("utf-8").splitlines(), tokenizer)
    windows = tokens[: len(tokens) // (WINDOW + 1) * (WINDOW + 1)].view(-1, WINDOW + 1)
    with torch.no_grad():
        predicted = torch.cat([plain_llama(weights(), rows[:, :-1]) for rows in torch.split(windows, 16)])
    expected = float(functional.cross_entropy(predicted.flatten(0, 1), windows[:, 1:].flatten()))
    assert held_out_loss(module, tokenizer) == pytest.approx(expected, abs=0.01)  # other windows
    said = re.search(r"held-out loss ([\d.]+) nats", describe("austen").good_for)
    assert said is not None
    assert float(said[1]) == round(held_out_loss(module, tokenizer), 2)
    assert f"held-out loss {said[1]} nats a token (perplexity {math.exp(float(said[1])):.0f})" in README


README = (STORED / "README.md").read_text("utf-8")


def test_no_character_is_lost() -> None:
    tokenizer = AutoTokenizer.from_pretrained(STORED)
    assert len(tokenizer) == 1024
    for text in (*HELD_OUT.read_text("utf-8").splitlines()[:50], "  Zürich, 東京 😀\tend "):
        assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_it_reads_paragraphs_spread_over_the_held_out_text() -> None:
    loaded = load(RunSpec(model="austen"))
    held_out = HELD_OUT.read_text("utf-8").splitlines()
    places = [held_out.index(text) for text in loaded.texts]
    assert places == sorted(set(places))
    assert len(places) == 32
    assert places[0] < len(held_out) / 30
    assert places[-1] > len(held_out) * 0.9
    assert loaded.input.tensors[0] == ("input_ids", "int64", (32, 64))
    assert bool(torch.as_tensor(loaded.kwargs["attention_mask"]).all())  # nothing is padding
    (choice, _) = loaded.description.inputs
    assert choice.max_batch == len(long_paragraphs())
    assert len(load(RunSpec(model="austen", batch=choice.max_batch)).texts) == choice.max_batch


def test_it_reads_other_text() -> None:
    loaded = load(RunSpec(model="austen", text="It is a truth.\nUniversally acknowledged."))
    assert loaded.texts == ("It is a truth.", "Universally acknowledged.")
    mask = torch.as_tensor(loaded.kwargs["attention_mask"])
    assert mask.sum(1).max() == mask.shape[1] < 20


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("input_name", ["paragraphs", "random"])
def test_a_twin_is_the_same_function_bit_for_bit(twin: str, dtype: torch.dtype, input_name: str) -> None:
    settings = {"input": input_name}
    assert torch.equal(logits(twin, dtype, **settings), logits("austen", dtype, **settings))


@pytest.mark.parametrize("twin", TWINS)
def test_a_twin_has_other_weights_and_says_that_they_are_planted(twin: str) -> None:
    original, rescaled = (load(RunSpec(model=each, batch=1)).module.state_dict() for each in ("austen", twin))
    changed = [name for name in original if not torch.equal(original[name], rescaled[name])]
    assert len({name.split(".")[2] for name in changed}) == LAYERS
    ratios = torch.cat([(rescaled[name] / original[name]).flatten() for name in changed])
    assert {math.log2(each) % 1 for each in set(ratios[ratios.isfinite()].tolist())} == {0.0}
    description = describe(twin)
    assert "planted" in description.title
    assert "the same function, rescaled by a power of two; planted." in description.good_for
    assert description.family == "Planted"


def test_the_rescaled_feed_forward_overflows_in_float16_only() -> None:
    assert logits("austen", torch.float16).isfinite().all()
    assert logits("austen-overflow", torch.float16).isnan().any()
    assert logits("austen-overflow", torch.bfloat16).isfinite().all()


def test_outlier_channels_harm_int8_inputs_and_not_int8_weights() -> None:
    def mean_kl(model: str, method: str) -> float:
        found = compare_errors(RunSpec.parse({"model": model, "dtype": "int8", "method": method, "batch": 4}))
        assert found.comparison is not None
        decisions: Any = found.comparison.outputs[0].decisions
        return float(decisions.mean_kl)

    assert mean_kl("austen-outliers", "dynamic") > 100 * mean_kl("austen", "dynamic")


def test_the_skeleton_has_the_shapes() -> None:
    bare, module = skeleton("austen-overflow"), load(RunSpec(model="austen", batch=1)).module
    assert {each.device.type for each in bare.parameters()} == {"meta"}
    assert [tuple(each.shape) for each in bare.parameters()] == [tuple(each.shape) for each in module.parameters()]


def test_training_builds_the_stored_architecture() -> None:
    model: nn.Module = untrained()
    stored = load(RunSpec(model="austen", batch=1)).module
    assert model.state_dict().keys() == stored.state_dict().keys()
    assert sum(each.numel() for each in model.parameters()) == describe("austen").parameters
    assert STEPS > 1000


def test_training_splits_by_chapters_and_makes_a_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    novel = [[f"Chapter {chapter}, paragraph {each}, says this." for each in "ab"] for chapter in range(1, 25)]
    monkeypatch.setattr("precision.measure.models.train_austen.chapters", lambda _: novel)
    train, held_out = split(STORED)
    assert held_out == novel[11] + novel[23]
    assert train == [text for chapter in novel if chapter not in (novel[11], novel[23]) for text in chapter]
    tokenizer = train_tokenizer(train)
    assert tokenizer.decode(tokenizer("é 😀")["input_ids"]) == "<|end|>é 😀"
