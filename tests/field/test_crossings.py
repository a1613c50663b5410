"""What is cast where: the figures of real cases, by the library."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor, nn

import precision
from tests.field.cases import choices, crossings

LAYERS = dict.fromkeys(("a", "relu", "b", "head"), "bfloat16")


def sqnr_db(case: Callable[[], tuple[nn.Module, tuple[Tensor, ...]]], **settings: Any) -> float:
    module, inputs = case()
    result = precision.compare(module, inputs, **settings).result
    assert result.comparison is not None, result.failure
    value = result.comparison.overall.sqnr_db
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("case", "settings", "expected"),
    [
        (crossings.inplace_relu, {"dtype": "bfloat16"}, 46.4),
        (crossings.inplace_relu, {"dtype": "bfloat16", "keep": "relu"}, 46.4),
        (crossings.inplace_relu, {"plan": LAYERS}, 46.4),
        (crossings.inplace_relu, {"plan": {**LAYERS, "": "bfloat16"}}, 46.4),
        (choices.moe_router, {"dtype": "bfloat16", "keep": "gate"}, 9.4),
        (choices.moe_router, {"dtype": "bfloat16", "keep": "gate:wide"}, 26.1),
        (crossings.denoiser, {"dtype": "bfloat16"}, 22.4),
        (crossings.denoiser, {"dtype": "bfloat16", "wide_inputs": "t"}, 48.8),
        (crossings.denoiser, {"dtype": "bfloat16", "wide_inputs": [1]}, 48.8),
    ],
)
def test_figures(case: Callable[[], tuple[nn.Module, tuple[Tensor, ...]]], settings: Any, expected: float) -> None:
    assert sqnr_db(case, **settings) == pytest.approx(expected, abs=0.05)


def test_a_kept_module_that_returns_float32_is_cast_back_where_the_cast_raises() -> None:
    assert sqnr_db(crossings.meets_float, dtype="bfloat16", keep="norm") > 40


def test_an_input_of_whole_numbers_that_the_cast_changes_is_said() -> None:
    module, inputs = crossings.denoiser()
    warnings = precision.compare(module, inputs, dtype="bfloat16").result.warnings
    assert any("937 becomes 936" in warning or "999 becomes 1000" in warning for warning in warnings)


@pytest.mark.parametrize("dtype", ["bfloat16", "e5m7", "float8_e4m3fn"])
def test_a_plan_of_all_layers_leaves_an_input_uncast_as_the_cast_does(dtype: str) -> None:
    module, inputs = crossings.denoiser()
    report = precision.sensitivity(module, inputs, formats=(dtype,), wide_inputs="t", progress=False).result.report
    assert report is not None
    whole = sqnr_db(crossings.denoiser, dtype=dtype, wide_inputs="t")
    plan = {layer.fqn: dtype for layer in report.layers}
    assert sqnr_db(crossings.denoiser, plan=plan, wide_inputs="t") == whole
    assert whole > sqnr_db(crossings.denoiser, plan=plan) + 3
    measured = report.uniform[0].measured_squared_error
    assert measured is not None
    assert 10 * math.log10(report.output_mean_square / measured) == pytest.approx(whole, abs=0.01)
