"""Models that whoever runs the server adds, and pasted code, on the pages and in real workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pages.ui import state
from precision.models.pasted import PASTED_PREFIX
from tests.pages.conftest import PAGES, opened

ROOT = Path(__file__).parents[2]
ABSENT = f"{PASTED_PREFIX}{'0' * 64}"


def visited(name: str, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.pages.visits", name],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_every_page_shows_a_function_of_the_operators() -> None:
    found = visited("every-page", PRECISION_MODELS="tests.measure.own_functions:linear")
    assert list(found) == list(PAGES)
    for page, said in found.items():
        assert not said["errors"], page
        assert said["title"], page


def test_code_is_used_from_the_editor_and_found_by_its_link(tmp_path: Path) -> None:
    found = visited("pasting", PRECISION_ALLOW_CODE="1", PRECISION_DATA=str(tmp_path))
    assert found["asked"]["title"] == "Which model?"
    assert "Use" in found["asked"]["info"][0]
    for place in ("used", "link"):
        assert not found[place]["errors"]
        assert "float16" in found[place]["title"]
    kept = {f"{PASTED_PREFIX}{file.stem}" for file in tmp_path.glob("code/*.py")}
    assert len(kept) == 2
    assert {found["used"]["model"], found["raises"]["model"]} <= kept
    (error,) = found["raises"]["errors"]
    assert "Line 2 of the code failed with ZeroDivisionError" in error.replace("\\", "")


@pytest.mark.usefixtures("running_engine")
class TestHere:
    def test_where_it_is_not_allowed_there_is_no_editor_and_a_link_says_so(self) -> None:
        app = opened()
        assert not [label for label in app.sidebar.selectbox(key="model").options if "Paste" in label]
        assert not [area for area in app.sidebar.text_area if area.key == "pasted_code"]
        app = opened(link={"model": ABSENT})
        assert app.title[0].value == "This link cannot be followed"
        assert "PRECISION_ALLOW_CODE=1" in app.error[0].value.replace("\\", "")

    def test_a_link_to_code_that_is_not_here_runs_nothing(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PRECISION_ALLOW_CODE", "1")
        monkeypatch.setenv("PRECISION_DATA", str(tmp_path))
        app = opened(link={"model": ABSENT})
        assert app.title[0].value == "This link cannot be followed"
        assert "is not on this machine" in app.error[0].value
        assert app.session_state["jobs"] == {}

    def test_code_that_is_none_is_refused_and_keeps_the_model(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PRECISION_ALLOW_CODE", "1")
        monkeypatch.setenv("PRECISION_DATA", str(tmp_path))
        app = opened()
        app.sidebar.selectbox(key="model").set_value(state.PASTED).run()
        app.sidebar.text_area(key="pasted_code").set_value(" ").run()
        app.sidebar.button(key="use-code").click().run()
        assert "There is no code" in app.toast[0].value
        assert not list(tmp_path.glob("code/*"))

    def test_a_model_of_the_operators_is_offered_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PRECISION_MODELS", "zoo:owl")
        assert opened().sidebar.selectbox(key="model").options[0] == "owl · own"
