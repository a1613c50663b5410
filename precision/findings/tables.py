"""One table of results, which pages, the terminal, CSV files and data frames all show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from precision.text.names import plain
from precision.text.units import bytes_text, number_text, seconds_text, share_text

Value = str | int | float | None
"""The value of a cell; None where there is nothing to show."""
Kind = Literal["text", "count", "bytes", "time", "decibels", "bits", "error", "number", "ratio", "share", "value"]
"""What a column holds: how its values are written follows from it. Times are in milliseconds; errors span many powers
of ten; shares lie between 0 and 1; values are elements of tensors, never missing, and may be NaN."""
_UNITS: dict[Kind, str] = {"time": "ms", "decibels": "dB", "bits": "bits"}
_DIGITS: dict[Kind, int] = {"decibels": 1, "bits": 2, "ratio": 2}
"""After the point."""


class Column(NamedTuple):
    """One column."""

    name: str
    kind: Kind = "text"
    help: str = ""
    """What the values mean, in a sentence; empty where the name says it."""

    @property
    def title(self) -> str:
        """The name with the unit of its numbers.

        >>> Column("time", "time").title, Column("layer").title
        ('time (ms)', 'layer')
        """
        return f"{self.name} ({_UNITS[self.kind]})" if self.kind in _UNITS else self.name


@dataclass(frozen=True)
class Table:
    """Rows of values under named columns.

    Raises:
        ValueError: two columns have the same name, or a row has more or fewer cells than there are columns.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    """Each cell a `Value` of its column's kind."""

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.columns):
            raise ValueError(f"Two columns of a table have the same name: {', '.join(self.names)}.")
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"Each row of a table needs {len(self.columns)} cells: {', '.join(self.names)}.")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> tuple[Any, ...]:
        """The values of one column."""
        at = self.names.index(name)
        return tuple(row[at] for row in self.rows)

    def pick(self, *names: str) -> Table:
        """These columns alone, in this order."""
        places = [self.names.index(name) for name in names]
        return Table(
            tuple(self.columns[at] for at in places), tuple(tuple(row[at] for at in places) for row in self.rows)
        )

    def without(self, *names: str) -> Table:
        """All columns but these."""
        return self.pick(*(name for name in self.names if name not in names))

    def without_empty(self, *names: str) -> Table:
        """The table without those of these columns that are empty in every row; without names, of all but the first."""
        return self.without(*(name for name in names or self.names[1:] if all(map(is_empty, self.column(name)))))

    def with_column(self, column: Column, values: Iterable[Value]) -> Table:
        """One more column, the last."""
        rows = ((*row, value) for row, value in zip(self.rows, values, strict=True))
        return Table((*self.columns, column), tuple(rows))

    def find(self, letters: str, *names: str) -> Table:
        """The rows that contain these letters in one of these columns; upper and lower case are equal."""
        texts = zip(*(self.column(name) for name in names), strict=True)
        return self.where(letters.casefold() in " ".join(map(str, cells)).casefold() for cells in texts)

    def where(self, is_kept: Iterable[bool]) -> Table:
        """The rows for which `is_kept` is true."""
        return Table(self.columns, tuple(row for row, kept in zip(self.rows, is_kept, strict=True) if kept))


def of_kind(kind: Kind, *names: str) -> tuple[Column, ...]:
    """Columns of one kind."""
    return tuple(Column(name, kind) for name in names)


def table_of(columns: Iterable[Column], rows: Iterable[Sequence[Any]]) -> Table:
    """A table of rows of any kind.

    >>> table_of((Column("layer"), Column("bytes", "bytes")), [("head", 2048)]).column("bytes")
    (2048,)
    """
    return Table(tuple(columns), tuple(map(tuple, rows)))


def is_empty(value: Value) -> bool:
    """Whether a cell has nothing to show."""
    return value is None or value == ""


def written(value: Value, kind: Kind) -> str:
    """A value as a terminal or a report shows it; empty where there is none.

    >>> written(0.25, "share"), written(37.36, "decibels"), written(math.inf, "decibels"), written(None, "error")
    ('25.0 %', '37.4', 'exact', '')
    >>> written(1.5, "time"), written(2048, "bytes"), written(12345, "count"), written(0.000123, "error")
    ('1.50 ms', '2.00 KiB', '12,345', '1.230e-4')
    """
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        return plain(value, limit=None)
    if kind == "bytes":
        return bytes_text(int(value))
    if kind == "time":
        return seconds_text(value / 1000)
    if kind == "share":
        return share_text(value)
    if kind in _DIGITS and math.isfinite(value):
        return f"{value:.{_DIGITS[kind]}f}"
    return "exact" if kind == "decibels" and value == math.inf else number_text(value)
