"""Numbers as they are typed, read back exactly."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precision.errors import InputError
from precision.formats import FORMATS, NumericFormat, format_named
from precision.formats.anatomy import decode
from precision.formats.typed_number import code_text, dissect_typed, exact_text, read_code, read_number, type_code

FLOAT16 = format_named("float16")
SMALL = [fmt for fmt in FORMATS if fmt.bits <= 8] + [format_named("e1m2finite"), format_named("e5m0fn")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x1F", Fraction(31)),
        ("-0x1.8p-3", Fraction(-3, 16)),
        ("+0X.8", Fraction(1, 2)),
        ("0x1p-1074", Fraction(2) ** -1074),
        ("0x1e1", Fraction(481)),
        (" 0xFF_FF ", Fraction(65535)),
        ("−0x1p4", Fraction(-16)),
        ("0.1", Fraction(1, 10)),
        ("1/3", Fraction(1, 3)),
        ("1e-8", Fraction(1, 10**8)),
    ],
)
def test_what_is_typed_is_read_exactly(text: str, value: Fraction) -> None:
    assert read_number(text).fraction == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_hexadecimal_floats_are_those_of_python(value: float) -> None:
    read = read_number(value.hex())
    assert read.fraction == Fraction(value)
    assert read.negative == (math.copysign(1, value) < 0)


@pytest.mark.parametrize("text", ["0x", "0x.", "0xg", "0x1p", "0x1p1.5", "1x0", "0x1/3", "0x1p9999999"])
def test_what_looks_hexadecimal_and_is_not_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"is not a (hexadecimal )?number"):
        read_number(text)


@pytest.mark.parametrize("text", ["0x1p16001", "0x1p-16001", "0x" + "1" * 1200])
def test_too_long_to_be_written_out(text: str) -> None:
    with pytest.raises(InputError, match="too long to be written out"):
        read_number(text)


@pytest.mark.parametrize("fmt", SMALL, ids=lambda fmt: fmt.name)
def test_every_code_is_typed_and_comes_back(fmt: NumericFormat) -> None:
    for code in range(1 << fmt.bits):
        assert dissect_typed(type_code(code, fmt), fmt).code == code


@given(st.integers(min_value=0, max_value=2**64 - 1), st.sampled_from(["float64", "float32", "bfloat16", "tf32"]))
def test_codes_of_wide_formats_come_back(code: int, name: str) -> None:
    fmt = format_named(name)
    code %= 1 << fmt.bits
    typed = type_code(code, fmt)
    found = dissect_typed(typed, fmt)
    assert found.code == code
    assert found.fields is not None
    assert int(found.fields.sign + found.fields.exponent + found.fields.mantissa, 2) == code
    assert found.absolute_error in (0.0, None)


@pytest.mark.parametrize("text", ["nan(0x3c00)", "nan(0x1ffff)", "NaN"])
def test_a_code_that_is_no_nan_here_gives_the_usual_nan(text: str) -> None:
    assert dissect_typed(text, FLOAT16).code == 0x7E00


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_exact_text_has_all_digits_and_no_more(value: float) -> None:
    text = exact_text(value)
    assert Fraction(Decimal(text)) == Fraction(value)
    assert math.copysign(1, float(text)) == math.copysign(1, value)
    digits = text.lstrip("-").partition("e")[0]
    assert not ("." in digits and digits.endswith(("0", ".")))


@pytest.mark.parametrize(("value", "text"), [(math.inf, "∞"), (-math.inf, "−∞"), (math.nan, "NaN"), (65504.0, "65504")])
def test_exact_text_of_what_has_no_digits(value: float, text: str) -> None:
    assert exact_text(value) == text


@pytest.mark.parametrize("text", ["0x2E66", "0b0010111001100110", " 0X2e66 ", "0x2e_66"])
def test_codes_are_read_in_both_bases(text: str) -> None:
    code = read_code(text, FLOAT16)
    assert code_text(code, FLOAT16) == "0x2E66"
    assert decode(code, FLOAT16) == 0.0999755859375


@pytest.mark.parametrize("text", ["2E66", "0x", "0b2", "-0x1", "", "0x" + "0" * 2000])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a code"):
        read_code(text, FLOAT16)


@pytest.mark.parametrize("text", ["0x10000", "0b1" + "0" * 16])
def test_a_code_with_too_many_bits_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="more than the 16 bits of float16"):
        read_code(text, FLOAT16)
