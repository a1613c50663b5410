"""What the web process may import, seen in a fresh interpreter (the static contracts are in pyproject.toml)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPUTING = {"torch", "transformers", "sklearn"}

_IMPORT_AND_LIST = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(sys.modules)))
"""


def modules_under(folder: str) -> list[str]:
    """Dotted names of the Python files under a folder of the repository."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    parts = (path.relative_to(ROOT).with_suffix("").parts for path in paths)
    return [".".join(part[:-1] if part[-1] == "__init__" else part) for part in parts]


def imported_by(*names: str) -> set[str]:
    """Every module that a fresh interpreter holds after importing `names`."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_AND_LIST, *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["app", *modules_under("pages/ui")], id="web"),
        pytest.param(modules_under("precision/charts"), id="charts"),
        pytest.param(modules_under("precision/engine"), id="engine"),
        pytest.param(["precision.__main__", *modules_under("precision/cli")], id="command line"),
    ],
)
def test_nothing_that_computes_is_imported(names: list[str]) -> None:
    loaded = imported_by(*names)
    assert set(names) <= loaded
    assert not loaded & COMPUTING


def test_backend_does_not_import_the_web() -> None:
    loaded = imported_by("precision.measure.compare.compare", *modules_under("precision/engine"))
    assert not loaded & {"streamlit", "plotly", "app", "pages"}
