import json
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from precision.errors import InputError
from precision.measure.models.checkpoint import read_checkpoint, read_config


def write_config(folder: Path, **settings: object) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **settings}))


def write_header(folder: Path, header: str, data: bytes = b"") -> None:
    write_config(folder)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header.encode() + data)


def test_what_is_read(tmp_path: Path) -> None:
    write_config(tmp_path, num_hidden_layers=2)
    tensors = {"a": torch.zeros(3, 4), "b": torch.zeros((), dtype=torch.bfloat16), "c": torch.zeros(0, 5)}
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    checkpoint = read_checkpoint(tmp_path)
    assert checkpoint.elements == 13
    assert checkpoint.dtypes == ("BF16", "F32")
    assert checkpoint.config["num_hidden_layers"] == 2


def test_no_config(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No config.json in"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
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
        ({"quantization_config": {"quant_method": "gptq"}}, "describes a quantized checkpoint"),
        ({"_attn_implementation": "owner/kernel"}, "asks for the attention 'owner/kernel'"),
        ({"num_hidden_layers": 10**6}, r"says num_hidden_layers = 1e\+06, beyond the limit of 512"),
        ({"parts": [{"hidden_sizes": [64, 2**30]}]}, "beyond the limit of 1048576"),
        ({"vocab_size": -(10**9)}, "beyond the limit of 4000000"),
        ({"anything": 2**70}, "beyond the limit"),
    ],
)
def test_a_config_that_asks_too_much(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    write_config(tmp_path, **settings)
    with pytest.raises(InputError, match=message):
        read_config(tmp_path)


def test_a_tokenizer_that_asks_for_code(tmp_path: Path) -> None:
    write_config(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"model_max_length": 10**30, "auto_map": {"AutoTokenizer": ["own.Own", None]}})
    )
    with pytest.raises(InputError, match=r"tokenizer_config.json needs its own Python code"):
        read_config(tmp_path)


def test_pickled_weights(tmp_path: Path) -> None:
    write_config(tmp_path)
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"only as pytorch_model.bin, a pickle, .* call save_pretrained"):
        read_checkpoint(tmp_path)


def test_no_weights(tmp_path: Path) -> None:
    write_config(tmp_path)
    with pytest.raises(InputError, match=r"No \*.safetensors in"):
        read_checkpoint(tmp_path)


def test_a_header_beyond_the_limit(tmp_path: Path) -> None:
    write_config(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", 8 * 2**20 + 1))
    with pytest.raises(InputError, match="its header exceeds 8388608 bytes"):
        read_checkpoint(tmp_path)


def test_too_many_tensors(tmp_path: Path) -> None:
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    write_header(tmp_path, json.dumps({str(index): entry for index in range(20_001)}))
    with pytest.raises(InputError, match="lists 20001 tensors, beyond the limit of 20000"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("{{", "malformed safetensors header"),
        ("[1]", "not a JSON object"),
        ('{"a": {}, "a": {}}', "a name occurs twice"),
        ('{"a": 1}', "tensor 'a' has no shape"),
        ('{"a": {"dtype": "F32", "shape": [-1]}}', "tensor 'a' has no shape"),
        ('{"a": {"dtype": "F5", "shape": [1]}}', "has the dtype 'F5', which is not supported"),
        ('{"a": {"shape": [1]}}', "has the dtype 'None'"),
        (json.dumps({"a" * 257: {"dtype": "F32", "shape": [1]}}), "a name of more than 256 characters"),
        (json.dumps({"a": {"dtype": "F32", "shape": [1] * 9}}), "more than 8 dimensions"),
        (json.dumps({"a": {"dtype": "F32", "shape": [2**40]}}), "is truncated or malformed"),
    ],
)
def test_a_crafted_header(tmp_path: Path, header: str, message: str) -> None:
    write_header(tmp_path, header, b"\0\0\0\0")
    with pytest.raises(InputError, match=message):
        read_checkpoint(tmp_path)
