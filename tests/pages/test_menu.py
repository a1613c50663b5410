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


def test_formats_come_widest_first_each_with_its_use(running_engine: Engine) -> None:
    app = opened("pages/methods.py", {"dtype": "float8_e4m3fn"})
    picker = app.sidebar.selectbox(key="dtype")
    widths = [float(label.split(" · ")[1].split(" bits")[0]) for label in picker.options]
    assert widths == sorted(widths, reverse=True)
    (simulated,) = [label for label in picker.options if label.startswith("float8_e4m3fn ")]
    assert simulated.endswith(", simulated")
    assert any(caption.value == any_format_named("float8_e4m3fn").use for caption in app.sidebar.caption)
    until(lambda: running_engine.devices() is not None)
    picker.set_value("bfloat16").run()
    assert any(caption.value.startswith("Computes here. ") for caption in app.sidebar.caption)
    typed = opened("pages/methods.py", {"dtype": "e5m7"}).sidebar.selectbox(key="dtype")
    at = typed.options.index("e5m7 · 13 bits, simulated")
    assert typed.options[at - 1].startswith("float16 ")
