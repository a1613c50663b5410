"""Results of a module that is elsewhere, from a file, on every page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import precision as px
from precision.engine import Engine
from precision.models.opened import read
from tests.pages.conftest import PAGES, opened

MODEL = "module:Residual"
SECTIONS = ("Routes", "Claims", "Autocast", "Training")
SHOWN: list[tuple[str, dict[str, str]]] = [(page, {}) for page in PAGES if page != "pages/casting.py"]
SHOWN += [("pages/casting.py", {"section": section}) for section in SECTIONS]
LACKING = "Not in the file"


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 8), nn.GELU())
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(x + self.block(x))
        return y


@pytest.fixture(scope="module", autouse=True)
def file(running_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    torch.manual_seed(0)
    module, inputs = Residual(), torch.randn(16, 8)
    path = tmp_path_factory.mktemp("opened") / "residual.json"
    px.compare(module, inputs, dtype="float16").save(
        path,
        px.compare(module, inputs, dtype="int8"),
        px.layers(module, inputs, dtype="float16"),
        px.ranges(module, inputs),
        px.sensitivity(module, inputs, formats=["bfloat16"]),
        px.regimes(module, inputs, dtype="float16"),
        px.routes(module, inputs, dtype="float16"),
        px.training(module, inputs, dtype="float16"),
        px.try_claims(module, inputs, only=["modules-without-half"]),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRECISION_OPEN", str(path))
        running_engine.open(read(path))
        yield path


@pytest.mark.parametrize(("page", "view"), SHOWN, ids=str)
def test_every_page_shows_what_it_is_about(page: str, view: dict[str, str]) -> None:
    app = opened(page, {"model": MODEL, "dtype": "float16", **view})
    assert not app.exception
    assert not app.error
    assert app.title
    assert app.title[0].value != LACKING


@pytest.mark.parametrize(("page", "view"), SHOWN, ids=str)
def test_what_the_file_lacks_is_told_with_the_call_that_measures_it(page: str, view: dict[str, str]) -> None:
    app = opened(page, {"model": MODEL, "dtype": "float16", "seed": "7", **view})
    assert not app.exception
    assert not app.error
    about_it = not ({"number_formats", "methods", "sweep"} & {Path(page).stem} or view.get("section") == "Autocast")
    assert (app.title[0].value == LACKING) == about_it
    if about_it:
        assert app.code[0].value.startswith("more = px.")
        assert "seed=7" in app.code[0].value
        assert "](./?model=module%3AResidual&dtype=float16)" in "".join(each.value for each in app.markdown)
    assert app.session_state["jobs"].keys() <= {"autocast"}


def test_the_picker_names_the_file_and_another_model_runs(file: Path) -> None:
    app = opened(link={"model": MODEL, "dtype": "float16"})
    assert app.sidebar.selectbox(key="model").options[0] == f"Residual (from {file.name})"
    assert not [button for button in app.button if button.label == "Measure again"]
    assert "px.compare(model, inputs, dtype='float16')" in [code.value for code in app.code]
    app.sidebar.selectbox(key="model").set_value("tinynet").run()
    assert app.title[0].value != LACKING


def test_another_format_of_the_file_is_compared_with_it() -> None:
    app = opened("pages/compare.py", {"model": MODEL, "dtype": "float16"})
    assert app.selectbox(key="against").options == ["int8"]
    assert "float16 against int8" in app.title[0].value


def test_a_sweep_shows_the_formats_that_the_file_has() -> None:
    app = opened("pages/sweep.py", {"model": MODEL})
    assert "2 formats" in app.title[0].value
