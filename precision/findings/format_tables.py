"""Tables of number formats: their constants, and one number in each."""

import math
from collections.abc import Sequence

from precision.findings.numbers import fate_text
from precision.findings.tables import Column, Table, of_kind, table_of
from precision.formats import ALL_FORMATS, AnyFormat
from precision.formats.constants import FormatConstants, constants
from precision.formats.number_in_format import NumberInFormat
from precision.results import DeviceInfo
from precision.text.units import number_text

_CONSTANTS = (
    Column("format"),
    Column("bits", "number"),
    *of_kind("count", "exponent", "mantissa", "bias"),
    Column("max"),
    *of_kind("error", "smallest normal", "smallest subnormal", "epsilon"),
    *of_kind("count", "decimal digits", "integers exact up to"),
    *of_kind("text", "infinities", "NaN", "−0", "element", "shared scale", "in torch", "native on", "also"),
)
_NUMBERS = (
    Column("format"),
    Column("bits", "number"),
    *of_kind("text", "stored", "in range?"),
    *of_kind("error", "relative error", "absolute error", "spacing", "element", "scale"),
)


def constants_table(devices: Sequence[DeviceInfo] | None, formats: Sequence[AnyFormat] = ALL_FORMATS) -> Table:
    """A row for each format; empty cells where a format with scales has no such constant.

    Without `devices`, it is not known yet where a format is native.
    """
    return table_of(_CONSTANTS, (_constants(fmt, constants(fmt), devices) for fmt in formats))


def number_table(rows: Sequence[NumberInFormat]) -> Table:
    """One number in every format; cells without a value are empty."""
    return table_of(_NUMBERS, map(_number, rows))


def _number(row: NumberInFormat) -> tuple[object, ...]:
    return (
        *(row.format, row.bits_per_value, _digits(row.value), fate_text(row.fate)),
        *(row.relative_error, row.absolute_error, row.spacing, row.element, row.scale),
    )


def _constants(fmt: AnyFormat, row: FormatConstants, devices: Sequence[DeviceInfo] | None) -> tuple[object, ...]:
    return (
        row.name,
        row.bits_per_value,
        *(row.exponent_bits, row.mantissa_bits, row.bias),
        _digits(row.max),
        *(row.smallest_normal, row.smallest_subnormal, row.epsilon),
        *(row.decimal_digits, row.consecutive_integers),
        *map(_yes, (row.infinities, row.nan, row.negative_zero)),
        row.element,
        _scale(row),
        "a dtype" if fmt.has_dtype else "simulated",
        _native(fmt, devices),
        " ".join(fmt.aliases),
    )


def _scale(row: FormatConstants) -> str:
    shared_by = f"{row.block_size} values" if row.block_size else row.granularity
    return f"{row.scale}, one per {shared_by}" if row.scale else ""


def _yes(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


def _native(fmt: AnyFormat, devices: Sequence[DeviceInfo] | None) -> str:
    if devices is None:
        return "not known yet"
    return ", ".join(device.id for device in devices if fmt.name in device.native_formats) or "none"


def _digits(value: float | None) -> str:
    """Enough digits to read back the same float64. (In a number column, browsers show none above 2^53.)"""
    if value is None or not math.isfinite(value):
        return "" if value is None else number_text(value)
    return repr(value).removesuffix(".0")
