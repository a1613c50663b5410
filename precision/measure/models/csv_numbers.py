"""Reads a CSV file of numbers as one matrix."""

import csv
import io
from array import array
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from precision.errors import InputError
from precision.measure.models.foreign_files import explained, opened, shown

_DELIMITERS = ",;\t"
_LINE_LIMIT_CHARACTERS = 16 * 2**20
_ITEM_BYTES = 8
_EXACT_BELOW = 2**53
"""Whole numbers below it are exact as they are read."""


def read_csv(path: Path, *, limit_bytes: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64 | np.float64]]:
    """The numbers of a CSV file, rows × columns: int64 where all are whole numbers, else float64.

    Columns are separated by comma, semicolon or tab, whichever the first line has most of; the decimal sign is a point.
    A first line that is not all numbers has names: it is passed over, as empty lines are. `nan` and `inf` are numbers.

    Args:
        path: the file, in UTF-8.
        limit_bytes: of the matrix.

    Raises:
        InputError: a cell is empty or no number, rows differ in length, there is no row, or it is too large.
    """
    numbers, rows, columns, whole = array("d"), 0, 0, True
    with opened(path) as file, explained(f"{shown(path)} is no CSV of numbers"):
        for row in _rows(file):
            rows, columns = rows + 1, columns or len(row)
            if len(row) != columns:
                raise InputError(f"{shown(path)}: row {rows} of numbers has {len(row)} columns, the first {columns}.")
            numbers.extend(_number(path, cell, rows) for cell in row)
            whole = whole and all(cell.strip().lstrip("+-").isdecimal() for cell in row)
            if len(numbers) * _ITEM_BYTES > limit_bytes:
                raise InputError(f"{shown(path)} has more than {limit_bytes} bytes of numbers. Give fewer rows.")
    if not rows:
        raise InputError(f"{shown(path)} has no row of numbers.")
    matrix = np.frombuffer(numbers, dtype=np.float64).reshape(rows, columns)
    is_exact = whole and float(np.abs(matrix).max()) < _EXACT_BELOW
    return matrix.astype(np.int64) if is_exact else matrix


def _rows(file: BinaryIO) -> Iterator[list[str]]:
    """The cells of each line that has some, without a first line of names."""
    lines = _lines(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))
    first = next(lines, "")
    delimiter = max(_DELIMITERS, key=first.count)
    rows = (row for row in csv.reader(chain([first], lines), delimiter=delimiter, strict=True) if row)
    names = next(rows, [])
    if names and all(_parsed(cell) is not None for cell in names):
        yield names
    yield from rows


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(_LINE_LIMIT_CHARACTERS):
        if len(line) == _LINE_LIMIT_CHARACTERS:
            raise ValueError(f"a line has more than {_LINE_LIMIT_CHARACTERS} characters")
        yield line


def _number(path: Path, cell: str, row: int) -> float:
    number = _parsed(cell)
    if number is None:
        what = repr(shown(cell)) if cell.strip() else "an empty cell"
        raise InputError(f"{shown(path)}: {what} in row {row} of numbers is no number. Write it with a point.")
    return number


def _parsed(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None
