"""One number in every format, including formats with scales."""

import math
import sys
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from precision.errors import InputError
from precision.formats import ALL_FORMATS, AnyFormat, IntegerGrid, NumericFormat, ScaledFormat, format_named
from precision.formats.anatomy import ExactNumber, NumberAnatomy, as_float, decode, dissect, encode
from precision.formats.scaled import E8M0_EXPONENTS

Fate = Literal["exact", "rounded", "subnormal", "underflow", "overflow", "saturated", "infinite", "nan"]
"""What happened to a number. `exact`, `rounded`: in the normal range (a typed 0 is exact). `subnormal`: stored as a
subnormal value, exactly or not. `overflow`: beyond the largest value and no longer finite. `saturated`: beyond the
largest value and stored as it. `infinite`, `nan`: as typed."""

_FLOAT32 = format_named("float32")
_E4M3 = format_named("float8_e4m3fn")


@dataclass(frozen=True, kw_only=True)
class NumberInFormat:
    """A number as one format stores it, short enough for a row of a table."""

    format: str
    bits_per_value: float
    fate: Fate
    value: float
    """What is stored; exact."""
    exact: bool
    """Whether that is the typed number. Errors are rounded, and can be 0 even where this is False."""
    absolute_error: float | None
    """|stored - typed|; None where either is not finite."""
    relative_error: float | None
    """|stored - typed| / |typed|; None also where the typed number is zero."""
    spacing: float | None
    """Distance between neighbouring values at this value; None where it is not finite."""
    element: float | None = None
    """Of scaled formats: the value is this times the scale."""
    scale: float | None = None
    """Of scaled formats: NaN where a value that shares it is not finite, or too large for it."""
    sets_scale: bool = False
    """Of scaled formats: whether no larger value shares the scale; the number then has the best possible scale."""


def in_every_format(
    number: ExactNumber, *, saturate: bool = False, largest: float | None = None
) -> tuple[NumberInFormat, ...]:
    """`number` in each format of the table, in its order; arguments as in `in_format`."""
    return tuple(in_format(number, fmt, saturate=saturate, largest=largest) for fmt in ALL_FORMATS)


def in_format(
    number: ExactNumber, fmt: AnyFormat, *, saturate: bool = False, largest: float | None = None
) -> NumberInFormat:
    """`number` as `fmt` stores it, rounded once to the nearest value, ties to even.

    In a scaled format it is an element of a float64 tensor whose values all share the scale (in NVFP4 both scales).
    Scale and element are those of `precision.measure.rounding.round_to`. Overflow always saturates there.

    Args:
        number: the typed number.
        fmt: any format.
        saturate: what to do on overflow; see `precision.formats.anatomy.encode`.
        largest: for scaled formats: the largest magnitude among the values that share the scale. Used only where it is
            larger than the number itself; None: the number is alone.

    Raises:
        InputError: `largest` is not a finite number.
    """
    if largest is not None and not math.isfinite(largest):
        raise InputError(f"The largest value of the block is {largest}: choose a finite number.")
    if isinstance(fmt, ScaledFormat):
        return _in_scaled(number, fmt, largest=abs(largest or 0.0))
    anatomy = dissect(number, fmt, saturate=saturate)
    return NumberInFormat(
        format=fmt.name,
        bits_per_value=fmt.bits_per_value,
        fate=fate_of(number, anatomy),
        value=anatomy.value,
        exact=is_exact(number, anatomy.value),
        absolute_error=anatomy.absolute_error,
        relative_error=anatomy.relative_error,
        spacing=anatomy.spacing,
    )


def fate_of(number: ExactNumber, anatomy: NumberAnatomy) -> Fate:
    """What happened to `number`, with its anatomy."""
    if number.special == "nan":
        return "nan"
    if anatomy.overflowed or number.special:
        if math.isfinite(anatomy.value):
            return "saturated"
        return "infinite" if number.special and math.isinf(anatomy.value) else "overflow"
    if anatomy.underflowed:
        return "underflow"
    if anatomy.kind == "subnormal":
        return "subnormal"
    return "exact" if is_exact(number, anatomy.value) else "rounded"


def is_exact(number: ExactNumber, value: float) -> bool:
    """Whether `value` is the typed number; NaN equals NaN, and 0 equals -0."""
    if number.special:
        return repr(value) == number.special
    return math.isfinite(value) and Fraction(value) == number.fraction


def _in_scaled(number: ExactNumber, fmt: ScaledFormat, *, largest: float) -> NumberInFormat:
    x = _as_float64(number)
    scale = _scale(max(abs(x), largest), fmt) if math.isfinite(x) else math.nan
    element, spacing, saturated = _element(x / scale if scale else x, fmt)
    value = element * scale + (0.0 if isinstance(fmt.element, IntegerGrid) else -0.0)
    error = None if number.fraction is None or math.isnan(value) else abs(Fraction(value) - number.fraction)
    return NumberInFormat(
        format=fmt.name,
        bits_per_value=fmt.bits_per_value,
        fate=_scaled_fate(number, value, error, saturated=saturated),
        value=value,
        exact=is_exact(number, value),
        absolute_error=None if error is None else as_float(error),
        relative_error=as_float(error / abs(number.fraction)) if error is not None and number.fraction else None,
        spacing=None if spacing is None else spacing * scale,
        element=element,
        scale=scale,
        sets_scale=abs(x) >= largest,
    )


def _scaled_fate(number: ExactNumber, value: float, error: Fraction | None, *, saturated: bool) -> Fate:
    if error is None:
        return "nan" if number.special == "nan" else "overflow"
    if not value and number.fraction:
        return "underflow"
    if saturated:
        return "saturated"
    return "rounded" if error else "exact"


def _as_float64(number: ExactNumber) -> float:
    if number.fraction is None:
        return math.nan if number.special == "nan" else math.inf
    return -0.0 if number.negative and not number.fraction else as_float(number.fraction)


def _scale(largest: float, fmt: ScaledFormat) -> float:
    """The scale of values whose largest magnitude is `largest`; NaN where it is beyond float32."""
    if fmt.scale == "e8m0":
        power = max(math.frexp(largest)[1] - 1, sys.float_info.min_exp - 1) if largest else sys.float_info.min_exp - 1
        low, high = E8M0_EXPONENTS
        return 2.0 ** min(max(power - fmt.element_exponent, low), high)
    if fmt.scale == "float32":
        nearest = _nearest(largest / fmt.element.max, _FLOAT32)
        return nearest if math.isfinite(nearest) else math.nan
    whole = _nearest(largest / (_E4M3.max * fmt.element.max), _FLOAT32)
    if not whole or math.isinf(whole):
        return 0.0 if not whole else math.nan
    return _nearest(largest / (fmt.element.max * whole), _E4M3) * whole


def _element(quotient: float, fmt: ScaledFormat) -> tuple[float, float | None, bool]:
    """The element nearest to `quotient`, the distance to its neighbours, and whether it was cut off."""
    if math.isnan(quotient):
        return math.nan, None, False
    if isinstance(fmt.element, IntegerGrid):
        whole = float(round(quotient))
        element = min(max(whole, -fmt.element.max), fmt.element.max)
        return element, 1.0, element != whole
    anatomy = dissect(quotient, fmt.element, saturate=True)
    return anatomy.value, anatomy.spacing, anatomy.overflowed


def _nearest(value: float, fmt: NumericFormat) -> float:
    code = encode(value, fmt, saturate=fmt is _E4M3)
    return math.nan if code is None else decode(code, fmt)
