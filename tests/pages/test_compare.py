"""The page Compare, and the pinned run on the pages of a comparison."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import opened, settled

pytestmark = pytest.mark.usefixtures("running_engine")
PAGE = "pages/compare.py"


def until_compared(app: AppTest) -> AppTest:
    for _ in range(60):
        if len(app.header) == 2:
            return app
        app.run()
    raise AssertionError(app.title[0].value)


def said(app: AppTest) -> str:
    return " ".join(text.value for text in app.markdown)


def test_two_formats_side_by_side() -> None:
    app = until_compared(opened(PAGE, {"dtype": "bfloat16", "against": "float16"}))
    assert not app.exception
    assert app.title[0].value.startswith("bfloat16 against float16\\: the mean error is")
    table = app.dataframe[0].value
    assert list(table.columns) == ["figure", "float16", "bfloat16 ", "change"]
    mean = dict(zip(table["figure"], table["change"], strict=True))["Mean absolute error"]
    assert mean.endswith("× larger")


def test_a_side_that_is_lost_is_said_first() -> None:
    app = until_compared(opened(PAGE, {"model": "overflow", "dtype": "bfloat16", "against": "float16"}))
    assert (
        app.title[0].value.replace("\\", "").startswith("bfloat16 against float16: 0 new NaN or infinities against 16")
    )


def test_errors_of_a_lost_output_say_so() -> None:
    app = opened("pages/errors.py", {"model": "overflow", "dtype": "float16"})
    assert app.title[0].value.replace("\\", "") == "16 of 16 output values become infinite or NaN"
    assert "Find where they come from" in [link.proto.label for link in app.get("page_link")]


def test_a_pinned_run_stays_and_the_next_one_is_shown_against_it() -> None:
    app = opened("pages/overview.py", {"dtype": "float16"})
    settled(app.button(key="pin").click().run())
    assert app.query_params["baseline"]
    assert app.button(key="pin").label == "Unpin"
    settled(app.sidebar.selectbox(key="dtype").set_value("bfloat16").run())
    assert "Against **TinyNet in float16**" in said(app)
    assert any("× larger" in caption.value for caption in app.caption)  # on the cards
    assert "root mean square error" not in said(app)
    assert "Root mean square error" in said(app)
    app.switch_page(PAGE).run()
    assert app.selectbox(key="against").value == "the pinned run"
    assert app.title[0].value.startswith("bfloat16 against float16\\: the mean error is")


def test_a_link_brings_its_pinned_run() -> None:
    first = opened("pages/overview.py", {"dtype": "float16"})
    job = first.query_params["job"]
    app = opened("pages/errors.py", {"dtype": "bfloat16", "baseline": job})
    assert "Against **TinyNet in float16**" in said(app)


def test_runs_on_other_inputs_are_not_compared() -> None:
    job = opened("pages/overview.py", {"dtype": "float16", "seed": "7"}).query_params["job"]
    app = opened("pages/overview.py", {"dtype": "bfloat16", "baseline": job})
    assert "The two differ in seed" in said(app)
