"""What autocast did in a model's own run, against a count by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from precision.findings.autocast import Lowering, lowering, lowering_by_module, lowering_text
from precision.results import LayersResult
from precision.spec import Analysis, CastMethod, RunSpec
from tests.runs import compare_layers, with_model


class Attention(nn.Module):
    """Two linear layers that autocast lowers, and what it leaves in float32 between them."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.first, self.second = nn.LayerNorm(4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(nn.functional.softmax(self.norm(x), dim=-1) + self.first(x))
        return y.relu()


def measured(monkeypatch: pytest.MonkeyPatch, method: CastMethod) -> LayersResult:
    with_model(monkeypatch, Attention(), torch.randn(2, 4))
    return compare_layers(RunSpec(dtype="bfloat16", method=method, analysis=Analysis.LAYERS))


def test_autocast_lowers_the_linear_layers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found = lowering(measured(monkeypatch, CastMethod.AUTOCAST))
    assert found is not None
    # relu is handed the second layer's bfloat16; the sum is of the first layer's and softmax's float32
    stayed = {"float32": {"layer_norm": 1, "softmax": 1, "add": 1}}
    assert found == Lowering("bfloat16", 3, 6, stayed, promoted=1)
    assert lowering_text(found) == "3 of 6 operators ran in bfloat16; in float32: layer_norm, softmax, add."


def test_each_module_has_the_operators_that_it_runs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    low = Lowering("bfloat16", 1, 1, {})
    assert lowering_by_module(measured(monkeypatch, CastMethod.AUTOCAST)) == {
        "": Lowering("bfloat16", 1, 3, {"float32": {"softmax": 1, "add": 1}}, promoted=1),
        "norm": Lowering("bfloat16", 0, 1, {"float32": {"layer_norm": 1}}),
        "first": low,
        "second": low,
    }


def test_a_cast_model_runs_in_the_format_throughout(monkeypatch: pytest.MonkeyPatch) -> None:
    found = lowering(measured(monkeypatch, CastMethod.TO))
    assert found is not None
    assert lowering_text(found) == "6 of 6 operators ran in bfloat16."


def test_nothing_to_say_where_operators_were_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    result = measured(monkeypatch, CastMethod.TO)
    assert lowering(result.model_copy(update={"report": None})) is None
    assert result.report is not None
    unwatched = result.report.model_copy(update={"watched_operators": False})
    unseen = result.model_copy(update={"report": unwatched})
    assert lowering(unseen) is None
    assert lowering_by_module(unseen) == {}


def test_long_lists_are_cut() -> None:
    names = {f"operator_{at}": 20 - at for at in range(12)}
    assert lowering_text(Lowering("float16", 0, 9, {"float32": names})).endswith("13 × operator_7, 4 more kinds.")
