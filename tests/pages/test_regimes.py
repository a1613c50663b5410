"""The page Stress test: every regime, and a regime chosen for all pages."""

from __future__ import annotations

import pytest

from precision.spec.regimes import USUAL, label_of
from tests.pages.conftest import opened, settled

pytestmark = pytest.mark.usefixtures("running_engine")
PAGE = "pages/regimes.py"


@pytest.mark.parametrize(
    ("link", "finding", "overflow"),
    [
        ({"model": "linear-5-10"}, "float16 keeps", "float16 overflows in "),
        ({"model": "linear-5-10", "dtype": "float8_e4m3fn"}, "float8_e4m3fn keeps", "This simulation saturates"),
        ({"model": "overflow"}, "float16 already breaks on the unchanged input", "With this input × 0"),
    ],
)
def test_every_regime_is_shown(link: dict[str, str], finding: str, overflow: str) -> None:
    app = opened(PAGE, link)
    assert not app.exception
    assert finding in app.title[0].value
    assert any(overflow in info.value for info in app.info)
    assert list(app.dataframe[0].value["regime"]) == [label_of(regime) for regime in USUAL]
    assert len(app.get("plotly_chart")) == 1


def test_a_regime_of_the_sidebar_is_run_by_the_other_pages_and_not_by_this() -> None:
    app = opened("pages/errors.py", {"model": "linear-5-10"})
    given = app.title[0].value
    settled(app.sidebar.selectbox(key="regime").set_value("x1000").run())
    assert app.title[0].value != given
    assert app.query_params["regime"] == "x1000"
    assert "input × 1000" in app.caption[0].value or any("input × 1000" in each.value for each in app.caption)


def test_another_factor_comes_by_link_and_a_malformed_one_is_told_of() -> None:
    app = opened("pages/errors.py", {"model": "linear-5-10", "regime": "x250"})
    assert app.sidebar.selectbox(key="regime").value == "x250"
    refused = opened(PAGE, {"regime": "loud"})
    assert any("no input regime" in error.value for error in refused.error)
