"""The charts of the page Number formats: what is drawn is what the formats are."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from functools import partial

import plotly.graph_objects as go
import pytest

from precision.charts.format_bits import plot_format_bits
from precision.charts.format_density import _density_info, plot_format_density
from precision.charts.format_errors import _format_errors_info, plot_format_errors
from precision.charts.format_spacing import _spacing_info, plot_format_spacing
from precision.charts.format_values import MAX_BITS, ValueScale, _format_values_info, plot_format_values
from precision.charts.frame import TITLE_CHARACTERS, alt_text
from precision.charts.number_line import _number_line_info, plot_number_line
from precision.formats import FORMATS, NumericFormat, any_format_named, format_named
from precision.formats.anatomy import dissect, finite_values
from precision.formats.number_in_format import in_every_format, in_format
from precision.formats.typed_number import read_number

NUMBERS = ["0.1", "-1/3", "0", "-0", "1e-7", "500", "-1e9", "1e5000", "-1e-5000", "inf", "-inf", "nan"]
CUSTOM = [format_named(name) for name in ("e5m7", "e1m2finite", "e8m0fn", "e5m0fnuz", "e11m1")]
EVERY = [*FORMATS, *CUSTOM]
NARROW = [fmt for fmt in EVERY if fmt.bits <= MAX_BITS]

every_format = pytest.mark.parametrize("fmt", EVERY, ids=lambda fmt: fmt.name)


def assert_sound(figure: go.Figure) -> None:
    drawn = json.loads(figure.to_json(), parse_constant=pytest.fail)
    assert len(json.dumps(drawn)) < 200_000
    assert max(map(len, figure.layout.title.text.split("<br>"))) <= TITLE_CHARACTERS
    assert alt_text(figure).endswith(".")
    assert "%{" not in figure.layout.title.text


def drawings(fmt: NumericFormat, text: str) -> dict[str, Callable[[], go.Figure]]:
    number = read_number(text)
    anatomy = dissect(number, fmt)
    return {
        "values": partial(plot_format_values, fmt, number, anatomy),
        "linear values": partial(plot_format_values, fmt, number, anatomy, scale="linear"),
        "line": partial(plot_number_line, number, fmt),
        "spacing": partial(plot_format_spacing, fmt, number),
    }


@every_format
def test_every_format_is_drawn(fmt: NumericFormat) -> None:
    for draw in drawings(fmt, "-1/3").values():
        assert_sound(draw())
    assert_sound(plot_format_density(fmt))


@pytest.mark.parametrize("text", NUMBERS)
def test_every_number_is_drawn(text: str) -> None:
    for draw in drawings(format_named("float8_e4m3fn"), text).values():
        assert_sound(draw())


@pytest.mark.parametrize("text", NUMBERS)
def test_the_errors_of_every_number_are_drawn(text: str) -> None:
    number = read_number(text)
    assert_sound(plot_format_errors(number, in_every_format(number)))


@pytest.mark.parametrize("fmt", NARROW, ids=lambda fmt: fmt.name)
@pytest.mark.parametrize("scale", ["logarithmic", "linear"])
def test_every_value_has_its_tick(fmt: NumericFormat, scale: ValueScale) -> None:
    number = read_number("0.1")
    info = _format_values_info(
        fmt, number, dissect(number, fmt), scale="linear" if scale == "linear" else "logarithmic"
    )
    ticks = sorted([*info.normal, *info.subnormal])
    assert [value for _, value in ticks] == list(finite_values(fmt))
    positions = [at for at, _ in ticks]
    assert positions == sorted(set(positions))
    assert positions == [-at for at in reversed(positions)]
    assert all(abs(value) < fmt.smallest_normal for _, value in info.subnormal)
    labels = [at for at, _ in info.ticks]
    assert labels == sorted(labels)
    assert {at for at in labels if abs(at) == info.end} == {-info.end, info.end}


@pytest.mark.parametrize("fmt", NARROW, ids=lambda fmt: fmt.name)
def test_half_of_the_values_lie_where_the_title_says(fmt: NumericFormat) -> None:
    number = read_number("0")
    title = _format_values_info(fmt, number, dissect(number, fmt), scale="linear").title
    said = float(title.rpartition("±")[2].replace(",", ""))
    values = finite_values(fmt)
    inside = sum(abs(value) <= said * (1 + 1e-3) for value in values)
    assert len(values) / 2 <= inside <= len(values) / 2 + 3


def test_marks_are_where_the_values_are() -> None:
    fmt, number = format_named("float8_e4m3fn"), read_number("0.1")
    info = _format_values_info(fmt, number, dissect(number, fmt), scale="linear")
    marks = {mark.label: mark.positions for mark in info.marks}
    assert marks == {
        "neighbours 0.09375 and 0.1094": (0.09375, 0.109375),
        "stored 0.1016": (0.1015625,),
        "typed 0.1": (0.1,),
    }
    beyond = read_number("-1e9")
    (mark,) = _format_values_info(fmt, beyond, dissect(beyond, fmt), scale="linear").marks
    assert mark.label == "typed -1e9, beyond the end"
    assert mark.positions[0] < -fmt.max


def test_a_wide_format_has_too_many_values() -> None:
    number, fmt = read_number("0.1"), format_named("float16")
    assert _format_values_info(fmt, number, dissect(number, fmt), scale="linear").empty == (
        "float16 has 63,487 values, too many for one line."
    )


@every_format
def test_the_staircase_is_the_distance_between_neighbours(fmt: NumericFormat) -> None:
    stairs = _spacing_info(fmt, None).stairs[0]
    step = max(1, len(stairs.magnitudes) // 40)
    for magnitude, spacing in list(zip(stairs.magnitudes, stairs.spacings, strict=True))[::step]:
        above = dissect(magnitude, fmt).above
        if above is not None and math.isfinite(above):
            assert above - magnitude == spacing
    assert stairs.magnitudes[-1] == fmt.max


def test_the_number_is_marked_on_its_stair() -> None:
    fmt = format_named("float16")
    assert _spacing_info(fmt, read_number("-0.1")).typed == ("typed -0.1", 0.1, 2.0**-14)
    assert _spacing_info(fmt, read_number("1e-6")).typed == ("typed 1e-6", 1e-6, 2.0**-24)
    for text in ("0", "1e-9", "1e9", "inf", "nan"):
        assert _spacing_info(fmt, read_number(text)).typed is None


@pytest.mark.parametrize("fmt", [fmt for fmt in EVERY if fmt.bits <= 16], ids=lambda fmt: fmt.name)
def test_the_density_counts_every_positive_value_once(fmt: NumericFormat) -> None:
    info = _density_info(fmt)
    counted = Counter(math.frexp(value)[1] - 1 for value in finite_values(fmt) if value > 0)
    assert dict(zip(info.exponents, info.counts, strict=True)) == counted


@every_format
def test_the_densities_add_up(fmt: NumericFormat) -> None:
    assert sum(_density_info(fmt).counts) == fmt.max_code


def test_dots_are_the_errors_and_the_title_counts_them() -> None:
    number = read_number("500")
    rows = in_every_format(number, largest=1000)
    info = _format_errors_info(number, rows)
    groups = Counter(dot.group for dot in info.dots)
    assert dict(re.findall(r"(exact|rounded|cut off|lost) in (\d+)", info.title)) == {
        group: str(count) for group, count in groups.items()
    }
    assert info.title.endswith(f" of {len(rows)} formats")
    assert info.detail == ""
    for dot, row in zip(info.dots, rows, strict=True):
        assert dot.relative_error == (row.relative_error if dot.group in ("rounded", "cut off") else None)
        assert (dot.group == "exact") == (row.value == 500)


def test_a_number_cut_off_at_the_largest_value_is_not_called_rounded() -> None:
    number = read_number("1000")
    rows = [in_format(number, format_named(name), saturate=True) for name in ("float16", "float8_e4m3fn", "fp4")]
    info = _format_errors_info(number, rows)
    assert [(dot.group, dot.relative_error) for dot in info.dots] == [
        ("exact", None),
        ("cut off", 0.552),
        ("cut off", 0.994),
    ]
    assert info.title == "1000 is exact in 1, cut off in 2 of 3 formats"
    looks = {trace.name: trace.marker.symbol for trace in plot_format_errors(number, rows).data}
    assert looks == {"exact": "star", "cut off at the largest value": "square"}


def test_formats_in_which_the_number_sets_the_scale_are_told_and_not_counted() -> None:
    number = read_number("0.3")
    names = ("float16", "float32", "mxfp4_e2m1", "int8")
    alone, beside = (
        _format_errors_info(number, [in_format(number, any_format_named(name), largest=largest) for name in names])
        for largest in (None, 5.0)
    )
    assert alone.title == "0.3 is rounded in 2 of 2 formats without scales"
    assert alone.detail.startswith("In formats with scales the number sets the scale itself")
    assert len(alone.dots) == 4
    assert beside.title == "0.3 is rounded in 4 of 4 formats"
    assert beside.detail == ""
    smaller = [in_format(number, any_format_named(name), largest=0.2) for name in names]
    assert _format_errors_info(number, smaller) == alone
    only = _format_errors_info(number, [in_format(number, any_format_named("int8"))])
    assert only.title == "0.3 is rounded in 1 of 1 format"
    assert only.detail == alone.detail


def test_an_error_too_small_for_a_float_is_not_drawn_as_exact() -> None:
    number = read_number("0.5" + "0" * 1000 + "1")
    info = _format_errors_info(number, in_every_format(number)[:1])
    assert info.dots[0].group == "rounded"
    assert info.dots[0].relative_error
    assert "less than 5e-324" in info.dots[0].remark
    assert_sound(plot_format_errors(number, in_every_format(number)))


@pytest.mark.parametrize("text", ["0", "-0", "inf", "nan"])
def test_without_a_relative_error_the_figure_says_so(text: str) -> None:
    number = read_number(text)
    assert "there is no error" in str(_format_errors_info(number, in_every_format(number)).empty)
    assert _format_errors_info(number, ()).empty == "No format to compare."


def test_bars_are_the_fields() -> None:
    figure = plot_format_bits(EVERY)
    sign, exponent, mantissa = figure.data
    for name, fmt, *widths in zip(sign.y, EVERY, sign.x, exponent.x, mantissa.x, strict=True):
        assert (name, sum(widths)) == (fmt.name, fmt.bits)
        assert widths[1] == fmt.exponent_bits
    assert_sound(figure)


@pytest.mark.parametrize(
    ("text", "name", "title"),
    [
        ("-inf", "float16", "-inf becomes infinite in float16, beyond its largest value"),
        ("9", "fp4", "9 is cut off at 6, the last value of float4_e2m1fn"),
        ("0.5" + "0" * 50 + "1", "float64", "of a step"),
    ],
)
def test_titles_of_the_line_at_its_ends(text: str, name: str, title: str) -> None:
    info = _number_line_info(read_number(text), format_named(name), saturate=False)
    assert info.title.endswith(title)
    assert "off by 0 " not in info.title


@pytest.mark.parametrize(
    ("text", "name", "saturate", "symbol"),
    [
        ("1e6", "float16", False, "triangle-right"),
        ("-1e6", "float16", True, "triangle-left"),
        ("inf", "float16", False, "triangle-right"),
        ("-inf", "fp4", False, "triangle-left"),
        ("-1e5000", "float64", False, "triangle-left"),
    ],
)
def test_a_number_beyond_the_line_is_an_arrow_at_its_edge(text: str, name: str, saturate: bool, symbol: str) -> None:
    number, fmt = read_number(text), format_named(name)
    figure = plot_number_line(number, fmt, saturate=saturate)
    (arrow,) = [trace for trace in figure.data if trace.marker.symbol == symbol]
    assert arrow.name == f"typed {text}, beyond this drawing"
    values = next(trace for trace in figure.data if trace.name == "values of the format")
    low, high = figure.layout.xaxis.range
    assert low < arrow.x[0] < min(values.x) or max(values.x) < arrow.x[0] < high
    assert (arrow.x[0] < 0) == (symbol == "triangle-left")


def test_a_number_just_beyond_the_last_value_is_at_its_place() -> None:
    info = _number_line_info(read_number("65520"), format_named("float16"), saturate=False)
    assert (info.typed, info.beyond, info.label) == (0.5, None, "typed 65520")
