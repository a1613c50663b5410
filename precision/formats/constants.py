"""The constants of every format as the rows of one table."""

import math
from dataclasses import dataclass, fields

from precision.formats.scaled import ScaledFormat
from precision.formats.table import AnyFormat


@dataclass(frozen=True, kw_only=True)
class FormatConstants:
    """One row. None where the format has no such constant: the range of a scaled format depends on the values."""

    name: str
    bits_per_value: float
    """As stored, with its share of a block's scale."""
    exponent_bits: int | None = None
    mantissa_bits: int | None = None
    bias: int | None = None
    max: float | None = None
    smallest_normal: float | None = None
    smallest_subnormal: float | None = None
    epsilon: float | None = None
    range_binades: float | None = None
    """log2(max / smallest positive value)."""
    decimal_digits: int | None = None
    """Decimals with this many digits in the normal range keep their value: floor(mantissa bits · log10 2)."""
    consecutive_integers: int | None = None
    """All integers from 0 to this one are exact."""
    finite_values: int | None = None
    """Number of different finite values; zero counts once."""
    infinities: bool | None = None
    nan: bool | None = None
    negative_zero: bool | None = None
    element: str | None = None
    """Only of scaled formats, like the next three."""
    block_size: int | None = None
    scale: str | None = None
    granularity: str | None = None


def constants(fmt: AnyFormat) -> FormatConstants:
    """The constants of `fmt`.

    >>> from precision.formats import format_named
    >>> constants(format_named("float16")).consecutive_integers
    2048
    """
    same = {each.name: getattr(fmt, each.name) for each in fields(FormatConstants) if hasattr(fmt, each.name)}
    if isinstance(fmt, ScaledFormat):
        return FormatConstants(**same | {"element": fmt.element.name})
    return FormatConstants(
        **same,
        range_binades=math.log2(fmt.max) - math.log2(fmt.smallest_subnormal),
        decimal_digits=math.floor(fmt.mantissa_bits * math.log10(2)),
        consecutive_integers=min(1 << (fmt.mantissa_bits + 1), math.floor(fmt.max)),
        finite_values=2 * fmt.max_code + 1,
        infinities=fmt.has_infinities,
        nan=fmt.has_nan,
        negative_zero=fmt.has_negative_zero,
    )
