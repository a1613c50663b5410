"""The table of constants, against numpy's and by listing values."""

import math
from typing import Any

import numpy as np
import pytest

from precision.formats import ALL_FORMATS, FORMATS, AnyFormat, NumericFormat, format_named
from precision.formats.anatomy import finite_values
from precision.formats.constants import constants


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_numpys_formats(name: str) -> None:
    info: Any = np.finfo(name)
    row = constants(format_named(name))
    assert (row.bits_per_value, row.exponent_bits, row.mantissa_bits) == (info.bits, info.iexp, info.nmant)
    assert (row.max, row.smallest_normal, row.epsilon) == (info.max, info.smallest_normal, info.eps)
    assert (row.smallest_subnormal, row.decimal_digits) == (info.smallest_subnormal, info.precision)


@pytest.mark.parametrize("fmt", [row for row in FORMATS if row.bits <= 16], ids=lambda fmt: fmt.name)
def test_counted_from_a_list_of_all_values(fmt: NumericFormat) -> None:
    values, row = set(finite_values(fmt)), constants(fmt)
    integer = 0
    while integer + 1 in values:
        integer += 1
    assert (row.finite_values, row.consecutive_integers) == (len(values), integer)
    range_binades = math.log2(max(values) / min(value for value in values if value > 0))
    assert row.range_binades == pytest.approx(range_binades, rel=1e-12)


def test_least_formats() -> None:
    for name in ("e1m0fnuz", "e4m0fn", "e1m2finite"):
        fmt = format_named(name)
        values, integer = set(finite_values(fmt)), 0
        while integer + 1 in values:
            integer += 1
        assert constants(fmt).consecutive_integers == integer


def test_no_range_of_a_wide_format_overflows() -> None:
    assert constants(format_named("float64")).range_binades == pytest.approx(1024 + 1074)


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=lambda fmt: fmt.name)
def test_every_format_has_a_row(fmt: AnyFormat) -> None:
    row = constants(fmt)
    assert row.name == fmt.name
    assert (row.max is None) == (row.element is not None)
    assert row.bits_per_value > 0
