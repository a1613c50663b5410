"""One number in every format, against the rounding of tensors."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from precision.errors import InputError
from precision.formats import ALL_FORMATS, SCALED_FORMATS, NumericFormat, ScaledFormat, any_format_named, format_named
from precision.formats.anatomy import dissect
from precision.formats.number_in_format import Fate, fate_of, in_every_format, in_format, is_exact
from precision.formats.typed_number import read_number
from precision.measure.rounding import round_to

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NICE = st.floats(min_value=-1e6, max_value=1e6)


def same(first: float, second: float) -> bool:
    """Equal, or both NaN; -0 is not 0."""
    return repr(first) == repr(second)


@given(FLOATS | NICE, st.sampled_from(SCALED_FORMATS), st.none() | FLOATS | NICE)
def test_scaled_formats_store_what_a_tensor_stores(value: float, fmt: ScaledFormat, largest: float | None) -> None:
    values = [value] if largest is None else [value, largest]
    stored = round_to(torch.tensor(values, dtype=torch.float64), fmt)[0].item()
    row = in_format(read_number(value.hex()), fmt, largest=largest)
    assert same(row.value, stored)
    if row.element is not None and row.scale is not None and math.isfinite(stored):
        assert row.element * row.scale == stored
        assert abs(row.element) <= fmt.element.max
        assert row.absolute_error == pytest.approx(abs(Fraction(stored) - Fraction(value)), rel=1e-15)
        assert row.exact == (stored == value)


@given(FLOATS | NICE, st.sampled_from([fmt for fmt in ALL_FORMATS if isinstance(fmt, NumericFormat)]), st.booleans())
def test_formats_without_scales_store_what_a_tensor_stores(value: float, fmt: NumericFormat, saturate: bool) -> None:
    stored = round_to(torch.tensor([value], dtype=torch.float64), fmt, saturate=saturate)[0].item()
    row = in_format(read_number(value.hex()), fmt, saturate=saturate)
    assert same(row.value, stored)
    assert row.exact == (stored == value)


def test_every_format_has_its_row() -> None:
    rows = in_every_format(read_number("0.1"))
    assert [row.format for row in rows] == [fmt.name for fmt in ALL_FORMATS]
    assert all(row.relative_error is not None and row.relative_error > 0 for row in rows)


@pytest.mark.parametrize(
    ("text", "name", "largest", "fate"),
    [
        ("0.5", "float16", None, "exact"),
        ("0", "float16", None, "exact"),
        ("-0", "fp8_e4m3fnuz", None, "exact"),
        ("0.1", "float16", None, "rounded"),
        ("1e-6", "float16", None, "subnormal"),
        ("1e-310", "float64", None, "subnormal"),
        ("1e-9", "float16", None, "underflow"),
        ("1e-5000", "float64", None, "underflow"),
        ("65519", "float16", None, "rounded"),
        ("65520", "float16", None, "overflow"),
        ("1e5000", "float64", None, "overflow"),
        ("500", "float8_e4m3fn", None, "overflow"),
        ("500", "fp4", None, "saturated"),
        ("inf", "float16", None, "infinite"),
        ("-inf", "float8_e4m3fn", None, "overflow"),
        ("inf", "fp4", None, "saturated"),
        ("nan", "float16", None, "nan"),
        ("nan", "fp4", None, "nan"),
        ("0.1", "mxfp4", None, "rounded"),
        ("0.1", "mxfp4", 6.0, "underflow"),
        ("7", "mxfp4", None, "saturated"),
        ("6", "mxfp4", 1.0, "exact"),
        ("0", "int8", None, "exact"),
        ("inf", "nvfp4", None, "overflow"),
        ("1e400", "int8", None, "overflow"),
        ("1e39", "int8", 1e300, "overflow"),
        ("nan", "int4", None, "nan"),
    ],
)
def test_what_becomes_of_a_number(text: str, name: str, largest: float | None, fate: Fate) -> None:
    assert in_format(read_number(text), any_format_named(name), largest=largest).fate == fate


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float16"])
def test_saturation_keeps_the_largest_value(name: str) -> None:
    fmt = format_named(name)
    for text in ("1e30", "inf"):
        row = in_format(read_number(text), fmt, saturate=True)
        assert (row.value, row.fate) == (fmt.max, "saturated")


def test_an_error_too_small_for_a_float_is_still_an_error() -> None:
    number = read_number("0.5" + "0" * 1000 + "1")
    row = in_format(number, format_named("float64"))
    assert (row.absolute_error, row.relative_error) == (0.0, 0.0)
    assert not row.exact
    assert row.fate == fate_of(number, dissect(number, format_named("float64"))) == "rounded"


def test_the_same_special_value_is_exact() -> None:
    assert is_exact(read_number("nan"), math.nan)
    assert is_exact(read_number("-inf"), -math.inf)
    assert not is_exact(read_number("inf"), -math.inf)
    assert not is_exact(read_number("1"), math.inf)


def test_a_larger_value_beside_it_costs_precision() -> None:
    errors = [in_format(read_number("0.1"), any_format_named("int8"), largest=size).relative_error for size in (1, 8)]
    assert errors[0] is not None
    assert errors[1] is not None
    assert errors[0] < errors[1]
    assert (
        in_format(read_number("8"), any_format_named("int8"), largest=0.1).scale
        == in_format(read_number("8"), any_format_named("int8")).scale
    )


@pytest.mark.parametrize("largest", [math.inf, math.nan])
def test_the_largest_value_beside_it_must_be_finite(largest: float) -> None:
    with pytest.raises(InputError, match="choose a finite number"):
        in_format(read_number("1"), any_format_named("int8"), largest=largest)
