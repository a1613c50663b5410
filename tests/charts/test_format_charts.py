"""The charts of number formats: the numbers drawn, and figures of every format."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import pytest

from precision.charts.format_windows import _format_windows_info, plot_format_windows
from precision.charts.frame import alt_text
from precision.charts.number_line import _number_line_info, plot_number_line
from precision.formats import FORMATS, NumericFormat, format_named
from precision.formats.anatomy import finite_values, parse_number, values_around

NUMBERS = [
    "0.1",
    "0",
    "-0",
    "1/3",
    "-1e9",
    "1e-12",
    "1e5000",
    "1e-5000",
    "inf",
    "-inf",
    "nan",
    "65504",
    "1" + "0" * 300,
]
FLOAT16, FP4 = format_named("float16"), format_named("fp4")


@pytest.mark.parametrize("name", ["float64", "tf32", "e4m3", "e4m3fnuz", "fp4", "e1m0fnuz"])
@pytest.mark.parametrize("text", NUMBERS)
def test_every_number_is_drawn_in_formats_of_every_kind(name: str, text: str) -> None:
    fmt = format_named(name)
    figure = plot_number_line(parse_number(text), fmt)
    drawn = json.loads(figure.to_json(), parse_constant=pytest.fail)
    assert len(json.dumps(drawn)) < 20_000
    assert fmt.name in alt_text(figure)


def test_positions_are_steps_from_the_stored_value() -> None:
    info = _number_line_info(parse_number("0.1"), FLOAT16, saturate=False)
    assert info.positions == tuple(range(-6, 7))
    assert info.stored == 0
    assert info.typed == float((Fraction("0.1") - Fraction(0.0999755859375)) * 2**14)
    assert info.title == "0.1 becomes 0.09998 in float16: off by 0.4 of a step"


def test_steps_change_at_a_power_of_two() -> None:
    info = _number_line_info(parse_number("2"), FP4, saturate=False)
    assert info.values == (-1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6)
    assert info.positions == (-3, -2.5, -2, -1.5, -1, -0.5, 0, 1, 2, 4)
    assert info.title == "2 is exact in float4_e2m1fn"


def test_overflow_is_at_the_end_of_the_line() -> None:
    info = _number_line_info(parse_number("-65530"), FLOAT16, saturate=False)
    assert (info.values[0], info.stored, info.typed) == (-65504, None, -26 / 32)
    assert info.title == "-65530 becomes infinite in float16, beyond its largest value"
    far = _number_line_info(parse_number("1e9"), format_named("e4m3"), saturate=False)
    assert (far.values[-1], far.typed) == (448, None)
    assert "becomes NaN in float8_e4m3fn, beyond its largest value" in far.title


def test_nan_is_not_on_the_line() -> None:
    assert _number_line_info(parse_number("nan"), FLOAT16, saturate=False).empty == "NaN is not on the number line."


@pytest.mark.parametrize("fmt", [FP4, format_named("fp8_e4m3fnuz"), FLOAT16], ids=lambda fmt: fmt.name)
def test_values_around_are_those_beside_it(fmt: NumericFormat) -> None:
    values = finite_values(fmt)
    for place in range(0, len(values), max(1, len(values) // 300)):
        around = values_around(values[place], fmt, count=3)
        assert around == values[max(place - 3, 0) : place + 4]
    assert values_around(math.inf, fmt, count=2) == values[-3:]
    assert values_around(math.nan, fmt, count=2) == ()


def test_windows_are_the_formats_limits() -> None:
    info = _format_windows_info(FORMATS, "float16")
    window = next(window for window in info.windows if window.format == "float16")
    assert window.magnitudes == (2**-24, 2**-14, 65504)
    assert window.relative_errors == (0.5, 2**-11, 2**-11)
    assert info.title == "float16 rounds by at most 4.883e-4 of the value, from 6.104e-5 to 65,504"


@pytest.mark.parametrize("formats", [FORMATS, FORMATS[:1], FORMATS[-1:], ()], ids=len)
def test_windows_are_drawn(formats: tuple[NumericFormat, ...]) -> None:
    figure = plot_format_windows(formats, chosen="float64")
    json.loads(figure.to_json(), parse_constant=pytest.fail)
    assert alt_text(figure)
    assert len(figure.data) == len(formats)
    if formats:
        looks = {(line.line.color, line.line.dash) for line in figure.data}
        assert len(looks) == len(formats)
