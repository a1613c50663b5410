"""Numbers as people type them, and as text that gives exactly the same number again."""

import math
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from precision.errors import InputError
from precision.formats import NumericFormat
from precision.formats.anatomy import (
    MAX_CHARACTERS,
    MAX_DECIMAL_EXPONENT,
    ExactNumber,
    NumberAnatomy,
    bare_text,
    decode,
    dissect,
    fields,
    parse_number,
)

MAX_BINARY_EXPONENT = 16_000
"""Of a typed hexadecimal number: about 10^4,800, as far as decimals reach."""
_PLAIN_CHARACTERS = 40
"""Longest number that is written without an exponent."""
_TYPED_CHARACTERS = 30
"""Longest decimal to put into an input field; longer ones are written in hexadecimal."""

_HEXADECIMAL = re.compile(r"([+-]?)0x([0-9a-f]*)(?:\.([0-9a-f]*))?(?:p([+-]?[0-9]{1,6}))?", re.ASCII)
_NAN_WITH_CODE = re.compile(r"nan\(0x([0-9a-f]{1,16})\)", re.ASCII)
_CODE = re.compile(r"0x([0-9a-f]+)|0b([01]+)", re.ASCII)


def read_number(text: str) -> ExactNumber:
    """The exact number in `text`, without rounding.

    A decimal (0.1, -1e-8), a fraction (1/3), a hexadecimal number as C and Python print it (0x1F, 0x1.8p-3), inf,
    nan, or a NaN with its code, nan(0x7e01).

    >>> str(read_number("0x1.8p-3").fraction)
    '3/16'

    Raises:
        InputError: it is not a number, or too long to be written out.
    """
    bare = bare_text(text)
    if _NAN_WITH_CODE.fullmatch(bare):
        return replace(parse_number("nan"), text=text)
    if "0x" not in bare:
        return parse_number(text)
    match = _HEXADECIMAL.fullmatch(bare)
    if match is None or not (match[2] or match[3]):
        raise InputError(f"{text[:40]!r} is not a hexadecimal number. Examples: 0x1F, 0x1.8p-3, -0x0.")
    sign, whole, after_point, exponent = match[1], match[2], match[3] or "", int(match[4] or 0)
    if len(bare) > MAX_CHARACTERS or abs(exponent) > MAX_BINARY_EXPONENT:
        raise InputError(
            f"This number is too long to be written out: at most {MAX_CHARACTERS} characters, and an exponent of at "
            f"most {MAX_BINARY_EXPONENT} (decimals: {MAX_DECIMAL_EXPONENT})."
        )
    magnitude = int(whole + after_point, 16) * Fraction(2) ** (exponent - 4 * len(after_point))
    negative = sign == "-"
    return ExactNumber(text=text, fraction=-magnitude if negative else magnitude, negative=negative)


def dissect_typed(text: str, fmt: NumericFormat, *, saturate: bool = False) -> NumberAnatomy:
    """The anatomy of the typed number; nan(0x7e01) keeps its code where that is a NaN of the format.

    Raises:
        InputError: it is not a number.
    """
    anatomy = dissect(read_number(text), fmt, saturate=saturate)
    match = _NAN_WITH_CODE.fullmatch(bare_text(text))
    code = int(match[1], 16) if match else None
    if code is None or code >= 1 << fmt.bits or not math.isnan(decode(code, fmt)):
        return anatomy
    return replace(anatomy, code=code, fields=fields(code, fmt))


def type_code(code: int, fmt: NumericFormat) -> str:
    """Text that gives `code` of `fmt` again when it is typed as a number.

    >>> from precision.formats import format_named
    >>> [type_code(code, format_named("float16")) for code in (0x2E66, 0x8000, 0xFC00, 0x7E01)]
    ['0.0999755859375', '-0', '-inf', 'nan(0x7e01)']

    Raises:
        InputError: the format has no such code.
    """
    value = decode(code, fmt)
    if math.isnan(value):
        return f"nan(0x{code:x})"
    if math.isinf(value) or not value:
        return f"{value:g}"
    decimal = exact_text(value)
    return decimal if len(decimal) <= _TYPED_CHARACTERS else value.hex()


def read_code(text: str, fmt: NumericFormat) -> int:
    """The code in `text`, in hexadecimal (0x2E66) or binary (0b0010…).

    Raises:
        InputError: it is not a code of the format.
    """
    match = _CODE.fullmatch(bare_text(text))
    if match is None or len(text) > MAX_CHARACTERS:
        raise InputError(f"{text[:40]!r} is not a code. Write it as 0x2E66, or as 0b and its bits.")
    code = int(match[1], 16) if match[1] else int(match[2], 2)
    if code >> fmt.bits:
        raise InputError(f"{text[:40]!r} has more than the {fmt.bits} bits of {fmt.name}.")
    return code


def code_text(code: int, fmt: NumericFormat) -> str:
    """A code in hexadecimal, with all its digits.

    >>> from precision.formats import format_named
    >>> code_text(6, format_named("float16"))
    '0x0006'
    """
    return f"0x{code:0{-(-fmt.bits // 4)}X}"


def exact_text(value: float) -> str:
    """All decimal digits of a float (there are finitely many); infinities, NaN and -0 as words and signs.

    >>> exact_text(0.1), exact_text(-0.0), exact_text(2.0**70)
    ('0.1000000000000000055511151231257827021181583404541015625', '-0', '1180591620717411303424')
    >>> exact_text(2.0**-40)
    '9.094947017729282379150390625e-13'
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if not value:
        return f"{value:g}"
    exact = Decimal(value)
    _, digits, exponent = exact.as_tuple()
    written = "".join(map(str, digits)).rstrip("0")
    power = len(digits) - 1 + int(exponent)
    if -5 <= power < _PLAIN_CHARACTERS:
        plain = f"{exact:f}"
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    point = "." if len(written) > 1 else ""
    return f"{'-' if value < 0 else ''}{written[0]}{point}{written[1:]}e{power}"
