"""One number in one format, against torch's and numpy's own bits and against fractions."""

import math
import struct
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from precision.errors import InputError
from precision.formats import FORMATS, NumericFormat, format_named
from precision.formats.anatomy import NumberAnatomy, decode, dissect, encode, fields, finite_values, parse_number

FLOAT16, FLOAT32, E4M3, FP4, FNUZ = map(
    format_named, ("float16", "float32", "float8_e4m3fn", "float4_e2m1fn", "float8_e4m3fnuz")
)
SMALL = [row for row in FORMATS if row.bits <= 16]
WITH_ORACLE = [row for row in SMALL if row.oracle != "fractions"]
every_small = pytest.mark.parametrize("fmt", SMALL, ids=lambda fmt: fmt.name)
every_small_with_oracle = pytest.mark.parametrize("fmt", WITH_ORACLE, ids=lambda fmt: fmt.name)


def codes_and_values(fmt: NumericFormat) -> tuple[list[int], list[float]]:
    dtype = np.dtype(getattr(np if fmt.oracle == "numpy" else ml_dtypes, fmt.name))
    codes = np.arange(2**fmt.bits, dtype=np.uint16 if fmt.bits == 16 else np.uint8)
    with np.errstate(invalid="ignore"):
        values = codes.view(dtype).astype(np.float64)
    return codes.tolist(), values.tolist()


def typed(text: str, fmt: NumericFormat = FLOAT16, *, saturate: bool = False) -> NumberAnatomy:
    return dissect(parse_number(text), fmt, saturate=saturate)


@every_small_with_oracle
def test_every_code_decodes_as_ml_dtypes_does(fmt: NumericFormat) -> None:
    codes, values = codes_and_values(fmt)
    decoded = [decode(code, fmt) for code in codes]
    np.testing.assert_array_equal(decoded, values)
    np.testing.assert_array_equal(np.signbit(decoded), np.signbit(values) & ~np.isnan(values))


@pytest.mark.slow
@every_small_with_oracle
def test_every_value_encodes_to_its_code(fmt: NumericFormat) -> None:
    for code, value in zip(*codes_and_values(fmt), strict=True):
        if not math.isnan(value):
            assert encode(value, fmt) == code


@given(st.floats(allow_nan=False))
def test_float64_codes_are_the_machines(value: float) -> None:
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    assert encode(value, format_named("float64")) == bits
    assert decode(bits, format_named("float64")) == value


@given(st.floats(allow_nan=False))
def test_float32_codes_are_numpys(value: float) -> None:
    with np.errstate(over="ignore"):
        rounded = np.float32(value)
    code = encode(value, FLOAT32)
    assert code == int(rounded.view(np.uint32))
    assert decode(code, FLOAT32) == rounded


@pytest.mark.parametrize("fmt", [row for row in WITH_ORACLE if row.bits <= 8], ids=lambda fmt: fmt.name)
def test_midpoints_round_as_ml_dtypes_does(fmt: NumericFormat) -> None:
    values = np.array(finite_values(fmt))
    middle = (values[1:] + values[:-1]) / 2
    for x in [*middle, *np.nextafter(middle, np.inf), *np.nextafter(middle, -np.inf)]:
        ours = dissect(float(x), fmt).value
        near = np.float32(x)
        if float(near) == x:  # the other implementation starts from float32
            theirs = float(near.astype(getattr(ml_dtypes, fmt.name)).astype(np.float32))
            assert (ours, math.copysign(1, ours)) == (theirs, math.copysign(1, theirs))
        place = int(np.searchsorted(values, x))
        beside = [Fraction(float(value)) for value in values[max(place - 1, 0) : place + 1]]
        assert abs(Fraction(ours) - Fraction(float(x))) == min(abs(value - Fraction(float(x))) for value in beside)


