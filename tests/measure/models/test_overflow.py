"""The planted overflow of the catalogue: born where it is planted, in float16 and nowhere else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from precision.measure.models.loading import load
from precision.results import LayersReport
from precision.spec import Analysis, RunSpec
from tests.runs import compare_layers

SEEDS = (0, 1, 2, 123, 2**32 - 1)


def report(choice: str, dtype: str = "float16", **settings: object) -> LayersReport:
    spec = RunSpec.model_validate(
        {"model": "overflow", "input": choice, "dtype": dtype, "analysis": Analysis.LAYERS, **settings}
    )
    found = compare_layers(spec).report
    assert found is not None
    return found


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("choice", "fqn", "operator", "largest_input", "reference_max"),
    [
        ("product", "blocks.0.feed_forward", "mul", 400, 160_000),
        ("residual", "blocks.1", "add", 40_000, 80_000),
    ],
)
def test_the_operator_is_named(
    choice: str, fqn: str, operator: str, largest_input: float, reference_max: float, seed: int
) -> None:
    origin = report(choice, seed=seed).origins[0]
    assert (origin.fqn, origin.operator, origin.kind, origin.dtype) == (fqn, operator, "overflow", "float16")
    assert origin.elements == 4
    assert origin.largest_input == pytest.approx(largest_input, rel=2e-3)
    assert origin.reference_max == pytest.approx(reference_max, rel=2e-3)


@pytest.mark.parametrize("choice", ["product", "residual"])
def test_bfloat16_has_the_range(choice: str) -> None:
    assert report(choice, "bfloat16").origins == ()


def test_the_other_input_stays_finite_in_float16() -> None:
    assert report("random").origins == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_but_the_planted_value_is_near_the_end_of_the_range(seed: int) -> None:
    seen: dict[str, list[float]] = {}

    def note(name: str, output: Tensor) -> None:
        seen[name] = sorted(output.abs().flatten(1).amax(0).tolist(), reverse=True)

    model = load(RunSpec(model="overflow", input="residual", seed=seed, batch=64))
    for name, module in model.module.named_modules():
        module.register_forward_hook(lambda _module, _args, output, name=name: note(name, output))
    with torch.no_grad():
        model.module(*model.args)
    for name in ("blocks.0", "blocks.0.feed_forward", "blocks.1.feed_forward"):
        assert seen[name][0] == pytest.approx(40_000, rel=2e-3)
        assert seen[name][1] < 1000
    assert seen["blocks.1"][0] == pytest.approx(80_000, rel=2e-3)
