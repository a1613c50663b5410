"""Reads the weights of a quantized checkpoint as float32, one after the other, and says what they are stored as."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple

from safetensors import safe_open
from torch import Tensor, nn

from precision.errors import InputError, UnsupportedError
from precision.measure.models.checkpoint import Checkpoint, refuse_integers
from precision.measure.models.foreign_files import explained, shown
from precision.measure.models.quantized import bitsandbytes, compressed_tensors, fp8_blocks, gptq
from precision.measure.models.quantized.declared import Declared
from precision.results import StoredWeight


class _Layout(NamedTuple):
    parts: Collection[str]
    """What may belong to one weight, by the end of the name."""
    marks: Collection[str]
    """Of these, what only a quantized weight has."""
    dequantized: Callable[[Mapping[str, Tensor], Declared], tuple[Tensor, str]]


_LAYOUTS = {
    "compressed-tensors": _Layout(compressed_tensors.PARTS, (compressed_tensors.MARK,), compressed_tensors.dequantized),
    "gptq": _Layout(gptq.PARTS, (gptq.MARK,), gptq.dequantized),
    "awq": _Layout(gptq.PARTS, (gptq.MARK,), gptq.dequantized),
    "bitsandbytes": _Layout(bitsandbytes.PARTS, bitsandbytes.MARKS, bitsandbytes.dequantized),
    "fp8": _Layout(fp8_blocks.PARTS, (fp8_blocks.MARK,), fp8_blocks.dequantized),
}


class Dequantized(NamedTuple):
    """The tensors of a quantized checkpoint under the names that the model has for them."""

    tensors: dict[str, Tensor]
    """Floating ones in float32, others as they are."""
    stored: tuple[StoredWeight, ...]


def read_quantized(checkpoint: Checkpoint, skeleton: nn.Module) -> Dequantized:
    """Every tensor of a quantized checkpoint; what is in memory is the result, and one weight's parts.

    Args:
        checkpoint: one with a `quantization`.
        skeleton: the model that it is for, on `meta`.

    Raises:
        InputError: a weight cannot be read, or a part of one is missing; the message names it.
        UnsupportedError: the model has layers that quantizers transpose.
    """
    how = checkpoint.quantization
    if how is None:
        raise TypeError("The checkpoint is not quantized.")
    layout, folder = _LAYOUTS[how.layout], shown(checkpoint.folder)
    if any(type(module).__name__ == "Conv1D" for module in skeleton.modules()):
        raise UnsupportedError(
            f"{folder} is quantized, and a {type(skeleton).__name__} has layers with transposed weights, of which "
            f"quantizers store one or the other. Give the unquantized checkpoint."
        )
    tensors: dict[str, Tensor] = {}
    stored: list[StoredWeight] = []
    left = dict(checkpoint.tensors)
    with ExitStack() as stack:
        tensor = _reader(checkpoint, stack)
        for owner in _owners(checkpoint, layout):
            names = {part: f"{owner}.{part}" for part in layout.parts if f"{owner}.{part}" in left}
            size = sum(left.pop(name).stored_bytes for name in names.values())
            with explained(f"{folder}: {shown(owner)!r} cannot be read as {how.layout}"):
                weight, kind = _dequantized({part: tensor(name) for part, name in names.items()}, how)
            name = f"{owner}.weight"
            tensors[name] = weight
            stored.append(StoredWeight(name=name, format=kind, elements=weight.numel(), stored_bytes=size))
        _refuse_parts(checkpoint, left, layout)
        refuse_integers(replace(checkpoint, tensors=left), _floating(skeleton), prefix=_prefix(skeleton))
        for name in left:
            value = tensor(name)
            tensors[name] = value.float() if value.is_floating_point() else value
    return Dequantized(tensors, tuple(stored) + stored_as_they_are(left))


def _dequantized(parts: Mapping[str, Tensor], how: Declared) -> tuple[Tensor, str]:
    try:
        return _LAYOUTS[how.layout].dequantized(parts, how)
    except KeyError as error:
        raise ValueError(f"its part {error} is missing") from error


def stored_as_they_are(tensors: Mapping[str, Any]) -> tuple[StoredWeight, ...]:
    """What the headers of safetensors files say of tensors that are not quantized."""
    return tuple(
        StoredWeight(name=name, format=each.format, elements=each.elements, stored_bytes=each.stored_bytes)
        for name, each in tensors.items()
    )


def _reader(checkpoint: Checkpoint, stack: ExitStack) -> Callable[[str], Tensor]:
    with explained(f"{shown(checkpoint.folder)}: its weights cannot be read"):
        files = {file: stack.enter_context(safe_open(file, framework="pt")) for file in set(checkpoint.places.values())}

    def tensor(name: str) -> Tensor:
        value: Tensor = files[checkpoint.places[name]].get_tensor(name)
        return value

    return tensor


def _owners(checkpoint: Checkpoint, layout: _Layout) -> Iterator[str]:
    """The modules that have a quantized weight, in the order of their names."""
    ends = tuple(f".{mark}" for mark in layout.marks)
    for name in sorted(checkpoint.tensors):
        for end in ends:
            if name.endswith(end):
                yield name.removesuffix(end)


def _refuse_parts(checkpoint: Checkpoint, left: Collection[str], layout: _Layout) -> None:
    ends = tuple(f".{part}" for part in layout.parts if part != "weight")
    if lost := [name for name in left if name.endswith(ends)]:
        raise InputError(
            f"{shown(checkpoint.folder)}: {shown(lost[0])!r} belongs to a quantized weight of which a part is missing."
        )


def _floating(skeleton: nn.Module) -> list[str]:
    return [name for name, parameter in skeleton.named_parameters() if parameter.is_floating_point()]


def _prefix(skeleton: Any) -> str:
    return str(skeleton.base_model_prefix)
