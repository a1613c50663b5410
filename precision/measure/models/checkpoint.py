"""Checks a checkpoint folder before any library opens it: the config's claims, the weights' headers. Needs no torch.

A config is data, yet a number in it can hang or exhaust whoever builds a model from it, and a weights file can hold
code. What is refused here is refused with the reason and the way out.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from precision.errors import InputError

_CONFIG_LIMIT_BYTES = 4 * 2**20
_HEADER_LIMIT_BYTES = 8 * 2**20
"""A 59 MB header costs the safetensors reader 5 s and 1.2 GB."""
_TENSORS_LIMIT = 20_000
_NAME_LIMIT_CHARACTERS = 256
_DIMENSIONS_LIMIT = 8

_NUMBER_LIMITS = (
    ("layer", 512),
    ("expert", 1024),
    ("vocab", 4_000_000),
    ("position", 2**24),
    ("head", 2**16),
    ("hidden", 2**20),
    ("intermediate", 2**20),
    ("embd", 2**20),
    ("dim", 2**20),
    ("d_model", 2**20),
    ("d_ff", 2**20),
    ("inner", 2**20),
    ("labels", 2**20),
)
"""Part of a setting's name, and the largest integer allowed: beyond every published model, within what can be built."""
_ANY_LIMIT = 2**63 - 1

_WIDTH_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "I8", "U8", "BOOL"), 1),
}
"""Of the dtypes of a safetensors header, in bytes an element."""

_ATTENTION_BUILT_IN = ("eager", "sdpa")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


@dataclass(frozen=True)
class Checkpoint:
    """What a folder's own files say of it, checked."""

    folder: Path
    config: Mapping[str, object]
    elements: int
    """Over all stored tensors."""
    dtypes: tuple[str, ...]
    """As the safetensors headers name them, such as `BF16`."""


def read_checkpoint(folder: Path) -> Checkpoint:
    """The checked description of a Hugging Face checkpoint folder.

    Raises:
        InputError: no config or weights, weights as pickles, code of its own, quantized, or limits exceeded.
    """
    config = read_config(folder)
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError(_no_safetensors(folder))
    tensors = [tensor for file in files for tensor in _tensors(file)]
    return Checkpoint(
        folder=folder,
        config=config,
        elements=sum(elements for elements, _ in tensors),
        dtypes=tuple(sorted({dtype for _, dtype in tensors})),
    )


def read_config(folder: Path) -> Mapping[str, object]:
    """The folder's config.json, and its tokenizer's, checked; returns the former.

    Raises:
        InputError: it is missing, malformed, asks for code, is quantized, or has numbers beyond the limits.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise InputError(f"No config.json in {folder}. Give the folder that `save_pretrained` wrote.")
    config = _json_object(path)
    if not isinstance(config.get("model_type"), str):
        raise InputError(
            f"{path} has no model_type, so its architecture is unknown. It must name one of transformers'."
        )
    for key, value in _settings(config):
        _refuse_code(path, key, value)
        _check_numbers(path, key, value)
    tokenizer_path = folder / "tokenizer_config.json"
    if tokenizer_path.is_file():
        for key, value in _settings(_json_object(tokenizer_path)):
            _refuse_code(tokenizer_path, key, value)
    return config


def _json_object(path: Path) -> Mapping[str, object]:
    if path.stat().st_size > _CONFIG_LIMIT_BYTES:
        raise InputError(f"{path} is larger than {_CONFIG_LIMIT_BYTES} bytes. That is not a model configuration.")
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise InputError(f"{path} does not hold a JSON object.")
    return value


def _settings(value: object) -> Iterator[tuple[str, object]]:
    """All key-value pairs, nested ones too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _settings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _settings(inner)


def _refuse_code(path: Path, key: str, value: object) -> None:
    if key == "auto_map" and value:
        raise InputError(
            f"{path} needs its own Python code (auto_map), which is never run here. "
            f"Use a checkpoint of an architecture that transformers includes."
        )
    if key == "quantization_config" and value:
        raise InputError(f"{path} describes a quantized checkpoint. Give the unquantized one, to be cast here.")
    if "attn_implementation" in key and value is not None and value not in _ATTENTION_BUILT_IN:
        raise InputError(f"{path} asks for the attention {value!r}. Remove {key}; eager and sdpa are built in.")


def _check_numbers(path: Path, key: str, value: object) -> None:
    limit = min((limit for part, limit in _NUMBER_LIMITS if part in key), default=_ANY_LIMIT)
    for number in value if isinstance(value, list) else (value,):
        if isinstance(number, int) and abs(number) > limit:
            raise InputError(f"{path} says {key} = {number:.6g}, beyond the limit of {limit}.")


def _no_safetensors(folder: Path) -> str:
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    if not pickles:
        return f"No *.safetensors in {folder}. Give the folder that `save_pretrained` wrote, with its weights."
    return (
        f"{folder} has its weights only as {pickles[0]}, a pickle, which can run code when it is opened. "
        f"If you trust it, convert it: load it with transformers and call save_pretrained, which writes safetensors."
    )


def _tensors(path: Path) -> list[tuple[int, str]]:
    """(number of elements, dtype) of each tensor that a safetensors file holds."""
    header, data_bytes = _header(path)
    entries = [(name, entry) for name, entry in header.items() if name != "__metadata__"]
    if len(entries) > _TENSORS_LIMIT:
        raise InputError(f"{path} lists {len(entries)} tensors, beyond the limit of {_TENSORS_LIMIT}.")
    tensors = [_tensor(path, name, entry) for name, entry in entries]
    if sum(elements * _WIDTH_BYTES[dtype] for elements, dtype in tensors) != data_bytes:
        raise InputError(f"{path} is truncated or malformed: its tensors do not fill its {data_bytes} bytes of data.")
    return tensors


def _tensor(path: Path, name: str, entry: object) -> tuple[int, str]:
    fields = entry if isinstance(entry, dict) else {}
    shape, dtype = fields.get("shape"), fields.get("dtype")
    if not isinstance(shape, list) or not all(isinstance(size, int) and size >= 0 for size in shape):
        raise InputError(f"{path} is malformed: tensor {name[:80]!r} has no shape. Save it again.")
    if not isinstance(dtype, str) or dtype not in _WIDTH_BYTES:
        raise InputError(f"{path}: tensor {name[:80]!r} has the dtype {str(dtype)[:80]!r}, which is not supported.")
    if len(name) > _NAME_LIMIT_CHARACTERS or len(shape) > _DIMENSIONS_LIMIT:
        raise InputError(
            f"{path}: tensor {name[:80]!r} has a name of more than {_NAME_LIMIT_CHARACTERS} characters "
            f"or more than {_DIMENSIONS_LIMIT} dimensions."
        )
    return math.prod(shape), dtype


def _header(path: Path) -> tuple[Mapping[str, object], int]:
    """The header, and the number of bytes of data behind it."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if not 2 <= size <= _HEADER_LIMIT_BYTES:
            raise InputError(f"{path} is not a safetensors file, or its header exceeds {_HEADER_LIMIT_BYTES} bytes.")
        text = file.read(size)
    try:
        header = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} has a malformed safetensors header: {error}. Save it again.") from error
    if not isinstance(header, dict):
        raise InputError(f"{path} has a malformed safetensors header: not a JSON object. Save it again.")
    return header, path.stat().st_size - 8 - size


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name occurs twice")
    return result
