"""Checks a checkpoint's config.json and tokenizer before any library reads them. Needs no torch.

A config is data, yet a number in it can hang or exhaust whoever builds a model from it. Numbers are bounded here by
what their names say; `bounded_build` bounds what no name tells.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from precision.errors import InputError
from precision.measure.models.foreign_files import CONFIG_LIMIT_BYTES, check_folder, read_bytes, shown
from precision.measure.models.quantized.declared import Declared, declared

_REPEATED = re.compile(
    r"layer|depth|repeat|levels|cycles|times|group_detr|attention_types|block_sizes|blocks|"
    r"(^|_)(n|num|number)_(\w+_)?(block|stage|group|module|loop|resnet)s?(_|$)|"
    r"(block|stage|group|module|loop)s?_num$"
)
"""Names of how often a part of a model is repeated."""
_REPEATED_LIMIT = 512
_SUMMED = re.compile(r"depth|repeat|levels|attention_types|block_sizes|blocks|(^|_)(n|num|number)_|_num$")
"""Of those, where a list has the repeats of one stage each; other lists name single layers."""

_SIZE_LIMITS = (
    ("expert", 1024),
    ("vocab", 4_000_000),
    ("words", 4_000_000),
    ("position", 2**24),
    ("ctx", 2**24),
    ("token", 2**24),
    ("head", 2**16),
    ("labels", 2**16),
    *(
        (part, 2**20)
        for part in ("hidden", "intermediate", "embd", "embedding_size", "dim", "d_model", "d_ff", "inner", "labels")
    ),
)
"""Part of a setting's name, and the largest number allowed: beyond every published model, within what can be built."""
_COUNT = re.compile(r"(^|_)(n|num|number)_|_num$")
_COUNT_LIMIT = 2**16
_ANY_LIMIT = 2**63 - 1

CONFIG = "config.json"
_QUANTIZATION = ("quantization_config", "compression_config")
_TOKENIZER = "tokenizer_config.json"
_ATTENTION_BUILT_IN = ("eager", "sdpa")
_OTHER_FILES = ("transformers_weights", "configuration_files", "fast_tokenizer_files")
"""Settings by which transformers would read other files than those that are checked."""
_FLOAT_IS_UNLIMITED = 2**53


def read_config(folder: Path) -> Mapping[str, object]:
    """The folder's config.json, and its tokenizer's, checked; returns the former.

    Raises:
        InputError: it is missing, malformed, asks for code, is quantized in a way that is not read, or has numbers
            beyond the limits.
    """
    names, path = check_folder(folder), folder / CONFIG
    if path.name not in names:
        raise InputError(f"No config.json in {shown(folder)}. Give the folder that `save_pretrained` wrote.")
    config = read_json_object(path)
    if not isinstance(config.get("model_type"), str):
        raise InputError(
            f"{shown(path)} has no model_type, so its architecture is unknown. It must name one of transformers'."
        )
    for key, value in _settings(config):
        _refuse_code(path, key, value)
        _check_numbers(path, key, value)
        if key in _QUANTIZATION and value and config.get(key) is not value:
            raise InputError(f"{shown(path)} describes a part that is quantized. Give the unquantized checkpoint.")
    quantization_of(path, config)
    if _TOKENIZER in names:
        _check_tokenizer(folder / _TOKENIZER)
    return config


def quantization_of(path: Path, config: Mapping[str, object]) -> Declared | None:
    """How the weights of a checkpoint are stored; None where they are as they are.

    Raises:
        InputError: in a way that is not read.
    """
    settings = next((config[key] for key in _QUANTIZATION if config.get(key)), None)
    return None if settings is None else declared(shown(path), settings)


def read_json_object(path: Path, limit: int = CONFIG_LIMIT_BYTES) -> Mapping[str, object]:
    """A JSON object of at most `limit` bytes, from a regular file.

    Raises:
        InputError: it is none.
    """
    content = read_bytes(path, limit)
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:  # an integer of more than 4,300 digits is a ValueError too
        raise InputError(f"{shown(path)} is not valid JSON: {shown(str(error))}.") from error
    if not isinstance(value, dict):
        raise InputError(f"{shown(path)} does not hold a JSON object.")
    return value


def _settings(config: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """All key-value pairs, nested ones too."""
    found: list[object] = [config]
    while found:
        value = found.pop()
        if isinstance(value, dict):
            yield from value.items()
            found.extend(value.values())
        elif isinstance(value, list):
            found.extend(value)


def _numbers(value: object) -> Iterator[int | float]:
    """The numbers that a setting holds, those in nested lists too."""
    found = [value]
    while found:
        each = found.pop()
        if isinstance(each, list):
            found.extend(each)
        elif isinstance(each, int | float):
            yield each


def _refuse_code(path: Path, key: str, value: object) -> None:
    if key == "auto_map" and value:
        raise InputError(
            f"{shown(path)} needs its own Python code (auto_map), which is never run here. "
            f"Use a checkpoint of an architecture that transformers includes."
        )
    if "attn_implementation" in key and value is not None and value not in _ATTENTION_BUILT_IN:
        raise InputError(
            f"{shown(path)} asks for the attention {shown(repr(value))}. Remove {shown(key)}; "
            f"eager and sdpa are built in."
        )
    if key in _OTHER_FILES and value:
        raise InputError(f"{shown(path)} names other files to read ({key}). Remove it.")


def _check_numbers(path: Path, key: str, value: object) -> None:
    numbers = list(_numbers(value))
    limit = _limit(key.lower())
    if numbers and _REPEATED.search(key.lower()) and _SUMMED.search(key.lower()):
        numbers.append(sum(number for number in numbers if number > 0))
    for number in numbers:
        # Of any other setting's, a float may be infinite and mean it.
        if abs(number) > limit and (isinstance(number, int) or limit < _ANY_LIMIT):
            raise InputError(f"{shown(path)} says {shown(key)} = {_short(number)}, beyond the limit of {limit}.")


def _limit(key: str) -> int:
    if _REPEATED.search(key):
        return _REPEATED_LIMIT
    usual = _COUNT_LIMIT if _COUNT.search(key) else _ANY_LIMIT
    return min((limit for part, limit in _SIZE_LIMITS if part in key), default=usual)


def _short(number: int | float) -> str:
    try:
        return f"{number:.6g}"
    except OverflowError:  # an integer beyond what a float holds
        return f"a number of {number.bit_length() if isinstance(number, int) else 0} bits"


def _check_tokenizer(path: Path) -> None:
    for key, value in _settings(read_json_object(path)):
        _refuse_code(path, key, value)
        if key == "model_max_length" and value is not None and not _is_length(value):
            raise InputError(
                f"{shown(path)} says model_max_length = {shown(repr(value))}. Write a whole number of at least 1."
            )


def _is_length(value: object) -> bool:
    """Whether it is a number of tokens; a huge float, as for no limit, is one too."""
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return whole or (isinstance(value, float) and value > _FLOAT_IS_UNLIMITED)
