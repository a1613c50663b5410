"""Models whose code is somebody's own: functions that are named, and pasted texts."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

import precision as px
from precision import analyses
from precision.errors import InputError
from precision.measure.models.loading import load
from precision.models import pasted
from precision.results import CompareResult
from precision.spec import Analysis, RunSpec
from tests.measure import own_functions

HERE = own_functions.__name__


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [name for name in vars(own_functions) if name.islower() and not name.startswith("_")]
    monkeypatch.setenv("PRECISION_MODELS", " ".join(f"{HERE}:{name}" for name in (*names, "NO_FUNCTION", "absent")))


def compared(model: str, **settings: object) -> CompareResult:
    return analyses.compare(RunSpec.parse({"model": model, **settings}))


def test_equal_specs_give_equal_numbers_and_the_seed_decides() -> None:
    first, again, other = (compared("python:linear", seed=seed).comparison for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_what_is_measured_is_the_functions_module_on_its_input() -> None:
    result = compared("python:linear")
    assert result.model.title == "linear"
    assert (result.model.parameters, result.model.weights) == (15, "own")
    assert result.input is not None
    assert result.input.tensors == (("input", "float32", (5, 4)),)
    assert not any("Random" in warning for warning in result.warnings)


def test_a_module_that_is_kept_between_runs_stays_as_it_is() -> None:
    before = {name: value.clone() for name, value in own_functions.CACHED.state_dict().items()}
    for analysis in (Analysis.MEMORY, Analysis.COMPARE, Analysis.TRAINING):
        analyses.run(RunSpec(model="python:cached", analysis=analysis))
    after = own_functions.CACHED.state_dict()
    assert all(value.device.type == "cpu" and torch.equal(value, before[name]) for name, value in after.items())
    assert own_functions.CACHED.training


def test_every_batch_is_compared_with_its_labels_as_often_as_asked() -> None:
    loaded = px.load("python:labelled")
    first, again = (px.compare(loaded).result for _ in range(2))
    assert first.comparison == again.comparison
    assert first.comparison is not None
    assert first.comparison.overall.elements == 3 * own_functions.LABELS


def test_a_pretrained_network_on_photographs() -> None:
    result = compared("python:efficientnet", dtype="bfloat16")
    assert result.comparison is not None
    assert result.model.parameters == 4_652_008
    assert [output.shape for output in result.comparison.outputs] == [(2, 1000)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raises", f"{HERE}:raises failed with OSError: no weights at this place."),
        ("leaves", f"{HERE}:leaves failed with SystemExit: 3."),
        ("needs_more", r"needs_more failed with TypeError: .*missing 1 required positional argument"),
        ("absent", f"{HERE}:absent failed with AttributeError"),
        ("NO_FUNCTION", "NO_FUNCTION is no function: its type is int"),
        ("only_a_module", "only_a_module returned something of type ReLU. It must return a module and its inputs"),
        ("no_inputs", "no_inputs gives no `inputs`"),
        ("misspelt", "misspelt returned a dict with label. Known: model, inputs, labels, mask"),
        ("a_class", "a_class gives what cannot be used. A torch.nn.Module is needed, not the class ReLU"),
        ("no_batch", "no_batch gives what cannot be used. The inputs hold no batch"),
        ("late", "late gives inputs that failed with EOFError: the file ends here"),
        ("lineer", r"Unknown model 'python:lineer'. Did you mean python:linear"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load(RunSpec(model=f"python:{name}"))


def test_the_log_has_the_trace(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "precision.models"), pytest.raises(InputError):
        load(RunSpec(model="python:raises"))
    assert "in raises" in caplog.text


class TestPasted:
    @pytest.fixture(autouse=True)
    def allowed(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PRECISION_ALLOW_CODE", "1")
        monkeypatch.setenv("PRECISION_DATA", str(tmp_path))

    def test_the_text_of_the_editor_runs_in_every_analysis_as_it_is(self) -> None:
        model = pasted.keep(pasted.TEMPLATE)
        for analysis in (Analysis.COMPARE, Analysis.LAYERS, Analysis.CLAIMS):
            assert analyses.run(RunSpec(model=model, analysis=analysis)).failure is None

    def test_classes_dataclasses_and_labels(self) -> None:
        text = """\
from __future__ import annotations
from dataclasses import dataclass
import torch
from torch import nn, Tensor
@dataclass
class Out:
    logits: Tensor
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)
    def forward(self, x):
        return Out(self.fc(x))
model, inputs, labels = Net(), torch.ones(4, 2), [0, 1, 2, 0]
"""
        loaded = load(RunSpec(model=pasted.keep(text)))
        assert loaded.labels is not None
        assert loaded.labels.tolist() == [0, 1, 2, 0]
        assert px.compare(loaded).failure is None

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("model = 1\ninputs = (", r"Line 2 of the code failed with SyntaxError"),
            ("x = 0\n\n1 / x", r"Line 3 of the code failed with ZeroDivisionError: division by zero\."),
            ("def f():\n    g()\nf()", r"Line 2 of the code failed with NameError: name 'g' is not defined\."),
            ("import sys\nsys.exit('done')", r"Line 2 of the code failed with SystemExit: done\."),
            ("a = '\0'", r"Line 1 of the code failed with"),
            ("inputs = 1", "The code gives no `model`"),
            ("import torch\nmodel = torch.nn.ReLU()", "The code gives no `inputs`"),
            ("model, inputs = 1, 2", "The code gives what cannot be used. A torch.nn.Module is needed, not int"),
        ],
    )
    def test_a_mistake_is_told_with_its_line(self, text: str, said: str) -> None:
        with pytest.raises(InputError, match=said):
            load(RunSpec(model=pasted.keep(text)))
