"""The error for a module name that the model does not have."""

import difflib
from collections.abc import Iterable

from precision.errors import InputError

NAME_CHARACTERS = 200
"""Longest part of a name that a message repeats."""
_COMPARED_NAMES = 10_000
"""Only this many names are searched for similar ones."""


def no_such_module(fqn: str, known: Iterable[str], *, purpose: str) -> InputError:
    """The error for a name that is not among `known`, with similar names; `purpose` is such as `to keep`."""
    near = difflib.get_close_matches(fqn, list(known)[:_COMPARED_NAMES], n=2)
    hint = f"Did you mean {' or '.join(near)}?" if near else "Take a name from the table of layers."
    return InputError(f"The model has no module {fqn[:NAME_CHARACTERS]!r} {purpose}. {hint}")
