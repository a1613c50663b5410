"""What a format does to a number, in a sentence."""

import math

from precision.formats import NumericFormat, Scale
from precision.formats.anatomy import ExactNumber, NumberAnatomy
from precision.formats.number_in_format import Fate, NumberInFormat, fate_of, is_exact
from precision.formats.typed_number import code_text
from precision.text.names import plain
from precision.text.units import number_text

_TYPED_CHARACTERS = 28

_FATES: dict[Fate, str] = {
    "exact": "exact",
    "rounded": "in range, rounded",
    "subnormal": "in range, subnormal",
    "underflow": "too small: becomes 0",
    "overflow": "too large: no longer finite",
    "saturated": "too large: cut off at the largest value",
    "infinite": "infinite",
    "nan": "NaN",
}

SCALE_RULES: dict[Scale, str] = {
    "e8m0": "The scale is a power of two: 2^floor(log2 A) divided by the largest power of two that the element can "
    "store, where A is the largest magnitude in the block. Larger elements are cut off at the largest value.",
    "e4m3": "The scale is one float32 for the whole tensor, A / (448 · 6), times one float8_e4m3fn per block. Here "
    "both are computed from the same largest magnitude A.",
    "float32": "The scale is A / (2^(bits - 1) - 1) in float32, where A is the largest magnitude that shares it. The "
    "stored values are evenly spaced, however small they are.",
}
"""How a scale is chosen, by how it is stored."""


def fate_text(fate: Fate) -> str:
    """Whether the number is in the format's range, in a few words."""
    return _FATES[fate]


def error_text(error: float | None, *, exact: bool) -> str:
    """An error, shortened; an error too small for a float is not shown as 0.

    >>> error_text(0.0, exact=True), error_text(0.0, exact=False), error_text(None, exact=False)
    ('0', 'less than 5e-324', 'none')
    """
    if error is None:
        return "none"
    return "less than 5e-324" if error == 0 and not exact else number_text(error)


def typed_text(number: ExactNumber) -> str:
    """The number as it was typed, short enough for a title."""
    return plain(number.text, limit=_TYPED_CHARACTERS)


def finding(number: ExactNumber, anatomy: NumberAnatomy, fmt: NumericFormat) -> str:
    """What `fmt` stores for `number`, with the two numbers that matter."""
    typed, stored = typed_text(number), number_text(anatomy.value)
    fate = fate_of(number, anatomy)
    exact = is_exact(number, anatomy.value)
    off = f"off by {error_text(anatomy.absolute_error, exact=exact)}"
    if fate == "nan":
        return (
            f"{fmt.name} has no NaN" if anatomy.code is None else f"NaN in {fmt.name}: {code_text(anatomy.code, fmt)}"
        )
    sentences: dict[Fate, str] = {
        "exact": f"{typed} in {fmt.name} is exact",
        "rounded": f"{typed} in {fmt.name} is stored as {stored}, {off}",
        "subnormal": f"{typed} in {fmt.name} is subnormal: stored as {stored}, " + ("exactly" if exact else off),
        "underflow": f"{typed} in {fmt.name} becomes 0: the smallest positive value is "
        f"{number_text(fmt.smallest_subnormal)}",
        "overflow": f"{typed} in {fmt.name} becomes {stored}: the largest value is {number_text(fmt.max)}",
        "saturated": f"{typed} in {fmt.name} is cut off at {stored}",
        "infinite": f"{typed} in {fmt.name} is infinite, as typed",
    }
    return sentences[fate]


def scaled_finding(number: ExactNumber, row: NumberInFormat) -> str:
    """The same for a format with scales."""
    typed, stored = typed_text(number), number_text(row.value)
    off = f"off by {error_text(row.absolute_error, exact=row.exact)}"
    sentences: dict[Fate, str] = {
        "exact": f"{typed} in {row.format} is exact at this scale",
        "rounded": f"{typed} in {row.format} is stored as {stored}, {off}",
        "saturated": f"{typed} in {row.format} is cut off at {stored}, {off}",
        "underflow": f"{typed} in {row.format} becomes 0, because its scale is set by larger values",
    }
    return sentences.get(row.fate, f"{typed} in {row.format} turns all values that share its scale into NaN")


def formula(anatomy: NumberAnatomy, fmt: NumericFormat) -> str:
    """How the stored value follows from its fields, or what a special code means.

    >>> from precision.formats import format_named
    >>> from precision.formats.anatomy import dissect
    >>> float16 = format_named("float16")
    >>> formula(dissect(-0.75, float16), float16)
    '−1 × 2^(14 − 15) × (1 + 512/1024) = −0.75'
    >>> formula(dissect(2.0**-24, float16), float16)
    '2^(1 − 15) × (0 + 1/1024) = 5.960e-8'
    """
    parts, stored = anatomy.fields, _with_minus(anatomy.value)
    if parts is None:
        return f"{fmt.name} has no code for NaN"
    if anatomy.kind == "nan":
        return "the code of −0 stands for NaN" if fmt.specials == "fnuz" else "this code stands for NaN"
    if anatomy.kind == "infinite":
        return f"all ones in the exponent, none in the mantissa: {stored}"
    exponent, mantissa = int(parts.exponent, 2), int(parts.mantissa or "0", 2)
    hidden = 1 if exponent else 0
    sign = "−1 × " if parts.sign == "1" else ""
    fraction = f" + {mantissa}/{1 << fmt.mantissa_bits}" if fmt.mantissa_bits else ""
    return f"{sign}2^({max(exponent, 1)} − {fmt.bias}) × ({hidden}{fraction}) = {stored}"


def _with_minus(value: float) -> str:
    sign = "−" if math.copysign(1.0, value) < 0 else ""
    return sign + number_text(abs(value))
