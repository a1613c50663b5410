from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from precision.errors import InputError
from precision.measure.models.configuration import read_config


def write_config(folder: Path, **settings: object) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **settings}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ('{"model_type": ' + "9" * 5000 + "}", "is not valid JSON: Exceeds the limit"),
        ("[]", "does not hold a JSON object"),
        ("{}", "has no model_type"),
        (" " * (4 * 2**20 + 1), "is larger than 4194304 bytes"),
    ],
)
def test_a_config_that_is_none(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"auto_map": {"AutoModel": "modeling.Own"}}, "needs its own Python code"),
        ({"text_config": {"auto_map": {"AutoModel": "modeling.Own"}}}, "needs its own Python code"),
        ({"parts": [[{"auto_map": {"AutoModel": "modeling.Own"}}]]}, "needs its own Python code"),
        ({"quantization_config": {"quant_method": "quark"}}, "says that its weights are stored by 'quark'"),
        ({"text_config": {"quantization_config": {"quant_method": "gptq"}}}, "describes a part that is quantized"),
        ({"_attn_implementation": "owner/kernel"}, "asks for the attention 'owner/kernel'"),
        ({"transformers_weights": "sub/other.safetensors"}, "names other files to read"),
        ({"configuration_files": ["config.5.0.0.json"]}, "names other files to read"),
        ({"num_hidden_layers": 10**6}, r"says num_hidden_layers = 1e\+06, beyond the limit of 512"),
        ({"num_hidden_layers": 1e6}, r"says num_hidden_layers = 1e\+06, beyond the limit of 512"),
        ({"num_hidden_groups": 513}, "says num_hidden_groups = 513, beyond the limit of 512"),
        ({"inner_group_num": 513}, "says inner_group_num = 513"),
        ({"depths": [2, 2, 510]}, "says depths = 514"),
        ({"attention_types": [[["global", "local"], 10**6]]}, r"says attention_types = 1e\+06"),
        ({"attention_types": [[["global"], 300], [["local"], 300]]}, "says attention_types = 600"),
        ({"block_sizes": [4, 4, 1000]}, "says block_sizes = 1000"),
        ({"num_block_repeats": [600]}, "says num_block_repeats = 600"),
        ({"encoder_layers": 513}, "says encoder_layers = 513"),
        ({"num_codebooks": 2**16 + 1}, "says num_codebooks = 65537, beyond the limit of 65536"),
        ({"parts": [{"hidden_sizes": [64, 2**30]}]}, "beyond the limit of 1048576"),
        ({"vocab_size": -(10**9)}, "beyond the limit of 4000000"),
        ({"anything": 2**70}, "beyond the limit"),
        ({"anything": 10**4000}, "says anything = a number of 13288 bits"),
    ],
)
def test_a_config_that_asks_too_much(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    write_config(tmp_path, **settings)
    with pytest.raises(InputError, match=message):
        read_config(tmp_path)


def test_what_published_models_say(tmp_path: Path) -> None:
    settings = {
        "num_hidden_layers": 126,
        "depths": [3, 3, 27, 3],
        "cross_attention_layers": list(range(3, 100, 5)),
        "stage_out_channels": [128, 512, 1024, 2048],
        "n_words": 200_000,
        "num_local_experts": 256,
        "max_position_embeddings": 10_485_760,
        "layer_norm_eps": 1e-12,
        "time_step_limit": [0.0, float("inf")],
        "max_2d_position_embeddings": 1024,
        "block_size": 16384,
        "group_size": 128,
        "num_buckets": 320,
    }
    write_config(tmp_path, **settings)
    assert read_config(tmp_path)["num_hidden_layers"] == 126


def test_a_config_nested_as_deep_as_json_allows(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert", "x": ' + '{"x": ' * 900 + "1" + "}" * 901)
    assert read_config(tmp_path)["model_type"] == "bert"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_config_that_is_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(InputError, match=r"config\.json is not a regular file"):
        read_config(tmp_path)


def test_names_in_messages_are_shortened(tmp_path: Path) -> None:
    write_config(tmp_path, **{"num_" + "x" * 10_000: 10**9, "attn_implementation": "y" * 10_000})
    with pytest.raises(InputError) as raised:
        read_config(tmp_path)
    assert len(str(raised.value)) < 1000


def test_a_tokenizer_that_asks_for_code(tmp_path: Path) -> None:
    write_config(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"model_max_length": 10**30, "auto_map": {"AutoTokenizer": ["own.Own", None]}})
    )
    with pytest.raises(InputError, match=r"tokenizer_config.json needs its own Python code"):
        read_config(tmp_path)


def test_a_tokenizer_that_names_another_file(tmp_path: Path) -> None:
    write_config(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"fast_tokenizer_files": ["../tokenizer.4.0.json"]}')
    with pytest.raises(InputError, match=r"names other files to read \(fast_tokenizer_files\)"):
        read_config(tmp_path)


@pytest.mark.parametrize("length", [-1, 0, "512", True, 512.5, [512]])
def test_an_odd_length(tmp_path: Path, length: object) -> None:
    write_config(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": length}))
    with pytest.raises(InputError, match=r"says model_max_length = .* Write a whole number of at least 1"):
        read_config(tmp_path)


@pytest.mark.parametrize("length", [512, 10**30, 1e30, None])
def test_a_usual_length(tmp_path: Path, length: object) -> None:
    write_config(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": length}))
    assert read_config(tmp_path)["model_type"] == "bert"
