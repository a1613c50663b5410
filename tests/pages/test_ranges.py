"""The page Ranges: another format moves the window and runs nothing."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from precision.engine import Engine
from tests.pages.conftest import opened, settled

pytestmark = pytest.mark.usefixtures("running_engine")
PAGE = "pages/ranges.py"


def jobs(app: AppTest) -> dict[str, str]:
    held: dict[str, str] = app.session_state["jobs"]
    return dict(held)


@pytest.mark.parametrize(
    "link",
    [
        {},
        {"model": "digits", "dtype": "float8_e4m3fn"},
        {"dtype": "int8", "method": "weights-only"},
        {"reference": "float64"},
    ],
)
def test_every_kind_of_run(link: dict[str, str]) -> None:
    app = opened(PAGE, link)
    assert not app.exception
    assert not app.error
    assert link.get("dtype", "float16") in app.title[0].value
    assert len(app.get("plotly_chart")) == (2 if link.get("method") == "weights-only" else 3)
    assert app.dataframe[0].value["verdict"].notna().all()


def test_another_format_runs_nothing(running_engine: Engine) -> None:
    app = opened(PAGE, {"model": "digits"})
    before, title = jobs(app), app.title[0].value
    app.selectbox(key="format").set_value("float8_e5m2").run()
    assert "float8_e5m2" in app.title[0].value != title
    settled(app.sidebar.selectbox(key="dtype").set_value("bfloat16").run())
    assert jobs(app) == before
    app.selectbox(key="format").set_value("as in the sidebar").run()
    assert "bfloat16" in app.title[0].value
    assert running_engine.job(before["ranges"]).status == "done"


def test_rows_are_narrowed() -> None:
    app = opened(PAGE, {"model": "digits"})
    everything = len(app.dataframe[0].value)
    app.radio(key="values").set_value("weights").run()
    weights = app.dataframe[0].value
    assert 0 < len(weights) < everything
    assert set(weights["kind"]) <= {"parameter", "buffer", "non-persistent buffer"}
    app.text_input(key="find").set_value("no such tensor").run()
    assert not app.exception
    assert len(app.dataframe[0].value) == 0


def test_limits_change_the_verdicts() -> None:
    app = opened(PAGE, {"model": "digits"})
    assert "fits" in set(app.dataframe[0].value["verdict"])
    app.number_input(key="sqnr").set_value(150.0).run()
    assert "fits" not in set(app.dataframe[0].value["verdict"][app.dataframe[0].value["predicted SQNR (dB)"] < 150])


def test_a_format_with_block_scales_is_judged_as_the_others_are() -> None:
    app = opened(PAGE, {"model": "digits", "dtype": "mxfp8_e4m3", "method": "weights-only"})
    assert not app.exception
    assert not app.info
    assert "mxfp8_e4m3" in app.title[0].value
    shown = app.dataframe[0].value
    assert (shown["predicted SQNR (dB)"].dropna() > 20).all()
    assert {"nvfp4", "int4"} < set(app.selectbox(key="format").options)


def test_a_link_to_a_format_with_scales_needs_no_method() -> None:
    app = opened(PAGE, {"model": "digits", "dtype": "int8_per_channel"})
    assert not app.error
    assert "digits" in app.query_params["model"]
    assert "fit int8\\_per\\_channel" in app.title[0].value or "fit int8_per_channel" in app.title[0].value
