from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from precision.errors import InputError
from precision.measure.models.arrays import read_arrays

LIMIT = 2**20


def npy(header: str, data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    text = header.encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


def put(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


DTYPES = [
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_keeps_values_shape_and_dtype(tmp_path: Path, dtype: str, order: Any) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype, order=order)
    np.save(tmp_path / "a.npy", array)
    read = read_arrays(tmp_path / "a.npy", limit_bytes=LIMIT)["array"]
    assert str(read.dtype) == f"torch.{dtype}"
    assert np.array_equal(read.numpy(), array)


def test_foreign_byte_order_scalars_and_nothing(tmp_path: Path) -> None:
    for array in (np.arange(3, dtype=">f4"), np.array(7.5), np.zeros((0, 3), dtype=np.int16)):
        np.save(tmp_path / "a.npy", array)
        read = read_arrays(tmp_path / "a.npy", limit_bytes=LIMIT)["array"]
        assert tuple(read.shape) == array.shape
        assert np.array_equal(read.numpy(), array)


def test_npz_and_safetensors_have_names(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {"input_ids": np.array([[1, 2]]), "b/mask": np.array([1.5], dtype=np.float32)}
    np.savez(tmp_path / "a.npz", **arrays)
    np.savez_compressed(tmp_path / "b.npz", **arrays)
    save_file({"x": torch.ones(2, dtype=torch.bfloat16), "ids": torch.tensor([3])}, tmp_path / "c.safetensors")
    for name in ("a.npz", "b.npz"):
        read = read_arrays(tmp_path / name, limit_bytes=LIMIT)
        assert {key: tensor.numpy().tolist() for key, tensor in read.items()} == {
            key: array.tolist() for key, array in arrays.items()
        }
    stored = read_arrays(tmp_path / "c.safetensors", limit_bytes=LIMIT)
    assert {name: tensor.dtype for name, tensor in stored.items()} == {"x": torch.bfloat16, "ids": torch.int64}


class Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code of the file ran')",))


def test_no_pickle_is_opened(tmp_path: Path) -> None:
    array = np.array([Payload()], dtype=object)
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    np.savez(tmp_path / "a.npz", a=array)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(InputError, match=r"no numbers\. Objects need a pickle, which can run code"):
            read_arrays(tmp_path / name, limit_bytes=LIMIT)
    with pytest.raises(InputError, match=r"is no \.npy that can be read"):
        read_arrays(put(tmp_path, "b.npy", pickle.dumps(Payload())), limit_bytes=LIMIT)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no .npy that can be read"),
        (npy("{"), "is no .npy that can be read"),
        (npy("__import__('os').abort()"), "is no .npy that can be read"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}" + " " * 20_000), "is no .npy that can be read"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': 3}"), "is no .npy that can be read"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", version=b"\3\0"), r"is of version \(3, 0\)"),
        (npy("{'descr': '|U4', 'fortran_order': False, 'shape': (1,)}"), "holds <U4, no numbers"),
        (npy("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,)}"), "no numbers"),
        (npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}"), "no numbers"),
        (npy("{'descr': '<f16', 'fortran_order': False, 'shape': (1,)}", bytes(16)), "holds float128, which torch"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"), "has a shape that is none"),
        (npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {(1,) * 17}}}"), "more than 16 dimensions"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2**40,)}"), "is no .npy that can be read"),
        (npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**40},)}}"), "would take 4398046511104 bytes"),
        (
            npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**62}, {2**62})}}"),
            "beyond the limit of 1048576",
        ),
        (npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**62}, {2**62}, 0)}}"), "cannot be an array"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", b"1234"), "does not hold the 8 bytes"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", b"12345"), "does not hold the 4 bytes"),
    ],
)
def test_a_crafted_npy(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_arrays(put(tmp_path, "a.npy", content), limit_bytes=LIMIT)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", content)
    with pytest.raises(InputError, match=message):
        read_arrays(tmp_path / "a.npz", limit_bytes=LIMIT)


def test_arrays_of_an_npz_share_the_limit(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(LIMIT // 2, np.int8), b=np.zeros(LIMIT // 2, np.int8))
    assert len(read_arrays(tmp_path / "a.npz", limit_bytes=LIMIT)) == 2
    with pytest.raises(InputError, match=r"'b\.npy' would take 524288 bytes, beyond the limit of 524287"):
        read_arrays(tmp_path / "a.npz", limit_bytes=LIMIT - 1)


def test_a_bomb_behind_an_array_is_not_read(tmp_path: Path) -> None:
    honest = io.BytesIO()
    np.save(honest, np.zeros(1))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", honest.getvalue() + bytes(2**28))
    with pytest.raises(InputError, match="does not hold the 8 bytes"):
        read_arrays(tmp_path / "a.npz", limit_bytes=LIMIT)


def test_what_else_is_in_an_npz(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("data.pkl", b"")
    with pytest.raises(InputError, match=r"'data\.pkl' is no \.npy"):
        read_arrays(tmp_path / "a.npz", limit_bytes=LIMIT)


def test_safetensors_are_checked_first(tmp_path: Path) -> None:
    save_file({"x": torch.ones(10)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="would take 40 bytes, beyond the limit of 39"):
        read_arrays(tmp_path / "a.safetensors", limit_bytes=39)
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", 2**30))
    with pytest.raises(InputError, match="is not a safetensors file"):
        read_arrays(tmp_path / "a.safetensors", limit_bytes=39)
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}'
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(InputError, match="cannot be read"):
        read_arrays(tmp_path / "a.safetensors", limit_bytes=39)


@pytest.mark.parametrize("name", ["a.pt", "a.pkl", "a.txt", "a"])
def test_other_kinds(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is of no kind that is read"):
        read_arrays(put(tmp_path, name, b""), limit_bytes=LIMIT)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.safetensors", "a.csv"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="is not a regular file"):
        read_arrays(tmp_path / name, limit_bytes=LIMIT)
