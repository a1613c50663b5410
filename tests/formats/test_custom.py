"""Formats that a person types."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from precision.errors import InputError
from precision.formats import NumericFormat, any_format_named, format_named
from precision.formats.anatomy import decode
from precision.formats.custom import custom_format
from precision.spec import RunSpec

WITH_COUNTERPART = {
    "e4m3ieee": "float8_e4m3",
    "e3m4": "float8_e3m4",
    "e5m2ieee": "float8_e5m2",
    "e4m3fn": "float8_e4m3fn",
    "e5m2fnuz": "float8_e5m2fnuz",
    "e2m3finite": "float6_e2m3fn",
    "e2m1finite": "float4_e2m1fn",
    "e5m10": "float16",
}


def made(name: str) -> NumericFormat:
    fmt = custom_format(name)
    assert fmt is not None
    return fmt


@pytest.mark.parametrize(("name", "counterpart"), WITH_COUNTERPART.items())
def test_every_code_is_that_of_the_named_counterpart(name: str, counterpart: str) -> None:
    fmt = made(name)
    dtype = np.dtype(getattr(ml_dtypes, counterpart, counterpart))
    codes = np.arange(2**fmt.bits, dtype=np.uint16 if fmt.bits == 16 else np.uint8)
    expected = codes.view(dtype).astype(np.float64)
    np.testing.assert_array_equal([decode(int(code), fmt) for code in codes], expected)


def test_a_typed_format_is_simulated() -> None:
    fmt = format_named("E5M7")
    assert (fmt.name, fmt.bits, fmt.exponent_bits, fmt.mantissa_bits, fmt.specials) == ("e5m7", 13, 5, 7, "ieee")
    assert not fmt.has_dtype
    assert not fmt.computes
    assert format_named("e5m10").name == "e5m10"  # not float16: that one is real


def test_names_of_the_table_come_first() -> None:
    assert format_named("e4m3").name == format_named("E4M3FN").name == "float8_e4m3fn"
    assert format_named("e2m1").name == "float4_e2m1fn"


@given(
    st.integers(1, 11), st.integers(0, 52), st.sampled_from(["", "ieee", "fn", "fnuz", "finite"]), st.booleans()
)  # fmt: skip
def test_a_name_finds_itself_again(exponent: int, mantissa: int, suffix: str, upper: bool) -> None:
    typed = f"e{exponent}m{mantissa}{suffix}"
    try:
        fmt = format_named(typed.upper() if upper else typed)
    except InputError:
        return
    assert format_named(fmt.name) == fmt
    assert RunSpec(dtype=typed).dtype == fmt.name
    assert 0 < fmt.smallest_subnormal <= fmt.smallest_normal <= fmt.max < float("inf")
    assert decode(fmt.max_code, fmt) == fmt.max


def test_a_name_that_a_row_has_gets_another() -> None:
    assert format_named("e4m3ieee").name == "e4m3ieee"
    assert format_named("e4m3ieee").max == 240
    assert format_named("e5m2ieee").max == format_named("e5m2").max


@pytest.mark.parametrize("name", ["e5", "m7", "e5m7x", "5m7", "e-1m3", "e5m7 ", "e٥m٧", "ee5m7", "e5m7fnfn"])
def test_other_names_are_not_of_that_form(name: str) -> None:
    assert custom_format(name) is None
    with pytest.raises(InputError, match=r"Unknown format .*or type one, such as e5m7"):
        any_format_named(name)


def test_a_very_long_name_is_not_repeated_whole() -> None:
    with pytest.raises(InputError) as refused:
        any_format_named("x" * 10_000)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("name", ["e0m3", "e12m3", "e5m53", "e999m1", "e11m999"])
def test_widths_beyond_float64_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="choose 1 to 11 exponent bits and 0 to 52 mantissa bits"):
        format_named(name)


@pytest.mark.parametrize("name", ["e1m3", "e5m0", "e8m0ieee"])
def test_no_room_for_infinities(name: str) -> None:
    with pytest.raises(InputError, match=r"has no room for infinities and NaNs: .* Add a suffix: e\dm\dfn,"):
        format_named(name)


def test_no_normal_value() -> None:
    with pytest.raises(InputError, match="'e1m0fn' has no normal value at all"):
        format_named("e1m0fn")


@pytest.mark.parametrize("name", ["e11m3fn", "e11m52fnuz", "e11m3finite"])
def test_ranges_beyond_float64_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="goes beyond the range of float64"):
        format_named(name)


def test_the_least_formats() -> None:
    assert (format_named("e1m0fnuz").max, format_named("e1m0fnuz").bits) == (1, 2)
    assert format_named("e1m2finite").max == 3.5
