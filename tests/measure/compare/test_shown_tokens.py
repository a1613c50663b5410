"""The texts that are shown of language models, against plain torch and the tokenizer's own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from precision.measure.compare.shown_tokens import SHOWN_TEXTS
from precision.measure.models.loading import load
from precision.results import ClassDecisions, CompareResult, ShownSample
from precision.spec import RunSpec
from tests.runs import compare_errors

WORDS = ("<unk>", "<end>", "the", "a", "cat", "dog", "sat", "ran", "home", ".")
TEXT = "the cat sat .\na dog ran home the cat sat\nthe dog"


def run(**settings: object) -> tuple[CompareResult, torch.Tensor, torch.Tensor, dict[str, Any]]:
    """The comparison, and first choices of both models by plain torch, with what they read."""
    spec = RunSpec.parse({"dtype": "bfloat16", **settings})
    loaded = load(spec)
    with torch.no_grad():
        output: Any = loaded.module(**loaded.kwargs)
        reference = output.logits.argmax(-1)
        output = loaded.module.to(torch.bfloat16)(**loaded.kwargs)
    return compare_errors(spec), reference, output.logits.float().argmax(-1), dict(loaded.kwargs)


def changes(sample: ShownSample) -> list[tuple[int, str, str]]:
    return [(place, *token.choices) for place, token in enumerate(sample.tokens) if token.choices]


def flips(result: CompareResult) -> int:
    assert result.comparison is not None
    decisions = next(each.decisions for each in result.comparison.outputs if each.path == "logits")
    assert isinstance(decisions, ClassDecisions)
    return decisions.flips


@pytest.fixture(params=["causal", "encoder and decoder"])
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A model of random weights whose choices are close to each other, with a tokenizer of whole words."""
    torch.manual_seed(1)
    words, size = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, "<unk>")), len(WORDS)
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer_class: Any = PreTrainedTokenizerFast
    tokenizer_class(tokenizer_object=words, unk_token=WORDS[0], eos_token=WORDS[1]).save_pretrained(tmp_path)
    if request.param == "causal":
        config = GPT2Config(
            vocab_size=size, n_positions=32, n_embd=16, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=1
        )
        model: Any = GPT2LMHeadModel(config)
        model.transformer.wte.weight.data[:] = 1 + 1e-2 * torch.randn(size, 16)
        model.transformer.ln_f.bias.data[:] = 1  # scores are about 16, and 0.06 apart in bfloat16
    else:
        t5 = T5Config(vocab_size=size, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
        t5.decoder_start_token_id = t5.pad_token_id = 1
        model = T5ForConditionalGeneration(t5)
        model.lm_head.weight.data[:] = 1 + 1e-3 * torch.randn(size, 16)
    model.save_pretrained(tmp_path)
    return f"hf:{tmp_path}"


def test_every_changed_choice_is_shown_at_its_place(checkpoint: str) -> None:
    result, reference, candidate, kwargs = run(model=checkpoint, text=TEXT)
    read = kwargs.get("decoder_input_ids", kwargs["input_ids"])
    lengths = kwargs["attention_mask"].sum(1).tolist()
    is_causal = "decoder_input_ids" not in kwargs
    assert len(result.samples) == 3
    for sample in result.samples:
        # Padding is left out of what a causal model is judged by; the decoder's own is not known as such.
        length = lengths[sample.place] if is_causal else read.shape[1]
        said = [WORDS[each] for each in read[sample.place, :length] if each > 1]
        assert "".join(token.text for token in sample.tokens).split() == said
        before, after = reference[sample.place, :length], candidate[sample.place, :length]
        expected = [
            (place + 1, WORDS[int(before[place])], WORDS[int(after[place])])
            for place in range(length)
            if before[place] != after[place]
        ]
        assert [(place, a.strip(), b.strip()) for place, a, b in changes(sample)] == expected
    assert sum(sample.changed_tokens for sample in result.samples) == flips(result) > 0
    counts = [sample.changed_tokens for sample in result.samples]
    assert counts == sorted(counts, reverse=True)
    assert result.samples[0].is_changed


def test_of_many_texts_the_worst_are_shown() -> None:
    result, reference, candidate, kwargs = run(model="austen", dtype="bfloat16", batch=12)
    changed = (reference != candidate).sum(1)
    assert flips(result) == int(changed.sum())
    assert [sample.changed_tokens for sample in result.samples] == changed.sort(descending=True).values[
        :SHOWN_TEXTS
    ].tolist()
    loaded = load(RunSpec(model="austen", batch=12))
    for sample in result.samples:
        ids = kwargs["input_ids"][sample.place]
        assert "".join(token.text for token in sample.tokens) == loaded.tokenizer.decode(ids, skip_special_tokens=True)
        assert loaded.texts[sample.place].startswith("".join(token.text for token in sample.tokens))
        for place, before, after in changes(sample):
            assert before == loaded.tokenizer.decode([int(reference[sample.place, place - 1])])
            assert after == loaded.tokenizer.decode([int(candidate[sample.place, place - 1])])


def test_of_texts_that_change_nothing_the_closest_calls_are_shown() -> None:
    spec = RunSpec(model="austen", dtype="float64", reference="float32", batch=6)
    loaded = load(spec)
    with torch.no_grad():
        output: Any = loaded.module(**loaded.kwargs)
    two = output.logits.topk(2).values
    margins = (two[..., 0] - two[..., 1]).amin(1)
    found = compare_errors(spec).samples
    assert [sample.place for sample in found] == margins.argsort()[:SHOWN_TEXTS].tolist()
    assert not any(sample.is_changed for sample in found)


def test_texts_that_are_lost_are_not_shown() -> None:
    assert compare_errors(RunSpec(model="austen-overflow", dtype="float16", batch=4)).samples == ()
