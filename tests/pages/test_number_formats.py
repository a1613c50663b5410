"""The page Number formats: typing, flipping bits, links, and what it says of malformed input."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from precision.formats import ALL_FORMATS
from tests.pages.conftest import opened

pytestmark = pytest.mark.usefixtures("running_engine")

PAGE = "pages/number_formats.py"


def shown(**link: str) -> AppTest:
    app = opened(PAGE, link, settle=False)
    assert not app.exception
    return app


def finding(app: AppTest) -> str:
    return str(app.title[0].value).replace("\\", "")


def said(app: AppTest) -> str:
    """Every message of the page."""
    return " ".join(message.value for message in app.error).replace("\\", "")


def bits(app: AppTest) -> str:
    """Those of the boxes, most significant first."""
    boxes = [box for box in app.checkbox if str(box.key).startswith("bit-")]
    return "".join(str(int(bool(box.value))) for box in boxes)


def test_all_formats_are_apart_from_one_number() -> None:
    app = shown(view="all formats")
    assert finding(app) == f"{len(ALL_FORMATS)} number formats, from 64 to 4 bits a value"
    assert len(app.dataframe) == 1
    assert len(app.dataframe[0].value) == len(ALL_FORMATS)
    assert not app.text_input
    app.radio(key="view").set_value("one number").run()
    assert "is stored as" in finding(app)
    assert not app.exception


def test_opens_with_a_finding_and_without_any_run() -> None:
    app = shown()
    assert finding(app) == "0.1 in float16 is stored as 0.09998, off by 2.441e-5"
    assert bits(app) == "0010111001100110"
    assert {metric.label: metric.value for metric in app.metric} == {
        "Stored": "0.09998",
        "Absolute error": "2.441e-5",
        "Relative error": "2.441e-4",
        "Error in ULP": "0.4",
    }
    assert not app.session_state["jobs"]
    assert not app.sidebar.selectbox


def test_boxes_are_named_by_place_field_and_bit() -> None:
    labels = [box.label for box in shown().checkbox]
    assert labels[:3] == ["bit 15, sign, 0", "bit 14, exponent, 0", "bit 13, exponent, 1"]
    assert labels[-1] == "bit 0, mantissa, 0"


def test_a_flipped_bit_changes_the_number_and_the_link() -> None:
    app = shown()
    app.checkbox(key="bit-15").check().run()
    assert app.text_input(key="number").value == "-0.0999755859375"
    assert finding(app) == "-0.0999755859375 in float16 is exact"
    assert bits(app) == "1010111001100110"
    assert app.query_params["number"] == "-0.0999755859375"
    app.checkbox(key="bit-14").check().run()
    assert bits(app) == "1110111001100110"


def test_bits_of_a_nan_stay_as_they_are_set() -> None:
    app = shown(number="inf")
    assert bits(app) == "0111110000000000"
    app.checkbox(key="bit-0").check().run()
    assert finding(app) == "NaN in float16: 0x7C01"
    assert bits(app) == "0111110000000001"
    app.checkbox(key="bit-0").uncheck().run()
    assert finding(app) == "inf in float16 is infinite, as typed"


def test_a_typed_code_becomes_the_number() -> None:
    app = shown()
    app.text_input(key="code").set_value("0x3c00").run()
    assert finding(app) == "1 in float16 is exact"
    assert app.text_input(key="code").value == ""
    app.text_input(key="code").set_value("0x3c000").run()
    assert "more than the 16 bits" in said(app)
    assert app.text_input(key="code").value == "0x3c000"
    assert finding(app) == "1 in float16 is exact"
    app.text_input(key="code").set_value("![x](http://example.org)").run()
    assert "\\!\\[x\\]" in app.error[0].value  # no image that a browser would fetch


@pytest.mark.parametrize(
    ("link", "title"),
    [
        ({"number": "-0"}, "-0 in float16 is exact"),
        ({"number": "1/3", "number_format": "e5m7"}, "1/3 in e5m7 is stored as 0.334, off by 6.510e-4"),
        ({"number": "0x1.8p1", "number_format": "FP8_E5M2"}, "0x1.8p1 in float8_e5m2 is exact"),
        ({"number": "nan", "number_format": "fp4"}, "float4_e2m1fn has no NaN"),
        ({"number": "500", "number_format": "float8_e4m3fn"}, "500 in float8_e4m3fn becomes NaN"),
        (
            {"number": "500", "number_format": "float8_e4m3fn", "overflow": "the largest value"},
            "500 in float8_e4m3fn is cut off at 448",
        ),
        ({"number": "1e-5000", "number_format": "float64"}, "1e-5000 in float64 becomes 0"),
        ({"number": "1/3", "number_format": "mxfp4", "largest": "6"}, "1/3 in mxfp4_e2m1 is stored as 0.5"),
        ({"number": "inf", "number_format": "nvfp4"}, "inf in nvfp4 turns all values that share its scale into NaN"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_link_opens_its_view(link: dict[str, str], title: str) -> None:
    app = shown(**link)
    assert finding(app).startswith(title)
    assert not app.error
    assert {name: app.query_params[name] for name in link} == link


@pytest.mark.slow
@pytest.mark.parametrize("fmt", [fmt.name for fmt in ALL_FORMATS])
def test_every_format_opens(fmt: str) -> None:
    app = shown(number_format=fmt)
    assert fmt in finding(app)
    assert not app.error


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ({"number": "0,1"}, "'0,1' is not a number"),
        ({"number": "1e99999"}, "too long to be written out"),
        ({"number": f"0.{1:01300}"}, "too long to be written out"),
        ({"number": "![x](http://example.org)"}, "is not a number"),
        ({"number_format": "float13"}, "Unknown format 'float13'"),
        ({"number_format": "e20m3"}, "choose 1 to 11 exponent bits"),
        ({"largest": "inf"}, "must be a finite number"),
        ({"largest": "x"}, "'x' is not a number"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_malformed_input_is_explained_and_kept(link: dict[str, str], message: str) -> None:
    app = shown(**link)
    assert message in said(app)
    assert app.title
    assert {name: app.query_params[name] for name in link} == link


def test_an_empty_field_asks_for_a_number() -> None:
    app = shown()
    app.text_input(key="number").set_value("").run()
    assert finding(app) == "What can a number format represent?"
    assert not app.error


def test_the_sidebars_choice_stays_in_the_link() -> None:
    app = shown(dtype="bfloat16", seed="7", number="2")
    assert (app.query_params["dtype"], app.query_params["seed"], app.query_params["number"]) == ("bfloat16", "7", "2")


def test_the_axis_of_a_narrow_format_can_be_linear() -> None:
    app = shown(number_format="float4_e2m1fn", axis="linear")
    assert app.radio(key="axis").value == "linear"
    assert "axis" not in [radio.key for radio in shown().radio]


@pytest.mark.parametrize("link", [{"model": "nope"}, {"dtype": "bfloat16", "method": "half"}])
def test_a_link_whose_run_is_not_possible_still_shows_the_number(link: dict[str, str]) -> None:
    app = shown(number="3", number_format="float8_e5m2", **link)
    assert finding(app).startswith("3 in float8_e5m2 is exact")
    assert not app.error
    (warning,) = app.warning
    assert warning.value.startswith("This link cannot be followed; the default is chosen instead.")
    assert {name: app.query_params[name] for name in link} == link  # a reload says it again
    next(button for button in app.button if button.label == "Show the default instead").click().run()
    assert not app.warning
    assert app.query_params["dtype"] == "bfloat16"
    assert app.query_params["model"] == "digits"
