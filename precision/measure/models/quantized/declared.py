"""What a config.json says of how its weights are stored; refused where that is not read here. Needs no torch."""

from collections.abc import Mapping
from typing import NamedTuple

from precision.errors import InputError
from precision.measure.models.foreign_files import shown

_READ = (
    "Read are compressed-tensors (integers, float8, nvfp4, mxfp4, mxfp8), GPTQ, AWQ, bitsandbytes and float8 in "
    "blocks; or give the unquantized checkpoint."
)
_COMPRESSED = (
    *("pack-quantized", "int-quantized", "float-quantized", "naive-quantized", "mixed-precision", "dense"),
    *("nvfp4-pack-quantized", "mxfp4-pack-quantized", "mxfp8-quantized"),
)
_PACKED_BITS = (2, 4, 8)
"""Widths that fill 32 bits; others are packed in more than one way."""


class Declared(NamedTuple):
    """How a checkpoint's weights are stored, as far as its tensors do not say it themselves."""

    layout: str
    """`compressed-tensors`, `gptq`, `awq`, `bitsandbytes` or `fp8`."""
    bits: tuple[int, ...] = ()
    """The widths of integers that are packed into words."""
    block: tuple[int, int] | None = None
    """Rows and columns that share a scale."""
    group: int | None = None
    """Inputs that share a scale, where an index does not say which do; None: all."""
    zeros_less_one: bool = False
    """Whether zero points are stored less one, as the first version of GPTQ does, and 0 as the largest integer."""
    quantizes_activations: bool = False
    """Whether activations are meant to be quantized too."""


def declared(where: str, settings: object) -> Declared:
    """What a `quantization_config` says.

    Args:
        where: begins the message, such as the path of the config.
        settings: its value.

    Raises:
        InputError: a format that is not read, which the message names.
    """
    if not isinstance(settings, dict):
        raise InputError(f"{where} has a quantization_config that is none. {_READ}")
    method = str(settings.get("quant_method") or _guessed(settings)).lower()
    read = _READERS.get(method)
    if read is None:
        raise InputError(f"{where} says that its weights are stored by {shown(method)!r}, which is not read. {_READ}")
    try:
        return read(settings)
    except ValueError as error:
        raise InputError(f"{where} says that its weights are stored by {method}, {error}. {_READ}") from error


def _guessed(settings: Mapping[str, object]) -> str:
    """The method where an older checkpoint does not name it."""
    return "bitsandbytes" if settings.get("load_in_8bit") or settings.get("load_in_4bit") else "a method without a name"


def _compressed_tensors(settings: Mapping[str, object]) -> Declared:
    groups = settings.get("config_groups")
    schemes = list(groups.values()) if isinstance(groups, dict) else []
    formats = [settings.get("format"), *(scheme.get("format") for scheme in schemes if isinstance(scheme, dict))]
    for each in formats:
        if each is not None and each not in _COMPRESSED:
            raise ValueError(f"in the format {shown(str(each))!r}, which is not read")
    sparsity = settings.get("sparsity_config")
    if isinstance(sparsity, dict) and sparsity.get("format", "dense") != "dense":
        raise ValueError(f"with the sparsity {shown(str(sparsity.get('format')))!r}, which is not read")
    if settings.get("transform_config"):
        raise ValueError("with weights that are transformed, which is not undone")
    weights = [scheme["weights"] for scheme in schemes if isinstance(scheme, dict) and scheme.get("weights")]
    if not weights or not all(isinstance(each, dict) for each in weights):
        raise ValueError("without a group that says how")
    bits = tuple(sorted({_bits(each.get("num_bits")) for each in weights if each.get("type", "int") == "int"}))
    blocks = {_block(each["block_structure"]) for each in weights if each.get("block_structure")}
    if len(blocks) > 1:
        raise ValueError("in blocks of several sizes, which is not read")
    return Declared(
        "compressed-tensors",
        bits,
        block=next(iter(blocks), None),
        quantizes_activations=any(scheme.get("input_activations") for scheme in schemes if isinstance(scheme, dict)),
    )


def _gptq(settings: Mapping[str, object]) -> Declared:
    version = settings.get("checkpoint_format", "gptq")
    if version not in ("gptq", "gptq_v2"):
        raise ValueError(f"in the format {shown(str(version))!r}, which is not read")
    bits = (_bits(settings.get("bits")),)
    return Declared("gptq", bits, group=_group(settings), zeros_less_one=version == "gptq")


def _awq(settings: Mapping[str, object]) -> Declared:
    version = settings.get("version", "gemm")
    if str(version).lower() != "gemm" or settings.get("bits", 4) != 4:
        raise ValueError(f"in its version {shown(str(version))!r} with {shown(str(settings.get('bits')))} bits")
    return Declared("awq", (4,), group=_group(settings))


def _bitsandbytes(_settings: Mapping[str, object]) -> Declared:
    return Declared("bitsandbytes")


def _fp8(settings: Mapping[str, object]) -> Declared:
    return Declared("fp8", block=_block(settings.get("weight_block_size")), quantizes_activations=True)


_READERS = {
    "compressed-tensors": _compressed_tensors,
    "gptq": _gptq,
    "awq": _awq,
    "bitsandbytes": _bitsandbytes,
    "fp8": _fp8,
}


def _bits(value: object) -> int:
    if not isinstance(value, int) or value not in _PACKED_BITS:
        raise ValueError(f"with {shown(str(value))} bits; 2, 4 and 8 are read")
    return value


def _group(settings: Mapping[str, object]) -> int | None:
    size = settings.get("group_size", settings.get("q_group_size", 128))
    if not isinstance(size, int) or (size < 1 and size != -1):
        raise ValueError(f"in groups of {shown(str(size))}")
    return None if size == -1 else size


def _block(value: object) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(each, int) and each > 0 for each in value):
        raise ValueError(f"in blocks of {shown(str(value))}, where rows and columns are expected")
    return value[0], value[1]
