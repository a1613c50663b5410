"""Every layer of awkward and of small models: what is predicted of it, beside a run in which it alone is lowered."""

from __future__ import annotations

import pytest
import torch

from precision.results import SensitivityReport, SensitivityResult
from precision.spec import Analysis, RunSpec
from tests.measure.sensitivity.predictions import correlation, logarithms
from tests.runs import measure_sensitivity, with_model
from tests.zoo.cases import ZOO

NOTHING_FLOATING, NOTHING_FINITE = "no floating-point numbers", "no finite number"
REFUSED = {
    **dict.fromkeys(("no output", "integer output", "integer model"), NOTHING_FLOATING),
    **dict.fromkeys(("infinite input", "empty output"), NOTHING_FINITE),
}
CORRELATIONS = {"digits": 0.98, "bert-tiny": 0.98, "vit-tiny": 0.98, "gpt2-tiny": 0.93}
"""Of the logarithms; the few random probes of GPT-2 tell its layers, which are all alike, less well apart."""
WHOLE = ("gpt2-tiny", "t5-tiny", "vit-tiny", "resnet-tiny", "whisper-tiny", "rotary", "digits")


def measured(model: str, *, exact: bool = False) -> SensitivityReport:
    spec = RunSpec(model=model, analysis=Analysis.SENSITIVITY, formats=("bfloat16", "float16"), exact=exact)
    report = measure_sensitivity(spec).report
    assert report is not None
    return report


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ZOO)
def test_predictions_of_awkward_models(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(11)
    exhibit = ZOO[name]
    with_model(monkeypatch, exhibit.build(), *exhibit.inputs, **exhibit.kwargs)
    spec = RunSpec(analysis=Analysis.SENSITIVITY, formats=("bfloat16", "float16"), exact=True)
    result = measure_sensitivity(spec)
    assert SensitivityResult.model_validate_json(result.model_dump_json()) == result
    if name in REFUSED:
        assert result.failure is not None
        assert REFUSED[name] in result.failure.message
        return
    assert result.failure is None
    assert result.report is not None
    for at in range(len(result.report.formats)):
        logarithms(result.report, at)


@pytest.mark.slow
@pytest.mark.parametrize("model", CORRELATIONS)
def test_predictions_of_small_models(model: str) -> None:
    report = measured(model, exact=True)
    for at, name in enumerate(report.formats):
        assert correlation(report, at) >= CORRELATIONS[model], name


@pytest.mark.slow
@pytest.mark.parametrize("model", WHOLE)
def test_all_layers_together(model: str) -> None:
    for check in measured(model).uniform:
        assert check.ratio == pytest.approx(1, abs=0.25), check.dtype
