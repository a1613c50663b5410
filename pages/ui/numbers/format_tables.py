"""Tables of number formats: their constants, and one number in each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from precision.findings.numbers import fate_text
from precision.formats import ALL_FORMATS, AnyFormat
from precision.formats.constants import FormatConstants, constants
from precision.formats.number_in_format import NumberInFormat
from precision.results import DeviceInfo

SCIENTIFIC = (
    *("smallest normal", "smallest subnormal", "epsilon"),
    *("relative error", "absolute error", "spacing", "element", "scale"),
)
"""Columns whose numbers span many powers of ten."""


def constants_table(devices: Sequence[DeviceInfo] | None, formats: Sequence[AnyFormat] = ALL_FORMATS) -> pd.DataFrame:
    """One row a format; empty cells where a format with scales has no such constant.

    Args:
        devices: to say where the format is native; None while they are not known.
        formats: the rows.
    """
    rows = [constants(fmt) for fmt in formats]
    return pd.DataFrame(
        {
            "format": [row.name for row in rows],
            "bits": [row.bits_per_value for row in rows],
            "exponent": pd.array([row.exponent_bits for row in rows], dtype="Int64"),
            "mantissa": pd.array([row.mantissa_bits for row in rows], dtype="Int64"),
            "bias": pd.array([row.bias for row in rows], dtype="Int64"),
            "max": [_digits(row.max) for row in rows],
            "smallest normal": _floats(row.smallest_normal for row in rows),
            "smallest subnormal": _floats(row.smallest_subnormal for row in rows),
            "epsilon": _floats(row.epsilon for row in rows),
            "decimal digits": pd.array([row.decimal_digits for row in rows], dtype="Int64"),
            "integers exact up to": pd.array([row.consecutive_integers for row in rows], dtype="Int64"),
            "infinities": [_yes(row.infinities) for row in rows],
            "NaN": [_yes(row.nan) for row in rows],
            "−0": [_yes(row.negative_zero) for row in rows],
            "element": [row.element or "" for row in rows],
            "shared scale": [_scale(row) for row in rows],
            "in torch": ["a dtype" if fmt.has_dtype else "simulated" for fmt in formats],
            "native on": [_native(fmt, devices) for fmt in formats],
        }
    )  # fmt: skip


def _scale(row: FormatConstants) -> str:
    shared_by = f"{row.block_size} values" if row.block_size else row.granularity
    return f"{row.scale}, one per {shared_by}" if row.scale else ""


def _yes(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


def _native(fmt: AnyFormat, devices: Sequence[DeviceInfo] | None) -> str:
    if devices is None:
        return "not known yet"
    return ", ".join(device.id for device in devices if fmt.name in device.native_formats) or "none"


def number_table(rows: Sequence[NumberInFormat]) -> pd.DataFrame:
    """One number in every format; empty cells where there is no such number."""
    return pd.DataFrame(
        {
            "format": [row.format for row in rows],
            "bits": [row.bits_per_value for row in rows],
            "stored": [_digits(row.value) for row in rows],
            "in range?": [fate_text(row.fate) for row in rows],
            "relative error": _floats(row.relative_error for row in rows),
            "absolute error": _floats(row.absolute_error for row in rows),
            "spacing": _floats(row.spacing for row in rows),
            "element": _floats(row.element for row in rows),
            "scale": _floats(row.scale for row in rows),
        }
    )


def _digits(value: float | None) -> str:
    """As many as tell a float64 from its neighbours. (In a column of numbers the browser refuses those above 2^53.)"""
    return "" if value is None else repr(value).removesuffix(".0")


def _floats(values: Iterable[float | None]) -> pd.Series:
    """As a column of numbers also where all are missing."""
    return pd.Series(list(values), dtype="float64")
