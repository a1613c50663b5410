"""One number in one format: its code, its fields, its neighbours and its rounding error. All arithmetic is exact."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from precision.errors import InputError
from precision.formats.numeric import NumericFormat

Kind = Literal["zero", "subnormal", "normal", "infinite", "nan"]
Special = Literal["inf", "-inf", "nan"]

MAX_CHARACTERS = 1200
"""Of a typed number: float64's longest exact decimal has some 1,080."""
MAX_DECIMAL_EXPONENT = 5000
"""Of a typed number: otherwise a user could make the server write out 10^1000000000."""
MAX_LISTED_BITS = 16
"""The widest format whose values are listed one by one."""

_EXPONENT = re.compile(r"[eE]([+-]?\d+)$")
_SPECIAL_WORDS: dict[str, Special] = {
    **dict.fromkeys(("inf", "infinity", "+inf", "+infinity"), "inf"),
    **dict.fromkeys(("-inf", "-infinity"), "-inf"),
    **dict.fromkeys(("nan", "+nan", "-nan"), "nan"),
}


@dataclass(frozen=True, kw_only=True)
class ExactNumber:
    """A number as a person typed it, without rounding."""

    text: str
    fraction: Fraction | None
    """None for infinities and NaN."""
    special: Special | None = None
    negative: bool = False
    """Whether it has a minus sign; also for -0."""


@dataclass(frozen=True, kw_only=True)
class Fields:
    """The three fields of a code, as strings of 0 and 1."""

    sign: str
    exponent: str
    mantissa: str
    """Empty where the format has no mantissa bits."""


@dataclass(frozen=True, kw_only=True)
class NumberAnatomy:
    """A number as one format stores it."""

    format: str
    kind: Kind
    code: int | None
    """None for NaN in a format without NaN."""
    fields: Fields | None
    value: float
    """What is stored; exact."""
    power: int | None
    """The exponent: |value| = significand · 2^power with significand < 2. None for zero, infinities and NaN."""
    below: float | None
    """The next smaller value; None where there is none."""
    above: float | None
    spacing: float | None
    """The ULP at the stored value: distance between neighbours of its binade. None where it is not finite."""
    absolute_error: float | None
    """|stored - typed|, rounded once; None where either is not finite."""
    relative_error: float | None
    """Over |typed|; None where typed is zero or either is not finite."""
    ulp_error: float | None
    """Over the ULP at the typed number, 2^(max(floor(log2|typed|), smallest exponent) - mantissa bits)."""
    overflowed: bool
    """Whether the typed number is finite and rounds beyond the largest value."""
    underflowed: bool
    """Whether a typed number other than zero is stored as zero."""


def parse_number(text: str) -> ExactNumber:
    """The exact number in `text`: a decimal with or without an exponent, a fraction such as 1/3, inf or nan.

    Raises:
        InputError: it is not a number, or too long to be written out.
    """
    bare = bare_text(text)
    if bare in _SPECIAL_WORDS:
        special = _SPECIAL_WORDS[bare]
        return ExactNumber(text=text, fraction=None, special=special, negative=special == "-inf")
    exponent = _EXPONENT.search(bare)
    if len(bare) > MAX_CHARACTERS or (exponent and abs(int(exponent[1])) > MAX_DECIMAL_EXPONENT):
        raise InputError(
            f"This number is too long to be written out: at most {MAX_CHARACTERS} characters, and an exponent of at "
            f"most {MAX_DECIMAL_EXPONENT}."
        )
    try:
        fraction = Fraction(bare)
    except (ValueError, ZeroDivisionError):
        raise InputError(f"{text[:40]!r} is not a number. Examples: 0.1, -2.5e-8, 1/3, inf, nan.") from None
    return ExactNumber(text=text, fraction=fraction, negative=bare.startswith("-"))


def bare_text(text: str) -> str:
    """Typed text in lower case, with ASCII's minus sign and without underscores."""
    return text.strip().lower().replace("−", "-").replace("_", "")


