import json
import os
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from precision.errors import InputError
from precision.measure.models.checkpoint import read_checkpoint, refuse_integers


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


def test_pickled_weights(tmp_path: Path) -> None:
    write_config(tmp_path)
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"only as pytorch_model.bin, a pickle, .* call save_pretrained"):
        read_checkpoint(tmp_path)


def test_no_weights(tmp_path: Path) -> None:
    write_config(tmp_path)
    with pytest.raises(InputError, match=r"No model.safetensors or model.safetensors.index.json in"):
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


def part(folder: Path, name: str, *tensors: str) -> None:
    save_file({tensor: torch.zeros(1) for tensor in tensors}, folder / name)


def write_index(folder: Path, weight_map: object) -> None:
    write_config(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def test_parts_are_those_that_the_index_names(tmp_path: Path) -> None:
    write_index(tmp_path, {"a": "model-1.safetensors", "b": "model-2.safetensors"})
    part(tmp_path, "model-1.safetensors", "a")
    part(tmp_path, "model-2.safetensors", "b")
    (tmp_path / "other.safetensors").write_bytes(b"never read")
    assert read_checkpoint(tmp_path).tensors.keys() == {"a", "b"}


@pytest.mark.parametrize(
    "name", ["../base/model.safetensors", "/base/model.safetensors", "", "gone.safetensors", "a.bin"]
)
def test_an_index_that_names_no_file_of_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "base").mkdir()
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    part(tmp_path / "base", "model.safetensors", "a")
    part(folder, "a.bin", "a")
    write_index(folder, {"a": name})
    with pytest.raises(InputError, match=r"names '.*', which is no \*\.safetensors file in its folder"):
        read_checkpoint(folder)


@pytest.mark.parametrize("weight_map", [None, [], {}, {"a": 1}, "model.safetensors"])
def test_an_index_without_a_map(tmp_path: Path, weight_map: object) -> None:
    write_index(tmp_path, weight_map)
    with pytest.raises(InputError, match="has no weight_map of tensors and files"):
        read_checkpoint(tmp_path)


def test_each_part_is_checked_wherever_the_fault_is(tmp_path: Path) -> None:
    write_index(tmp_path, {"a": "model-1.safetensors", "b": "b.safetensors"})
    part(tmp_path, "model-1.safetensors", "a")
    (tmp_path / "b.safetensors").write_bytes(struct.pack("<Q", 2**40))
    with pytest.raises(InputError, match=r"b\.safetensors is not a safetensors file"):
        read_checkpoint(tmp_path)
    part(tmp_path, "b.safetensors", "a")
    with pytest.raises(InputError, match=r"tensor 'a' is in another file too"):
        read_checkpoint(tmp_path)


def test_tensors_are_counted_over_all_parts(tmp_path: Path) -> None:
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    write_index(tmp_path, {"a0": "a.safetensors", "b0": "b.safetensors"})
    for name in "ab":
        header = json.dumps({f"{name}{index}": entry for index in range(10_001)})
        (tmp_path / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(header)) + header.encode())
    with pytest.raises(InputError, match="has 20002 tensors, beyond the limit of 20000"):
        read_checkpoint(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_weights_that_are_a_pipe(tmp_path: Path) -> None:
    write_config(tmp_path)
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"model\.safetensors is not a regular file"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("stored", ["bert.fc.weight", "fc.weight"])
def test_whole_numbers_where_weights_are_expected(tmp_path: Path, stored: str) -> None:
    write_config(tmp_path)
    tensors = {stored: torch.zeros(2, dtype=torch.int8), "bert.position_ids": torch.zeros(2, dtype=torch.int64)}
    save_file(tensors, tmp_path / "model.safetensors")
    checkpoint = read_checkpoint(tmp_path)
    refuse_integers(checkpoint, ["fc.bias"], prefix="bert")
    for name in ("bert.fc.weight", "fc.weight"):
        with pytest.raises(InputError, match=r"stores (bert\.)?fc\.weight as I8, where the model has floating-point"):
            refuse_integers(checkpoint, [name], prefix="bert")


DTYPES = [
    *("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu", "complex64"),
    *("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool"),
]


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_is_called_as_torch_calls_it(tmp_path: Path, name: str) -> None:
    tensor = torch.zeros(3, dtype=getattr(torch, name))
    write_config(tmp_path)
    save_file({"a": tensor}, tmp_path / "model.safetensors")
    stored = read_checkpoint(tmp_path).tensors["a"]
    assert (stored.format, stored.stored_bytes) == (name, tensor.nbytes)
    assert stored.is_integer == (not tensor.is_floating_point() and not tensor.is_complex())
