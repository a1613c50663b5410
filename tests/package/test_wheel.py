"""What `pip install .` brings, and that it needs nothing of the checkout."""

from __future__ import annotations

import json
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

import precision
from tests.package.installing import ROOT, Installed, build_wheel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    return ZipFile(build_wheel(tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"))


def files_in(folder: str) -> set[str]:
    """Of the checkout, by their paths in it."""
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in found}


def test_the_wheel_holds_the_library_and_the_dashboard(wheel: ZipFile) -> None:
    about = f"precision_explorer-{precision.__version__}.dist-info"
    dashboard = {"app.py", *files_in("pages"), *files_in(".streamlit"), *files_in("docs/methods")}
    expected = files_in("precision") | {f"precision_dashboard/{name}" for name in dashboard}
    assert {name for name in wheel.namelist() if not name.startswith(f"{about}/")} == expected
    assert f"{about}/licenses/LICENSE" in wheel.namelist()


def test_the_wheel_needs_what_requirements_txt_lists(wheel: ZipFile) -> None:
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    needed = message_from_string(wheel.read(metadata).decode()).get_all("Requires-Dist", [])
    listed = [line.partition("#")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()]
    assert {_normal(text) for text in needed} == {_normal(text) for text in listed if text.strip()}


def _normal(text: str) -> str:
    return str(Requirement(text)).replace("_", "-")


def test_the_command_measures_in_an_empty_folder(installed: Installed) -> None:
    printed = installed.run(installed.command, "compare", "--model", "digits", "--dtype", "float16", "--json")
    result = json.loads(printed[printed.index("{") :])
    assert result["spec"]["model"] == "digits"
    assert result["comparison"] is not None


def test_the_library_is_the_installed_one(installed: Installed) -> None:
    printed = installed.run(installed.python, "-c", "import precision; print(precision.__file__)")
    assert Path(printed).is_relative_to(installed.packages)


@pytest.mark.parametrize("module", [False, True], ids=["command", "module"])
def test_help_and_errors_name_the_program_as_it_was_called(installed: Installed, module: bool) -> None:
    called = (installed.python, "-m", "precision") if module else (installed.command,)
    name = "python -m precision" if module else "precision-explorer"
    assert installed.run(*called, "--help").startswith(f"usage: {name} ")
    assert installed.run(*called, "audit", "--model", "nothing", code=2).startswith(f"{name}: error: ")
