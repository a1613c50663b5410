"""The texts that are shown of language models, against plain torch and the tokenizer's own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

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
        size_and_ends = {"vocab_size": size, "bos_token_id": 1, "eos_token_id": 1}
        model: Any = GPT2LMHeadModel(GPT2Config(**size_and_ends, n_positions=32, n_embd=16, n_layer=2, n_head=2))
        model.transformer.wte.weight.data[:] = 1 + 1e-2 * torch.randn(size, 16)
        model.transformer.ln_f.bias.data[:] = 1  # scores are about 16, and 0.06 apart in bfloat16
    else:
        config = T5Config(vocab_size=size, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
        config.decoder_start_token_id = config.pad_token_id = 1
        model = T5ForConditionalGeneration(config)
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