def encode(number: ExactNumber | float, fmt: NumericFormat, *, saturate: bool = False) -> int | None:
    """The code of the value of `fmt` nearest to `number`, ties to even; sign bit first, then exponent, then mantissa.

    Beyond the largest value: infinity, or NaN in formats without infinities; the largest value with `saturate` and in
    formats that have neither. NaN is the quiet NaN with an otherwise empty mantissa; None in a format without NaN.
    In a format without -0, -0 and negative numbers that underflow become 0.

    >>> from precision.formats import format_named
    >>> encode(1.0, format_named("float16")) == 0x3C00
    True
    """
    exact = number if isinstance(number, ExactNumber) else _exact(number)
    if exact.special == "nan":
        return _nan_code(fmt)
    if exact.fraction is None:
        return _signed(_overflow_code(fmt, saturate=saturate), fmt, negative=exact.negative)
    magnitude = _magnitude_code(abs(exact.fraction), fmt)
    fits = magnitude <= fmt.max_code
    return _signed(magnitude if fits else _overflow_code(fmt, saturate=saturate), fmt, negative=exact.negative)


def decode(code: int, fmt: NumericFormat) -> float:
    """The value that `code` stands for; exact.

    Raises:
        InputError: `code` is negative or has more bits than the format.
    """
    if not 0 <= code < 1 << fmt.bits:
        raise InputError(f"{fmt.name} has codes from 0 to {(1 << fmt.bits) - 1}, and {code} is not one of them.")
    negative, magnitude = divmod(code, 1 << (fmt.bits - 1))
    sign = -1.0 if negative else 1.0
    if magnitude <= fmt.max_code:
        if fmt.specials == "fnuz" and negative and not magnitude:
            return math.nan
        return sign * float(_magnitude(magnitude, fmt))
    infinite = fmt.specials == "ieee" and magnitude == fmt.max_code + 1
    return sign * math.inf if infinite else math.nan


def fields(code: int, fmt: NumericFormat) -> Fields:
    """The three fields of `code`.

    >>> from precision.formats import format_named
    >>> fields(0x3C00, format_named("float16"))
    Fields(sign='0', exponent='01111', mantissa='0000000000')
    """
    bits = f"{code:0{fmt.bits}b}"
    return Fields(sign=bits[0], exponent=bits[1 : 1 + fmt.exponent_bits], mantissa=bits[1 + fmt.exponent_bits :])


def dissect(number: ExactNumber | float, fmt: NumericFormat, *, saturate: bool = False) -> NumberAnatomy:
    """All facts about a number in `fmt`, rounded once; `saturate` as in `encode`.

    >>> from precision.formats import format_named
    >>> dissect(parse_number("0.1"), format_named("float16")).value
    0.0999755859375
    """
    exact = number if isinstance(number, ExactNumber) else _exact(number)
    code = encode(exact, fmt, saturate=saturate)
    value = math.nan if code is None else decode(code, fmt)
    stored = Fraction(value) if math.isfinite(value) else None
    error = abs(stored - exact.fraction) if stored is not None and exact.fraction is not None else None
    below, above = _neighbours(value, fmt)
    return NumberAnatomy(
        format=fmt.name,
        kind=_kind(value, fmt),
        code=code,
        fields=None if code is None else fields(code, fmt),
        value=value,
        power=_floor_log2(abs(stored)) if stored else None,
        below=below,
        above=above,
        spacing=None if stored is None else float(_ulp(abs(stored), fmt)),
        absolute_error=None if error is None else as_float(error),
        relative_error=as_float(error / abs(exact.fraction)) if error is not None and exact.fraction else None,
        ulp_error=as_float(error / _ulp(abs(exact.fraction), fmt))
        if error is not None and exact.fraction is not None
        else None,
        overflowed=exact.fraction is not None and _magnitude_code(abs(exact.fraction), fmt) > fmt.max_code,
        underflowed=bool(exact.fraction) and value == 0,
    )


def finite_values(fmt: NumericFormat) -> tuple[float, ...]:
    """Every finite value of a format of at most 16 bits, ascending; zero once.

    Raises:
        InputError: the format is wider.
    """
    if fmt.bits > MAX_LISTED_BITS:
        raise InputError(f"{fmt.name} has {fmt.bits} bits, too many values to list: at most {MAX_LISTED_BITS} bits.")
    positive = [float(_magnitude(code, fmt)) for code in range(1, fmt.max_code + 1)]
    return (*(-value for value in reversed(positive)), 0.0, *positive)


