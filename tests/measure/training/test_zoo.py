"""Every awkward model makes a training step, or explains why it does not."""

from __future__ import annotations

import pytest
import torch

from precision.errors import UnsupportedError
from precision.results.training import TrainingResult
from precision.spec import Analysis, RunSpec
from tests.runs import measure_training, with_model
from tests.zoo.cases import ZOO

_NO_PARAMETERS, _NO_GRADIENT, _NOT_FINITE = "no parameters", "has a gradient with respect", "no element of its output"
REFUSED = {
    **dict.fromkeys(("tied buffers", "sampling", "no parameters", "integer model"), _NO_PARAMETERS),
    **dict.fromkeys(("no output", "integer output", "fft", "differentiates", "inference mode"), _NO_GRADIENT),
    **dict.fromkeys(("infinite input", "empty output"), _NOT_FINITE),
    "scripted part": "1 is a TorchScript module",
}
FAILS = {"sparse": (), "float32 mask": ("autocast",), "no kernel": ("autocast",)}
"""Models that fail, and the ways by which they train nevertheless."""


def lstm_runs_under_autocast() -> bool:
    """Whether oneDNN has a bfloat16 LSTM for this processor: without AVX-512 it has none."""
    try:
        with torch.autocast("cpu", torch.bfloat16):
            torch.nn.LSTM(2, 2)(torch.zeros(1, 1, 2))
    except RuntimeError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ZOO)
def test_it_trains_or_explains_itself(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(11)
    exhibit = ZOO[name]
    module = exhibit.build()
    with_model(monkeypatch, module, *exhibit.inputs, **exhibit.kwargs)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    spec = RunSpec(dtype="bfloat16", analysis=Analysis.TRAINING)
    if name in REFUSED:
        with pytest.raises(UnsupportedError, match=REFUSED[name]):
            measure_training(spec)
        return
    result = measure_training(spec)
    assert TrainingResult.model_validate_json(result.model_dump_json()) == result
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())
    recipes = result.report.recipes if result.report else ()
    assert (result.failure is None) == bool(recipes)
    trained = {recipe.way for recipe in recipes if recipe.overall is not None}
    expected = set(FAILS.get(name, ("pure", "autocast")))
    if name == "recurrent" and not lstm_runs_under_autocast():
        expected.remove("autocast")
    assert trained == expected
    for recipe in recipes:
        assert (recipe.overall is None) == bool(recipe.failure)
        assert recipe.overall is None or recipe.overall.nonfinite == 0