@every_small
def test_neighbours_are_the_values_beside_it(fmt: NumericFormat) -> None:
    values = finite_values(fmt)
    step = max(1, len(values) // 997)
    top = math.inf if fmt.has_infinities else None
    for place in [*range(0, len(values), step), len(values) - 1]:
        found = dissect(values[place], fmt)
        below = values[place - 1] if place else (None if top is None else -top)
        above = values[place + 1] if place + 1 < len(values) else top
        assert (found.below, found.above) == (below, above)


@every_small_with_oracle
def test_finite_values_are_all_there_are(fmt: NumericFormat) -> None:
    _, values = codes_and_values(fmt)
    assert list(finite_values(fmt)) == sorted({value for value in values if math.isfinite(value)})


@pytest.mark.parametrize("fmt", [row for row in SMALL if row not in WITH_ORACLE], ids=lambda fmt: fmt.name)
def test_codes_of_formats_that_no_package_has(fmt: NumericFormat) -> None:
    """A code is a sign, an exponent and a mantissa: the value by exact arithmetic on these fields."""
    for code in range(2 ** (fmt.bits - 1)):
        if code > fmt.max_code:
            continue
        power, mantissa = divmod(code, 2**fmt.mantissa_bits)
        significand = Fraction(mantissa, 2**fmt.mantissa_bits) + (power > 0)
        value = float(significand * Fraction(2) ** (max(power, 1) - fmt.bias))
        assert (decode(code, fmt), encode(value, fmt)) == (value, code)
        assert value in finite_values(fmt)


def test_too_many_values_to_list() -> None:
    with pytest.raises(InputError, match="tf32 has 19 bits, too many values to list"):
        finite_values(format_named("tf32"))


def test_a_tenth_in_float16() -> None:
    found = typed("0.1")
    assert (found.value, found.code, found.kind, found.power) == (0.0999755859375, 0x2E66, "normal", -4)
    assert found.fields == fields(0x2E66, FLOAT16)
    assert (found.fields.sign, found.fields.exponent, found.fields.mantissa) == ("0", "01011", "1001100110")
    assert (found.below, found.above) == (0.09991455078125, 0.10003662109375)
    assert found.spacing == 2**-14
    assert found.absolute_error == float(Fraction("0.1") - Fraction(0.0999755859375))
    assert found.relative_error == float((Fraction("0.1") - Fraction(0.0999755859375)) * 10)
    assert found.ulp_error == float((Fraction("0.1") - Fraction(0.0999755859375)) * 2**14)
    assert found.ulp_error == pytest.approx(0.4)


def test_a_typed_decimal_is_rounded_once() -> None:
    """Just above a tie, by less than float64 can tell: a detour would give the even neighbour below."""
    assert typed("1.00048828125").value == 1
    assert typed("1.00048828125" + 30 * "0" + "1").value == 1 + 2**-10
    assert float("1.00048828125" + 30 * "0" + "1") == 1.00048828125


def test_zero() -> None:
    for text, code in (("0", 0), ("-0.0", 0x8000)):
        found = typed(text)
        assert (found.kind, found.code, found.power, found.spacing) == ("zero", code, None, 2**-24)
        assert (found.below, found.above) == (-(2**-24), 2**-24)
        assert (found.absolute_error, found.relative_error, found.ulp_error) == (0, None, 0)
        assert not found.underflowed
    assert typed("-0", FNUZ).code == 0


def test_underflow() -> None:
    found = typed("-1e-9")
    assert (found.value, found.kind, found.code, found.underflowed) == (0, "zero", 0x8000, True)
    assert found.relative_error == 1
    assert typed("1e-9").code == 0
    assert typed("-1e-9", FNUZ).code == 0


def test_subnormal() -> None:
    found = typed("6e-8")
    assert (found.kind, found.value, found.spacing, found.power) == ("subnormal", 2**-24, 2**-24, -24)


def test_overflow_is_a_choice() -> None:
    found = typed("1e6")
    assert (found.value, found.kind, found.overflowed, found.code) == (math.inf, "infinite", True, 0x7C00)
    assert (found.absolute_error, found.relative_error, found.ulp_error, found.spacing) == (None,) * 4
    assert (found.below, found.above) == (65504, None)
    saturated = typed("-1e6", saturate=True)
    assert (saturated.value, saturated.overflowed, saturated.below, saturated.above) == (
        -65504,
        True,
        -math.inf,
        -65472,
    )
    assert saturated.absolute_error == 1e6 - 65504
    assert typed("65519.999").value == 65504
    assert typed("65520").overflowed


def test_overflow_without_infinities() -> None:
    assert (typed("1000", E4M3).kind, typed("1000", E4M3).code) == ("nan", 0x7F)
    assert (typed("-1000", E4M3, saturate=True).value, typed("464", E4M3).value) == (-448, 448)
    assert (typed("1000", FNUZ).code, typed("-inf", FNUZ, saturate=True).value) == (0x80, -240)
    four = typed("-1000", FP4)
    assert (four.value, four.overflowed, four.below, four.above) == (-6, True, None, -4)
    assert typed("inf", FP4).value == 6


def test_nan() -> None:
    assert (typed("nan").code, typed("nan", FLOAT32).code) == (0x7E00, 0x7FC00000)
    found = typed("nan", FP4)
    assert (found.code, found.fields, found.kind) == (None, None, "nan")
    assert (found.below, found.above, found.absolute_error, found.overflowed) == (None, None, None, False)


def test_infinity() -> None:
    found = typed("-Infinity")
    assert (found.value, found.code, found.overflowed, found.below, found.above) == (
        -math.inf,
        0xFC00,
        False,
        None,
        -65504,
    )


@pytest.mark.parametrize(
    ("text", "fraction"),
    [("1/3", Fraction(1, 3)), (" -2.5e-8 ", Fraction(-1, 40_000_000)), ("1_000", Fraction(1000)), ("−1", Fraction(-1))],
)
def test_what_can_be_typed(text: str, fraction: Fraction) -> None:
    assert parse_number(text).fraction == fraction


def test_the_sign_of_zero_is_kept() -> None:
    assert parse_number("-0.0").negative
    assert not parse_number("0").negative


@pytest.mark.parametrize("text", ["", "abc", "1.2.3", "1/0", "0x10", "1e", "--1", "nan1", "1e5/3"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(InputError, match=r"is not a number\. Examples: 0\.1"):
        parse_number(text)


@pytest.mark.parametrize(
    "text", ["1e1000000000", "1e-5001", "1e000000000000009999", "1e9_999_999", "9" * 5000, "1e" + "9" * 999]
)
def test_numbers_too_long_to_write_out(text: str) -> None:
    with pytest.raises(InputError, match="too long to be written out: at most 1200 characters"):
        parse_number(text)


def test_numbers_far_beyond_float64() -> None:
    found = typed("1e5000", saturate=True)
    assert (found.value, found.absolute_error, found.relative_error) == (65504, math.inf, 1)
    assert typed("1e-5000").value == 0
    assert typed("1e-5000").absolute_error == 0  # below the smallest float64, and so not shown
    assert typed("-1e5000", format_named("float64")).value == -math.inf


@pytest.mark.parametrize("code", [-1, 16])
def test_a_code_that_the_format_lacks(code: int) -> None:
    with pytest.raises(InputError, match="float4_e2m1fn has codes from 0 to 15"):
        decode(code, FP4)


def test_fields_of_a_format_without_mantissa() -> None:
    assert fields(0b10110, format_named("e4m0fn")).mantissa == ""


@given(st.fractions(-1000, 1000), st.sampled_from([row for row in FORMATS if row.bits <= 8]))
def test_the_nearest_value_is_found(x: Fraction, fmt: NumericFormat) -> None:
    found = dissect(parse_number(str(x)), fmt, saturate=True)
    assert abs(Fraction(found.value) - x) == min(abs(Fraction(value) - x) for value in finite_values(fmt))