def values_around(value: float, fmt: NumericFormat, *, count: int) -> tuple[float, ...]:
    """The value of `fmt` nearest to `value`, with `count` finite neighbours on each side, ascending; zero once.

    Empty for NaN. For infinities and values beyond the range, the largest values of the format.
    """
    if math.isnan(value):
        return ()
    nearest = min(abs(value), fmt.max)
    code = min(_magnitude_code(Fraction(nearest), fmt), fmt.max_code)
    place = -code if value < 0 else code
    places = range(max(place - count, -fmt.max_code), min(place + count, fmt.max_code) + 1)
    return tuple(math.copysign(float(_magnitude(abs(at), fmt)), at) for at in places)


def _exact(value: float) -> ExactNumber:
    negative = math.copysign(1.0, value) < 0
    if math.isfinite(value):
        return ExactNumber(text=repr(value), fraction=Fraction(value), negative=negative)
    special: Special = "nan" if math.isnan(value) else "-inf" if negative else "inf"
    return ExactNumber(text=repr(value), fraction=None, special=special, negative=negative)


def _floor_log2(x: Fraction) -> int:
    power = x.numerator.bit_length() - x.denominator.bit_length()
    return power if (x.numerator << max(-power, 0)) >= (x.denominator << max(power, 0)) else power - 1


def _ulp(x: Fraction, fmt: NumericFormat) -> Fraction:
    power = max(_floor_log2(x), fmt.min_exponent) if x else fmt.min_exponent
    return Fraction(2) ** (power - fmt.mantissa_bits)


def _magnitude_code(x: Fraction, fmt: NumericFormat) -> int:
    """The code of the nearest value, as if the exponent had no upper limit. A carry into the exponent is correct."""
    if not x:
        return 0
    power = max(_floor_log2(x), fmt.min_exponent)
    shift = fmt.mantissa_bits - power
    steps, rest = divmod(x.numerator << max(shift, 0), unit := x.denominator << max(-shift, 0))
    steps += 2 * rest > unit or (2 * rest == unit and steps % 2)
    return ((power - fmt.min_exponent) << fmt.mantissa_bits) + steps


def _magnitude(code: int, fmt: NumericFormat) -> Fraction:
    exponent, mantissa = divmod(code, 1 << fmt.mantissa_bits)
    significand = mantissa + ((1 << fmt.mantissa_bits) if exponent else 0)
    return significand * Fraction(2) ** (max(exponent, 1) - fmt.bias - fmt.mantissa_bits)


def _nan_code(fmt: NumericFormat) -> int | None:
    sign = 1 << (fmt.bits - 1)
    if fmt.specials == "ieee":
        return fmt.max_code + 1 + (1 << (fmt.mantissa_bits - 1))
    return {"nan_only": sign - 1, "fnuz": sign, "finite": None}[fmt.specials]


def _overflow_code(fmt: NumericFormat, *, saturate: bool) -> int | None:
    """The code of the magnitude; None means NaN."""
    if saturate or fmt.specials == "finite":
        return fmt.max_code
    return fmt.max_code + 1 if fmt.has_infinities else None


def _signed(magnitude: int | None, fmt: NumericFormat, *, negative: bool) -> int | None:
    if magnitude is None:
        return _nan_code(fmt)
    signed = negative and (magnitude > 0 or fmt.has_negative_zero)
    return magnitude + (signed << (fmt.bits - 1))


def _kind(value: float, fmt: NumericFormat) -> Kind:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "infinite"
    if not value:
        return "zero"
    return "normal" if abs(value) >= fmt.smallest_normal else "subnormal"


def _neighbours(value: float, fmt: NumericFormat) -> tuple[float | None, float | None]:
    """Next smaller and next larger value, including infinities where the format has them."""
    if math.isnan(value):
        return None, None
    if value < 0 or (not value and math.copysign(1.0, value) < 0):
        below, above = _neighbours(-value, fmt)
        return (None if above is None else -above), (None if below is None else -below)
    if math.isinf(value):
        return fmt.max, None
    code = _magnitude_code(Fraction(value), fmt)
    below = -float(_magnitude(1, fmt)) if not code else float(_magnitude(code - 1, fmt))
    if code < fmt.max_code:
        return below, float(_magnitude(code + 1, fmt))
    return below, math.inf if fmt.has_infinities else None


def as_float(x: Fraction) -> float:
    """The nearest float; infinity beyond the largest."""
    try:
        return float(x)
    except OverflowError:
        return math.inf
