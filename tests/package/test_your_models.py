"""The template of a package with a model, as somebody installs it beside this one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.package.installing import ROOT, Installed, build_wheel

DOCUMENT = ROOT / "docs" / "your_models.md"
TEMPLATE = ROOT / "docs" / "examples" / "your_models"
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    made = Installed(tmp_path_factory.mktemp("installed"))
    made.install(build_wheel(tmp_path_factory.mktemp("template"), TEMPLATE))
    return made


def test_the_command_lists_and_measures_it(installed: Installed) -> None:
    (row,) = (row for row in json.loads(installed.run(installed.command, "models", "--json")) if row["family"] == "Own")
    assert row["id"] == "python:two-layers"
    assert row["good_for"] == "Two layers, as a template. From the package your-models 1.0."
    printed = installed.run(installed.command, "errors", "--model", "python:two-layers", "--json")
    result = json.loads(printed[printed.index("{") :])
    assert result["comparison"]["outputs"][0]["shape"] == [64, 4]


def test_the_library_loads_it(installed: Installed) -> None:
    code = "import precision as px; print(px.load('python:two-layers'))"
    assert "676 parameters, with input float32 [64, 16]" in installed.run(installed.python, "-c", code)


def test_the_document_shows_the_template() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert '[project.entry-points."precision_explorer.models"]\ntwo-layers = "your_models:two_layers"\n' in text
    (block,) = _PYTHON.findall(text)
    (body,) = re.findall(r"^    return .*$", block, re.MULTILINE)
    assert body in (TEMPLATE / "your_models.py").read_text(encoding="utf-8")


def test_the_documents_function_is_one(tmp_path: Path, installed: Installed) -> None:
    (block,) = _PYTHON.findall(DOCUMENT.read_text(encoding="utf-8"))
    (installed.packages / "mine.py").write_text(block)
    code = "import os; os.environ['PRECISION_MODELS'] = 'mine:two_layers'; import precision as px; "
    assert "[64, 16]" in installed.run(installed.python, "-c", f"{code}print(px.load('python:two_layers'))")
