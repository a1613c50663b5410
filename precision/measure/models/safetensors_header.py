"""What a safetensors file says that it holds, checked before the library opens it. Needs no torch."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from precision.errors import InputError
from precision.measure.models.foreign_files import opened, shown

HEADER_LIMIT_BYTES = 8 * 2**20
"""A 59 MB header costs the safetensors reader 5 s and 1.2 GB."""
TENSORS_LIMIT = 20_000
_NAME_LIMIT_CHARACTERS = 256
_DIMENSIONS_LIMIT = 8

_DTYPES = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "C64": "complex64", "BOOL": "bool"},
    **{"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu"},
    **{
        f"{letter}{bits}": f"{name}{bits}" for letter, name in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)
    },
}
"""Of a safetensors header, and what torch calls them."""
_WIDTH_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "I8", "U8", "BOOL"), 1),
}
"""In bytes an element."""


class StoredTensor(NamedTuple):
    """One tensor of a safetensors file, by its header."""

    dtype: str
    """As the header names it, such as `BF16`."""
    shape: tuple[int, ...]

    @property
    def format(self) -> str:
        """The dtype as torch calls it, such as `bfloat16`."""
        return _DTYPES[self.dtype]

    @property
    def elements(self) -> int:
        """How many it has."""
        return math.prod(self.shape)

    @property
    def is_integer(self) -> bool:
        """Whether its values are whole numbers or truth values."""
        return self.dtype.startswith(("I", "U", "BOOL"))

    @property
    def stored_bytes(self) -> int:
        """Of its data."""
        return self.elements * _WIDTH_BYTES[self.dtype]


def read_header(path: Path) -> Mapping[str, StoredTensor]:
    """The tensors of a safetensors file, by name.

    Raises:
        InputError: it is no regular file, malformed, truncated, or beyond the limits.
    """
    header, data_bytes = _json_header(path)
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    if len(entries) > TENSORS_LIMIT:
        raise InputError(f"{shown(path)} lists {len(entries)} tensors, beyond the limit of {TENSORS_LIMIT}.")
    tensors = {name: _tensor(path, name, entry) for name, entry in entries.items()}
    if sum(tensor.stored_bytes for tensor in tensors.values()) != data_bytes:
        raise InputError(
            f"{shown(path)} is truncated or malformed: its tensors do not fill its {data_bytes} bytes of data."
        )
    return tensors


def _tensor(path: Path, name: str, entry: object) -> StoredTensor:
    fields = entry if isinstance(entry, dict) else {}
    shape, dtype = fields.get("shape"), fields.get("dtype")
    if not isinstance(shape, list) or not all(isinstance(size, int) and 0 <= size < 2**63 for size in shape):
        raise InputError(f"{shown(path)} is malformed: tensor {shown(name)!r} has no shape. Save it again.")
    if not isinstance(dtype, str) or dtype not in _WIDTH_BYTES:
        raise InputError(
            f"{shown(path)}: tensor {shown(name)!r} has the dtype {shown(str(dtype))!r}, which is not supported."
        )
    if len(name) > _NAME_LIMIT_CHARACTERS or len(shape) > _DIMENSIONS_LIMIT:
        raise InputError(
            f"{shown(path)}: tensor {shown(name)!r} has a name of more than {_NAME_LIMIT_CHARACTERS} characters "
            f"or more than {_DIMENSIONS_LIMIT} dimensions."
        )
    return StoredTensor(dtype, tuple(shape))


def _json_header(path: Path) -> tuple[Mapping[str, object], int]:
    """The header, and the number of bytes of data behind it."""
    with opened(path) as file:
        size = int.from_bytes(file.read(8), "little")
        if not 2 <= size <= HEADER_LIMIT_BYTES:
            raise InputError(
                f"{shown(path)} is not a safetensors file, or its header exceeds {HEADER_LIMIT_BYTES} bytes."
            )
        text = file.read(size)
        data_bytes = os.fstat(file.fileno()).st_size - 8 - size
    try:
        header = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{shown(path)} has a malformed safetensors header: {shown(str(error))}. Save it again."
        ) from error
    if not isinstance(header, dict):
        raise InputError(f"{shown(path)} has a malformed safetensors header: not a JSON object. Save it again.")
    return header, data_bytes


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name occurs twice")
    return result
