"""What is said of a number is true."""

from __future__ import annotations

import pytest

from precision.findings.numbers import SCALE_RULES, finding, formula, scaled_finding
from precision.formats import FORMATS, SCALED_FORMATS, NumericFormat, any_format_named, format_named
from precision.formats.anatomy import dissect
from precision.formats.number_in_format import in_format
from precision.formats.typed_number import dissect_typed, read_number


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("0.1", "float16", "0.1 in float16 is stored as 0.09998, off by 2.441e-5"),
        ("0.5", "float16", "0.5 in float16 is exact"),
        ("1e-6", "float16", "1e-6 in float16 is subnormal: stored as 1.013e-6, off by 1.328e-8"),
        ("0x1p-24", "float16", "0x1p-24 in float16 is subnormal: stored as 5.960e-8, exactly"),
        (
            "1e-310",
            "float64",
            "1e-310 in float64 is subnormal: stored as 1.000e-310, off by less than 5e-324",
        ),
        ("1e-9", "float16", "1e-9 in float16 becomes 0: the smallest positive value is 5.960e-8"),
        ("70000", "float16", "70000 in float16 becomes ∞: the largest value is 65,504"),
        ("-500", "e4m3", "-500 in float8_e4m3fn becomes NaN: the largest value is 448"),
        ("7.1", "fp4", "7.1 in float4_e2m1fn is cut off at 6"),
        ("inf", "float16", "inf in float16 is infinite, as typed"),
        ("nan", "fp4", "float4_e2m1fn has no NaN"),
        ("nan(0x7c01)", "float16", "NaN in float16: 0x7C01"),
    ],
)
def test_findings(text: str, name: str, said: str) -> None:
    fmt = format_named(name)
    assert finding(read_number(text), dissect_typed(text, fmt), fmt) == said


@pytest.mark.parametrize(
    ("text", "largest", "said"),
    [
        ("1/3", 6.0, "1/3 in mxfp4_e2m1 is stored as 0.5, off by 0.1667"),
        ("1.5", None, "1.5 in mxfp4_e2m1 is exact at this scale"),
        ("7", None, "7 in mxfp4_e2m1 is cut off at 6, off by 1"),
        ("0.1", 6.0, "0.1 in mxfp4_e2m1 becomes 0, because its scale is set by larger values"),
        ("inf", None, "inf in mxfp4_e2m1 turns all values that share its scale into NaN"),
        ("nan", None, "nan in mxfp4_e2m1 turns all values that share its scale into NaN"),
    ],
)
def test_findings_with_scales(text: str, largest: float | None, said: str) -> None:
    number = read_number(text)
    assert scaled_finding(number, in_format(number, any_format_named("mxfp4"), largest=largest)) == said


def test_every_scale_has_its_rule() -> None:
    assert {fmt.scale for fmt in SCALED_FORMATS} == set(SCALE_RULES)


@pytest.mark.parametrize("fmt", [fmt for fmt in FORMATS if fmt.bits <= 8], ids=lambda fmt: fmt.name)
def test_formulas_give_the_value(fmt: NumericFormat) -> None:
    for code in range(1 << fmt.bits):
        anatomy = dissect_typed(f"nan(0x{code:x})", fmt)
        if anatomy.code != code:
            continue  # no NaN: its number is typed below
        assert "stands for NaN" in formula(anatomy, fmt)
    for value in (fmt.max, -fmt.max, fmt.smallest_normal, fmt.smallest_subnormal, -0.0):
        left = formula(dissect(value, fmt), fmt).rpartition(" = ")[0]
        computed = eval(left.replace("−", "-").replace("×", "*").replace("^", "**"))  # noqa: S307  # our own text
        assert computed == value


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("-inf", "float16", "all ones in the exponent, none in the mantissa: −∞"),
        ("nan", "fp8_e4m3fnuz", "the code of −0 stands for NaN"),
        ("nan", "fp4", "float4_e2m1fn has no code for NaN"),
        ("4", "e5m0fn", "2^(17 − 15) × (1) = 4"),
    ],
)
def test_formulas_of_special_codes(text: str, name: str, said: str) -> None:
    fmt = format_named(name)
    assert formula(dissect_typed(text, fmt), fmt) == said
