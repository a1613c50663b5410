"""A user's own samples in place of a model's input: read from files, checked against what `forward` takes."""

import csv
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from precision.errors import InputError
from precision.measure.models.arrays import read_arrays
from precision.measure.models.built import Batch, Built
from precision.measure.models.foreign_files import read_bytes, shown
from precision.measure.models.samples import Samples, lines_of
from precision.measure.models.unpacking import unpacked
from precision.models.catalogue import describe
from precision.models.request import InputRequest
from precision.models.roots import is_confined, permitted
from precision.models.uploads import UPLOAD_PREFIX, uploaded

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
_SOUND = (".wav", ".flac", ".ogg", ".mp3")
_ARRAYS = (".npy", ".npz", ".safetensors", ".csv")
_TEXT_LIMIT_BYTES = 64 * 2**20
_ARRAYS_LIMIT_BYTES = 4 * 2**30
_LABELS = ("labels", "label", "targets", "target", "class")
"""Names under which a file holds true classes."""
_TEXT_COLUMNS = ("text", "sentence", "sentences", "review", "question", "content")
_NUMBERS = ("pixel_values", "input_values", "input_features")
"""Arguments of transformers' models that take floating-point numbers."""
_ARRAYS_AT_ONCE = 32
_SHOWN = 5


def with_data(built: Built, request: InputRequest) -> Built:
    """The module with the samples of `request.data`, in batches; what it was built with is left out.

    Raises:
        InputError: there is no such file, it cannot be read, or it is not what the module takes.
    """
    path = named_file(str(request.data))
    found = _read(path)
    if isinstance(found, Samples):
        reading = partial(_of_samples, built, found, request)
    else:
        reading = partial(_of_arrays, built, found, request)
    batches = reading()
    first = next(batches)
    more = () if next(batches, None) is None else _Rest(reading)
    return replace(first, warnings=(*built.warnings, *first.warnings), more=more)


class _Rest:
    """The batches after the first; made anew each time, so that a model that is loaded once can be measured again."""

    def __init__(self, reading: Callable[[], Iterator[Built]]) -> None:
        self._reading = reading

    def __iter__(self) -> Iterator[Batch]:
        """Read them."""
        return (Batch(each.args, each.kwargs, each.labels) for each in islice(self._reading(), 1, None))


def named_file(data: str) -> Path:
    """The file or folder of a path or an upload; of a folder with one file, that file; of an archive, what it holds.

    Raises:
        InputError: it is not there, or not where it may be read.
    """
    path = uploaded(data) if data.startswith(UPLOAD_PREFIX) else _permitted(data)
    if path.is_dir():
        inside = sorted(each for each in path.iterdir() if each.is_file())
        if len(inside) == 1:
            path = inside[0]
    return unpacked(path) if path.suffix.lower() == ".zip" else path


def _permitted(data: str) -> Path:
    path = permitted(Path(data))
    if path is None or (not path.exists() and is_confined()):
        raise InputError(f"{shown(data)} is not in a folder that this server may read, or not there.")
    if not path.exists():
        raise InputError(f"There is no file or folder {shown(data)}.")
    return path


def _read(path: Path) -> Samples | Mapping[str, Tensor]:
    if path.is_dir():
        return _in_folder(path)
    suffix = path.suffix.lower()
    if suffix in _PICTURES:
        return Samples(pictures=(path,))
    if suffix in _SOUND:
        return Samples(recordings=(path,))
    if suffix == ".txt":
        return Samples(texts=_required(lines_of(_text(path)), path))
    if suffix == ".csv" and (table := _table_with_text(path)):
        return table
    if suffix in _ARRAYS:
        return read_arrays(path, limit_bytes=_ARRAYS_LIMIT_BYTES)
    kinds = ", ".join((".txt", *_ARRAYS, ".zip", *_PICTURES, *_SOUND))
    raise InputError(f"{path.name[:80]!r} is of no kind that is read: {kinds}.")


def _in_folder(folder: Path) -> Samples:
    """Pictures or recordings, in the order of their names; folders within are the names of their classes."""
    files = sorted(each for each in folder.rglob("*") if each.is_file() and each.suffix.lower() in _PICTURES + _SOUND)
    pictures = tuple(each for each in files if each.suffix.lower() in _PICTURES)
    recordings = tuple(each for each in files if each.suffix.lower() in _SOUND)
    if bool(pictures) == bool(recordings):
        raise InputError(f"{len(pictures)} pictures and {len(recordings)} recordings are there; one kind is needed.")
    is_labelled = all(each.parent != folder for each in files)
    labels = tuple(each.parent.name for each in files) if is_labelled else ()
    return Samples(pictures=pictures, recordings=recordings, labels=labels)


def _text(path: Path) -> str:
    try:
        return read_bytes(path, _TEXT_LIMIT_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name[:80]!r} is not text in UTF-8: {error.reason} at byte {error.start}.") from error


def _required(lines: tuple[str, ...], path: Path) -> tuple[str, ...]:
    if not lines:
        raise InputError(f"{path.name[:80]!r} holds no line of text.")
    return lines


