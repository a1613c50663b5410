"""A row of a table by its name, or an error that lists similar names."""

import difflib
from collections.abc import Mapping
from typing import TypeVar

from precision.errors import InputError

Row = TypeVar("Row")


def looked_up(name: str, rows: Mapping[str, Row], *, unknown: str, hint: str = "") -> Row:
    """The row of that name; an error message starts with `unknown`, such as `Unknown metric`, and ends with `hint`.

    Raises:
        InputError: there is no such row; the message lists similar names, or all.
    """
    if name in rows:
        return rows[name]
    near = difflib.get_close_matches(name, rows)
    known = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(rows)}."
    raise InputError(f"{unknown} {name[:80]!r}. {known}{hint}")
