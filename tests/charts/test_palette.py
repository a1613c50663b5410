import pytest

from precision.charts import cells, fit_matrix, sweep_heatmap
from precision.charts.palette import (
    GROUND,
    MIXED,
    ON_GROUND,
    OTHER,
    OUTLINE,
    SEQUENTIAL,
    WORST,
    between,
    colour_of,
    colour_of_fit,
    contrast,
    letters_on,
    looks_of,
    pattern_of,
    text_on,
)
from precision.formats import ALL_FORMATS, FORMATS, NumericFormat


def test_every_format_has_a_look_of_its_own() -> None:
    looks = {(colour_of(row.name), pattern_of(row.name)) for row in ALL_FORMATS}
    assert len(looks) == len(ALL_FORMATS)
    assert not {colour for colour, _ in looks} & {OTHER, MIXED}


def test_rows_without_a_look_get_the_first_ones_that_are_free() -> None:
    new = [NumericFormat(name=f"new{n}", exponent_bits=2, mantissa_bits=n, specials="finite") for n in range(10)]
    looks = looks_of([*new, *ALL_FORMATS])
    assert len(set(looks.values())) == len(ALL_FORMATS) + len(new)
    assert all(looks[row.name] == row.look for row in ALL_FORMATS if row.look)
    assert all(looks[row.name].hatching for row in new)


def test_the_usual_formats_have_a_colour_of_their_own() -> None:
    usual = [row.name for row in FORMATS if row.has_dtype and row.specials != "fnuz"]
    assert len({colour_of(name) for name in usual}) == len(usual) == 6
    assert not any(pattern_of(name) for name in usual)


def test_dtypes_that_share_a_colour_differ_in_pattern() -> None:
    names = ("int64", "uint8", "bool", "complex64", "float128", "quint8", "e5m7")
    assert {colour_of(name) for name in names} == {OTHER}
    assert len({pattern_of(name) for name in names}) == len(names)


def test_contrast_is_wcags() -> None:
    assert contrast("#000000", "#FFFFFF") == contrast("#FFFFFF", "#000000") == 21
    assert contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("page", ["#FFFFFF", "#171614"])  # light and dark
def test_outlines_show_on_both_pages(page: str) -> None:
    assert contrast(OUTLINE, page) >= 3


@pytest.mark.parametrize("colour", [*(colour_of(row.name) for row in ALL_FORMATS), OTHER, MIXED])
def test_text_on_every_fill_is_readable(colour: str) -> None:
    assert contrast(text_on(colour), colour) >= 4.5


@pytest.mark.parametrize(("page", "theme"), [("#FFFFFF", "#101114"), ("#171614", "#F4F4F5")])
@pytest.mark.parametrize(
    ("colour", "opacity"),
    [
        *((WORST, opacity) for opacity in cells._OPACITIES.values()),
        *((WORST, opacity) for opacity in sweep_heatmap._OPACITIES.values()),
        *((colour_of_fit(fit.value), opacity) for fit, opacity in fit_matrix._OPACITIES.items()),
    ],
)
def test_letters_in_a_table_are_readable_on_both_pages(colour: str, opacity: float, page: str, theme: str) -> None:
    assert contrast(letters_on(colour, opacity) or theme, between(page, colour, opacity)) >= 4.5


def test_counts_from_one_up_stand_out_from_none() -> None:
    assert min(contrast(colour, GROUND) for colour in SEQUENTIAL) > 2.8
    assert contrast(ON_GROUND, GROUND) > 7
