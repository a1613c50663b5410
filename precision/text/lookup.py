"""A word of a table, or an error that names near ones."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from precision.errors import InputError

Row = TypeVar("Row")


def looked_up(name: str, rows: Mapping[str, Row], *, unknown: str) -> Row:
    """The row of that name.

    Args:
        name: what is asked for.
        rows: all there are, by name.
        unknown: how the message begins where there is none, such as `Unknown metric`.

    Raises:
        InputError: there is none; the message names near ones, or all.
    """
    if name in rows:
        return rows[name]
    near = difflib.get_close_matches(name, rows)
    known = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(rows)}."
    raise InputError(f"{unknown} {name!r}. {known}")
