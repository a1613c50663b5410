"""Layers whose predictions are not to be trusted are run instead."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from precision.spec import Analysis, RunSpec
from tests.measure.sensitivity.predictions import logarithms
from tests.measure.sensitivity.reports import measured
from tests.runs import measure_sensitivity, with_model


class Turns(nn.Module):
    """Takes the other sign where the first feature is above zero."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(16, 16), nn.Linear(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        above = x[:, :1] > 0
        y = self.last(x)
        return torch.where(above, y, -y)


def test_what_comes_before_a_choice_that_turns_out_otherwise_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(7)
    model, x = Turns().eval(), torch.randn(300, 16)
    report = measured(monkeypatch, model, x, formats=("float8_e4m3fn",), exact=False)
    layers = {layer.fqn: layer.contributions[0] for layer in report.layers}
    assert {fqn: each.is_doubted for fqn, each in layers.items()} == {"first": True, "last": False, "": True}
    first = layers["first"]
    assert first.exact_squared_error is not None
    assert first.squared_error is not None
    assert first.best_squared_error() == first.exact_squared_error > 10 * first.squared_error


def test_a_layer_that_only_writes_to_its_input_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.act, self.last = nn.Linear(8, 8), nn.SiLU(inplace=True), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            self.act(x)
            return self.last(x)  # type: ignore[no-any-return]

    torch.manual_seed(0)
    report = measured(monkeypatch, Writes(), torch.randn(64, 8), formats=("bfloat16",), exact=False)
    act = next(layer.contributions[0] for layer in report.layers if layer.fqn == "act")
    assert act.squared_error == 0
    assert act.is_doubted
    assert act.exact_squared_error
    assert act.best_squared_error() == act.exact_squared_error


def test_numbers_drawn_otherwise_in_float64_say_nothing_of_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    class Draws(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            drawn = torch.randperm(8)[:1] if x.dtype == torch.float64 else torch.zeros(1)
            return self.linear(x) + drawn.to(x.dtype) + torch.rand(8).to(x)  # type: ignore[no-any-return]

    torch.manual_seed(0)
    with_model(monkeypatch, Draws(), torch.randn(64, 8))
    result = measure_sensitivity(RunSpec(analysis=Analysis.SENSITIVITY, formats=("bfloat16",)))
    assert not [said for said in result.warnings if "float64" in said]


class Massive(nn.Module):
    """A stream of blocks that add to it, with one channel far larger than the others, as language models have."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(16, 16), nn.LayerNorm(16), nn.Linear(16, 8)
        self.blocks = nn.ModuleList(nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 16)) for _ in range(3))
        nn.init.constant_(self.first.bias[3:4], size)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.last(self.norm(x))  # type: ignore[no-any-return]


@pytest.mark.parametrize("size", [1e3, 1e4])
def test_a_massive_channel_that_a_format_clips_or_float32_rounds_away(
    monkeypatch: pytest.MonkeyPatch, size: float
) -> None:
    torch.manual_seed(0)
    model, x = Massive(size).eval(), torch.randn(64, 16)
    report = measured(monkeypatch, model, x, formats=("float8_e4m3fn", "float16"))
    for at in range(2):
        assert logarithms(report, at)  # asserts that none is far off unmarked
    first = next(layer.contributions[0] for layer in report.layers if layer.fqn == "first")
    assert first.is_doubted
