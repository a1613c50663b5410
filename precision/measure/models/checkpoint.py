"""Checks a checkpoint folder before any library opens it: its files, the config's claims, the weights' headers.

What is refused here is refused with the reason and the way out. Needs no torch.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from precision.errors import InputError
from precision.measure.models.configuration import CONFIG, quantization_of, read_config, read_json_object
from precision.measure.models.foreign_files import check_folder, shown
from precision.measure.models.quantized.declared import Declared
from precision.measure.models.safetensors_header import TENSORS_LIMIT, StoredTensor, read_header

_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
_INDEX_LIMIT_BYTES = 8 * 2**20
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True)
class Checkpoint:
    """What a folder's own files say of it, checked."""

    folder: Path
    config: Mapping[str, object]
    tensors: Mapping[str, StoredTensor]
    """All that transformers will read, by name."""
    places: Mapping[str, Path]
    """The file of each."""
    quantization: Declared | None = None
    """How weights are stored, where it is not as they are."""

    @property
    def elements(self) -> int:
        """Over all stored tensors."""
        return sum(tensor.elements for tensor in self.tensors.values())

    @property
    def most_parameters(self) -> int:
        """How many values it can hold at most; a word may hold sixteen."""
        return self.elements * (1 if self.quantization is None else 16)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """As the safetensors headers name them, such as `BF16`."""
        return tuple(sorted({tensor.dtype for tensor in self.tensors.values()}))


def read_checkpoint(folder: Path) -> Checkpoint:
    """The checked description of a Hugging Face checkpoint folder.

    Raises:
        InputError: no config or weights, weights as pickles, code of its own, quantized in a way that is not read,
            files that are none or lie elsewhere, or limits exceeded.
    """
    config = read_config(folder)
    tensors: dict[str, StoredTensor] = {}
    places: dict[str, Path] = {}
    for file in _weight_files(folder, check_folder(folder)):
        header = read_header(file)
        if twice := header.keys() & tensors.keys():
            raise InputError(f"{shown(file)}: tensor {shown(min(twice))!r} is in another file too. Save it again.")
        tensors |= header
        places |= dict.fromkeys(header, file)
        if len(tensors) > TENSORS_LIMIT:
            raise InputError(f"{shown(folder)} has {len(tensors)} tensors, beyond the limit of {TENSORS_LIMIT}.")
    return Checkpoint(folder, config, tensors, places, quantization_of(folder / CONFIG, config))


def refuse_integers(checkpoint: Checkpoint, floating: Collection[str], *, prefix: str) -> None:
    """Refuse whole numbers where the model expects floating-point ones: they would be taken for weights.

    Args:
        checkpoint: what is stored.
        floating: names of the model's floating parameters.
        prefix: what a checkpoint may have before a name, or lack, such as `bert`.

    Raises:
        InputError: it has one; the message names it.
    """
    expected = {name.removeprefix(f"{prefix}.") for name in floating}
    for name, tensor in checkpoint.tensors.items():
        if tensor.is_integer and name.removeprefix(f"{prefix}.") in expected:
            raise InputError(
                f"{shown(checkpoint.folder)} stores {shown(name)} as {tensor.dtype}, where the model has floating-point"
                f" weights. It seems to be quantized. Give the unquantized checkpoint, to be cast here."
            )


def _weight_files(folder: Path, names: Collection[str]) -> Iterator[Path]:
    """The safetensors files that transformers would read: the whole, or the parts that the index names."""
    if _WEIGHTS in names:
        yield folder / _WEIGHTS
        return
    if _INDEX not in names:
        raise InputError(_no_safetensors(folder, names))
    index = folder / _INDEX
    parts = read_json_object(index, _INDEX_LIMIT_BYTES).get("weight_map")
    if not isinstance(parts, dict) or not parts or not all(isinstance(part, str) for part in parts.values()):
        raise InputError(f"{shown(index)} has no weight_map of tensors and files. Save the checkpoint again.")
    for part in sorted(set(parts.values())):
        if not part.endswith(".safetensors") or part not in names:
            raise InputError(
                f"{shown(index)} names {shown(repr(part))}, which is no *.safetensors file in its folder. "
                f"Put all parts there."
            )
        yield folder / part


def _no_safetensors(folder: Path, names: Collection[str]) -> str:
    pickles = sorted(name for name in _files(folder) if name.endswith(_PICKLES))
    if not pickles:
        other = " Others are not read." if any(name.endswith(".safetensors") for name in names) else ""
        return (
            f"No {_WEIGHTS} or {_INDEX} in {shown(folder)}.{other} "
            f"Give the folder that `save_pretrained` wrote, with its weights."
        )
    return (
        f"{shown(folder)} has its weights only as {shown(pickles[0])}, a pickle, which can run code when it is opened. "
        f"If you trust it, convert it: load it with transformers and call save_pretrained, which writes safetensors."
    )


def _files(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]
