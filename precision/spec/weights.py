"""Weights that are stored each in its own format, as they are written: `fc.weight=float8_e4m3fn`."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from precision.errors import InputError
from precision.formats import AnyFormat, ScaledFormat, any_format_named

_SCALE = re.compile(r"(?P<name>.+)\*2\^(?P<exponent>[+-]?[0-9]{1,4})")
_MOST_EXPONENT = 1000
_EXAMPLE = 'Write NAME=FORMAT, such as fc.weight=float16, or layers by format, such as {"float16": ["fc.weight"]}.'


class StoredIn(NamedTuple):
    """How one weight is stored."""

    fmt: AnyFormat
    exponent: int = 0
    """The weight is multiplied by 2 to this power before it is rounded, and divided by it afterwards."""

    @classmethod
    def parse(cls, text: str) -> StoredIn:
        """The way that a setting names: a format, then the scale of the whole weight where it has one.

        >>> str(StoredIn.parse("e4m3*2^+7")), str(StoredIn.parse("half"))
        ('float8_e4m3fn*2^7', 'float16')

        Raises:
            InputError: no such format, a scale that is too large, or one for a format that has its own scales.
        """
        found = _SCALE.fullmatch(text.strip())
        fmt = any_format_named(found["name"] if found else text.strip())
        exponent = int(found["exponent"]) if found else 0
        if exponent and isinstance(fmt, ScaledFormat):
            raise InputError(f"{fmt.name} has scales of its own: leave out *2^{exponent}.")
        if abs(exponent) > _MOST_EXPONENT:
            raise InputError(f"{text[:80]!r}: a scale is from 2^-{_MOST_EXPONENT} to 2^{_MOST_EXPONENT}.")
        return cls(fmt, exponent)

    @property
    def is_stored(self) -> bool:
        """Whether torch stores these values; else a wider dtype holds them."""
        return self.fmt.has_dtype and not self.exponent

    def __str__(self) -> str:
        return self.fmt.name + (f"*2^{self.exponent}" if self.exponent else "")


def weights_of(value: object) -> object:
    """Weights as pairs of name and canonical way, in order of name; what is no such thing as it is.

    Args:
        value: pairs; or text, `NAME=FORMAT` separated by commas, or JSON of formats by name or of names by format.

    Raises:
        InputError: a weight has two formats, a format is unknown, or the text cannot be read.
    """
    if isinstance(value, str):
        value = _of_text(value)
    if not isinstance(value, list | tuple) or not all(map(is_pair, value)):
        return value
    if not value:
        raise InputError(f"weights name no weight. {_EXAMPLE}")
    ways: dict[str, str] = {}
    for name, text in value:
        way = str(StoredIn.parse(text))
        if ways.setdefault(name, way) != way:
            raise InputError(f"weights give {name[:200]!r} two formats: {ways[name]} and {way}.")
    return tuple(sorted(ways.items()))


def is_pair(value: object) -> bool:
    """Whether it is two texts."""
    return isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(item, str) for item in value)


def counted_text(formats: Sequence[str]) -> str:
    """How many are in each format, the most first.

    >>> counted_text(["float16", "int8", "int8"])
    '2 × int8, 1 × float16'
    """
    return ", ".join(f"{count:,} × {name}" for name, count in Counter(formats).most_common())


def _of_text(text: str) -> object:
    if not text.lstrip().startswith("{"):
        pairs = [part.rpartition("=") for part in text.split(",") if part.strip()]
        if bad := next((fmt for name, _, fmt in pairs if not name.strip()), None):
            raise InputError(f"weights = {bad[:80]!r}: not a weight and its format. {_EXAMPLE}")
        return tuple((name.strip(), fmt) for name, _, fmt in pairs)
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"weights = {text[:80]!r}: not JSON: {error}. {_EXAMPLE}") from error
    return tuple(pair for key, part in given.items() for pair in _pairs(key, part))


def _pairs(key: str, part: object) -> list[tuple[str, str]]:
    """Of one entry: a weight and its format, or a format and its weights."""
    if isinstance(part, str):
        return [(key, part)]
    if isinstance(part, list) and all(isinstance(name, str) for name in part):
        return [(name, key) for name in part]
    raise InputError(
        f"weights: {key[:80]!r} has {str(part)[:80]}, which is neither a format nor a list of names. {_EXAMPLE}"
    )
