"""Reads arrays that somebody uploaded: NumPy, safetensors or CSV files, within a limit of bytes, never pickles."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.lib import format as npy
from safetensors.torch import load_file
from torch import Tensor

from precision.errors import InputError
from precision.measure.models.csv_numbers import read_csv
from precision.measure.models.foreign_files import explained, opened, shown
from precision.measure.models.safetensors_header import read_header
from precision.measure.models.zip_files import opened_zip

ONLY = "array"
"""Name of the array of a file that holds one without a name: `.npy` and `.csv`."""
_DIMENSIONS_LIMIT = 16
_HEADER_LIMIT_BYTES = 10_000
_CHUNK_BYTES = 2**20


def read_arrays(path: Path, *, limit_bytes: int) -> Mapping[str, Tensor]:
    """The arrays of a file by name, of the dtype that they are stored in.

    By its suffix: `.npy` (one array, called `array`), `.npz`, `.safetensors`, or `.csv`, whose numbers are one matrix,
    `array`, of samples × columns; see `read_csv`.

    Args:
        path: the file.
        limit_bytes: of all arrays together.

    Raises:
        InputError: of another kind, malformed, of a dtype that torch does not have, or larger than `limit_bytes`.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        with opened(path) as file:
            return {ONLY: _from_npy(file, shown(path), limit_bytes)}
    if suffix == ".npz":
        return dict(_from_npz(path, limit_bytes))
    if suffix == ".safetensors":
        _check_size(shown(path), sum(tensor.stored_bytes for tensor in read_header(path).values()), limit_bytes)
        with explained(f"{shown(path)} cannot be read"):
            return dict(load_file(path))
    if suffix == ".csv":
        return {ONLY: torch.from_numpy(read_csv(path, limit_bytes=limit_bytes))}
    raise InputError(f"{shown(path)} is of no kind that is read. Give .npy, .npz, .safetensors or .csv.")


def _from_npz(path: Path, limit_bytes: int) -> Iterator[tuple[str, Tensor]]:
    left = limit_bytes
    with opened_zip(path) as archive:
        for entry in archive.infolist():
            if not entry.filename.endswith(".npy"):
                raise InputError(f"{shown(path)}: {shown(entry.filename)!r} is no .npy. Save it again by numpy.savez.")
            with archive.open(entry) as file:
                tensor = _from_npy(file, f"{shown(path)}: {shown(entry.filename)!r}", left)
            left -= tensor.nbytes
            yield entry.filename.removesuffix(".npy"), tensor


def _from_npy(file: IO[bytes], what: str, limit_bytes: int) -> Tensor:
    shape, in_columns, dtype = _npy_header(file, what)
    if len(shape) > _DIMENSIONS_LIMIT or not all(0 <= size < 2**63 for size in shape):
        raise InputError(f"{what} has a shape that is none, or more than {_DIMENSIONS_LIMIT} dimensions.")
    size = math.prod(shape) * dtype.itemsize
    _check_size(what, size, limit_bytes)
    data = bytearray()
    while len(data) < size and (chunk := file.read(min(_CHUNK_BYTES, size - len(data)))):
        data += chunk
    if len(data) != size or file.read(1):
        raise InputError(f"{what} does not hold the {size} bytes that its header says. Save it again.")
    with explained(f"{what} cannot be an array"):
        array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]
        array = np.ndarray(shape, dtype, buffer=data, order="F" if in_columns else "C")
        array = np.ascontiguousarray(array.astype(dtype.newbyteorder("="), copy=False)).reshape(shape)
    try:
        return torch.from_numpy(array)
    except TypeError as error:
        raise InputError(f"{what} holds {dtype}, which torch does not have. Save it as another dtype.") from error


def _npy_header(file: IO[bytes], what: str) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Shape, whether columns come first, and dtype, which holds no objects."""
    with explained(f"{what} is no .npy that can be read"):
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        version = npy.read_magic(file)
        if version not in readers:
            raise InputError(f"{what} is of version {version}. Save it again with plain names.")
        shape, in_columns, dtype = readers[version](file, max_header_size=_HEADER_LIMIT_BYTES)
    if dtype.hasobject or dtype.kind not in "biufc":
        raise InputError(f"{what} holds {shown(str(dtype))}, no numbers. Objects need a pickle, which can run code.")
    return shape, in_columns, dtype


def _check_size(what: str, size: int, limit_bytes: int) -> None:
    if size > limit_bytes:
        raise InputError(f"{what} would take {size} bytes, beyond the limit of {limit_bytes}. Give fewer samples.")
