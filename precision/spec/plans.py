"""Plans, whose layers have formats of their own, as they are written: pairs, or layers by format in a link."""

import json
from collections.abc import Iterable

from precision.errors import InputError
from precision.formats import AnyFormat, IntegerGrid, ScaledFormat, any_format_named
from precision.spec.weights import is_pair


def coarsest(formats: Iterable[AnyFormat]) -> AnyFormat:
    """The format with the fewest digits: by mantissa bits, then without scales first, then by exponent bits.

    >>> coarsest(map(any_format_named, ("float16", "bfloat16"))).name
    'bfloat16'
    """

    def digits(fmt: AnyFormat) -> tuple[int, bool, int, str]:
        element = fmt.element if isinstance(fmt, ScaledFormat) else fmt
        if isinstance(element, IntegerGrid):
            return element.bits - 2, True, 0, fmt.name
        return element.mantissa_bits, isinstance(fmt, ScaledFormat), element.exponent_bits, fmt.name

    return min(formats, key=digits)


def plan_of(value: object) -> object:
    """The plan as pairs of fqn and canonical format name, in order of fqn; anything malformed as it is.

    Raises:
        InputError: a layer has two formats, or a format is unknown; or a link's plan cannot be read.
    """
    if isinstance(value, str):
        value = _plan_of_link(value)
    if not isinstance(value, list | tuple) or not all(is_pair(pair) for pair in value):
        return value
    formats: dict[str, str] = {}
    for fqn, name in value:
        canonical = any_format_named(name).name
        if formats.setdefault(fqn, canonical) != canonical:
            raise InputError(f"The plan gives {fqn[:200]!r} two formats: {formats[fqn]} and {canonical}.")
    return tuple(sorted(formats.items()))


def _plan_of_link(text: str) -> object:
    if not text:
        return ()
    try:
        layers = json.loads(text)
        return tuple((fqn, name) for name, fqns in layers.items() for fqn in fqns)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise InputError(
            f'plan = {text[:80]!r}: not the layers by format, such as {{"float16": ["encoder.0"]}}.'
        ) from error