def _table_with_text(path: Path) -> Samples | None:
    """Texts, and labels where there are any, of a table with a column of text; None of a table of numbers."""
    rows = list(csv.reader(_text(path).splitlines()))
    names = [name.strip().lower() for name in rows[0]] if rows else []
    column = next((place for place, name in enumerate(names) if name in _TEXT_COLUMNS), None)
    if column is None:
        return None
    label = next((place for place, name in enumerate(names) if name in _LABELS), None)
    needed = max(column, label or 0)
    if short := next((at for at, row in enumerate(rows[1:], 2) if len(row) <= needed), None):
        raise InputError(f"{path.name[:80]!r}, row {short}: there are fewer columns than in the first row.")
    texts = _required(tuple(row[column] for row in rows[1:]), path)
    return Samples(texts=texts, labels=() if label is None else tuple(row[label].strip() for row in rows[1:]))


def _of_samples(built: Built, samples: Samples, request: InputRequest) -> Iterator[Built]:
    if built.read is None:
        raise InputError(
            f"A {type(built.module).__name__} takes arrays: {', '.join(_parameters(built.module))}. Give them in a "
            ".npy, .npz or .safetensors file, under these names."
        )
    name, done = type(built.module).__name__, 0
    has_classes = name.endswith("Classification")
    labels = _classes(built.module, samples.labels) if has_classes else None
    unused = (f"The labels play no part: a {name} gives no classes.",) if samples.labels and not has_classes else ()
    for each in built.read(samples, request.batch):
        count = _count(each)
        yield replace(each, labels=None if labels is None else labels[done : done + count], warnings=unused)
        done += count


def _count(built: Built) -> int:
    """Samples of a batch."""
    return next(len(value) for value in built.kwargs.values() if isinstance(value, Tensor))


def _classes(module: Any, labels: Sequence[str]) -> Tensor | None:
    """True classes as numbers, by the names that the model's configuration gives its classes.

    Raises:
        InputError: a label is neither a number nor such a name.
    """
    if not labels:
        return None
    if all(label.isascii() and label.isdigit() for label in labels):
        return torch.tensor([int(label) for label in labels])
    known = {str(name).lower(): int(place) for name, place in (getattr(module.config, "label2id", None) or {}).items()}
    if unknown := [label for label in dict.fromkeys(labels) if label.lower() not in known]:
        raise InputError(
            f"The labels {', '.join(map(repr, unknown[:_SHOWN]))} are no classes of this model, which calls them "
            f"{', '.join([*known][:_SHOWN])}. Use these names, or numbers from 0."
        )
    return torch.tensor([known[label.lower()] for label in labels])


def _of_arrays(built: Built, arrays: Mapping[str, Tensor], request: InputRequest) -> Iterator[Built]:
    """Arrays by the names of `forward`'s parameters; a single array is the first of them."""
    taken = _parameters(built.module)
    label = next((name for name in _LABELS if name in arrays and name not in taken), None)
    labels = None if label is None else _whole_numbers(label, arrays[label])
    given = {name: array for name, array in arrays.items() if name != label}
    if len(given) == 1 and not given.keys() & taken.keys():
        given = {next(iter(taken)): next(iter(given.values()))}
    numbers = {*describe(request.model).floating_inputs, *_NUMBERS}
    given = {name: _as_taken(array, is_number=name in numbers) for name, array in given.items()}
    if unknown := given.keys() - taken.keys():
        raise InputError(
            f"{type(built.module).__name__} takes no {', '.join(sorted(unknown))}; it takes {', '.join(taken)}."
        )
    required = [name for name, each in taken.items() if each.default is each.empty and name not in given]
    if required:
        raise InputError(f"{type(built.module).__name__} also needs {', '.join(required)}: the file lacks them.")
    lengths = {len(array) if array.dim() else 0 for array in (*given.values(), *([] if labels is None else [labels]))}
    if len(lengths) != 1 or not all(lengths):
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in given.items())
        raise InputError(f"The arrays have no common number of samples, along their first dimension: {shapes}.")
    kwargs = {name: value for name, value in built.kwargs.items() if not isinstance(value, Tensor)}
    at_once = request.batch or _ARRAYS_AT_ONCE
    for start in range(0, lengths.pop(), at_once):
        part = slice(start, start + at_once)
        yield Built(
            built.module,
            kwargs={**kwargs, **{name: array[part] for name, array in given.items()}},
            labels=None if labels is None else labels[part],
        )


def _parameters(module: Any) -> Mapping[str, inspect.Parameter]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name: each for name, each in inspect.signature(module.forward).parameters.items() if each.kind in kinds}


def _as_taken(array: Tensor, *, is_number: bool) -> Tensor:
    """Floating-point numbers as float32, the dtype of a loaded model; whole ones too where it takes numbers."""
    return array.float() if is_number or array.is_floating_point() else array


def _whole_numbers(name: str, array: Tensor) -> Tensor:
    if array.dim() != 1 or (array.is_floating_point() and not bool((array == array.round()).all())):
        raise InputError(f"{name} must hold one whole number for each sample, not {array.dtype} {list(array.shape)}.")
    return array.long()
