"""The frame around every page: the line above it, and the picker of formats."""

from __future__ import annotations

import pytest

from precision.engine import Engine
from precision.formats import any_format_named
from tests.conftest import until
from tests.pages.conftest import PAGES, opened

pytestmark = pytest.mark.usefixtures("running_engine")


def test_every_page_is_in_the_menu_and_the_name_above_it() -> None:
    app = opened("pages/methods.py")
    assert "**Precision Explorer**" in app.main.caption[0].value
    links = [link.proto.page for link in app.get("page_link")]
    assert sorted(links) == sorted("" if page == "pages/overview.py" else page[6:-3] for page in PAGES)


@pytest.mark.parametrize(
    ("page", "link", "absent"),
    [
        ("pages/overview.py", {}, ()),
        ("pages/ranges.py", {}, ("method", "wide_inputs")),
        ("pages/sweep.py", {}, ("dtype", "method", "device")),
        ("pages/mixed_precision.py", {}, ("dtype", "method")),
        ("pages/regimes.py", {}, ("regime",)),
        ("pages/casting.py", {}, ("method",)),
        ("pages/casting.py", {"section": "Claims"}, ("dtype", "method", "wide_inputs", "reference", "regime")),
        ("pages/number_formats.py", {}, ("model", "dtype", "method", "wide_inputs", "device", "reference", "regime")),
        ("pages/methods.py", {}, ("model", "dtype", "method", "wide_inputs", "device", "reference", "regime")),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple | dict) else value[6:-3],
)
def test_pickers_that_a_page_does_not_read_are_not_there(
    page: str, link: dict[str, str], absent: tuple[str, ...]
) -> None:
    app = opened(page, {"model": "linear-5-10", **link}, settle=False)
    every = ("model", "dtype", "method", "wide_inputs", "device", "reference", "regime")
    drawn = {str(box.key).removesuffix("-asked") for box in (*app.sidebar.selectbox, *app.sidebar.multiselect)}
    assert {name for name in every if name not in drawn} == set(absent)


def test_a_picker_that_is_not_drawn_keeps_its_choice() -> None:
    app = opened("pages/overview.py", {"dtype": "bfloat16", "method": "weights-only", "seed": "5"})
    app.switch_page("pages/number_formats.py").run()
    assert (app.query_params["dtype"], app.query_params["method"]) in (
        ("bfloat16", "weights-only"),
        (["bfloat16"], ["weights-only"]),
    )
    app.switch_page("pages/errors.py").run()
    assert app.sidebar.selectbox(key="method").value == "weights-only"
    assert app.sidebar.number_input(key="seed").value == 5


def test_simple_pages_show_the_answer_and_one_click_shows_all() -> None:
    app = opened("pages/overview.py", {"model": "digits", "dtype": "bfloat16", "expert": "false"})
    assert "all 450 test images keep their class" in app.title[0].value.replace("\\", "")
    assert len(app.metric) == 4
    assert len(app.get("plotly_chart")) == 2
    assert not app.dataframe
    app.button(key="show-all").click().run()
    assert not app.exception
    assert len(app.get("plotly_chart")) > 4
    assert app.dataframe
    assert app.query_params["expert"] in ("true", ["true"])
    app.switch_page("pages/errors.py").run()
    assert app.toggle(key="expert").value


def test_formats_come_widest_first_each_with_its_use(running_engine: Engine) -> None:
    app = opened("pages/errors.py", {"dtype": "float8_e4m3fn"})
    picker = app.sidebar.selectbox(key="dtype")
    widths = [float(label.split(" · ")[1].split(" bits")[0]) for label in picker.options]
    assert widths == sorted(widths, reverse=True)
    (simulated,) = [label for label in picker.options if label.startswith("float8_e4m3fn ")]
    assert simulated.endswith(", simulated")
    assert any(caption.value == any_format_named("float8_e4m3fn").use for caption in app.sidebar.caption)
    until(lambda: running_engine.devices() is not None)
    picker.set_value("bfloat16").run()
    assert any(caption.value.startswith("Computes here. ") for caption in app.sidebar.caption)
    typed = opened("pages/errors.py", {"dtype": "e5m7"}).sidebar.selectbox(key="dtype")
    at = typed.options.index("e5m7 · 13 bits, simulated")
    assert typed.options[at - 1].startswith("float16 ")
