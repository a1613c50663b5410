"""Errors of layers together, against sums of vectors in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from precision.findings.sensitivity.together import projections_of, squared_error_together
from precision.results import SensitivityReport
from precision.spec import Analysis, RunSpec
from tests.plan.reports import contribution, layer, report
from tests.runs import with_model


def made_up(vectors: np.ndarray, *, is_sampled: bool = False) -> SensitivityReport:
    """Layers whose errors, `(layers, formats, passes, samples)`, are these vectors."""
    layers, formats = vectors.shape[:2]
    products = {
        (kind, at, column): vectors[at, column]
        for kind in range(2)
        for at in range(layers)
        for column in range(formats)
    }
    found = projections_of(products, (2, layers, formats), is_sampled=is_sampled)
    rows = [
        layer(f"layer_{at}", tuple(contribution(float((each**2).sum()), 100) for each in vectors[at]))
        for at in range(layers)
    ]
    names = ("float16", "bfloat16", "int8")[:formats]
    return report(*rows, formats=names).model_copy(update={"projections": found})


@pytest.mark.parametrize("shape", [(4, 3, 2, 5), (4, 2, 50, 3)], ids=["as they are", "more probes than layers"])
def test_errors_of_layers_add_up_as_vectors(shape: tuple[int, ...]) -> None:
    vectors = np.random.default_rng(0).normal(size=shape)
    measured = made_up(vectors)
    assert measured.projections is not None
    assert measured.projections.shape[3] == min(shape[2] * shape[3], 2 * shape[0] * shape[1])
    formats = ("float16", "bfloat16", "float32", "bfloat16")
    chosen = vectors[0, 0] + vectors[1, 1] + vectors[3, 1]
    assert squared_error_together(measured, formats) == pytest.approx(float((chosen**2).sum()), rel=1e-5)
    assert squared_error_together(measured, ("float32",) * 4) == 0


def test_opposite_errors_cancel() -> None:
    vector = np.ones((1, 3, 4))
    measured = made_up(np.stack([vector, -vector]))
    assert squared_error_together(measured, ("float16", "float16")) == pytest.approx(0, abs=1e-6)
    assert squared_error_together(measured, ("float16", "float32")) == 12


def test_random_probes_tell_what_stands_out_of_noise_alone() -> None:
    random = np.random.default_rng(0)
    apart = random.normal(size=(2, 1, 10, 20))
    both = [float((each**2).sum()) for each in apart[:, 0]]
    assert squared_error_together(made_up(apart, is_sampled=True), ("float16",) * 2) == sum(both)
    alike = np.concatenate([apart[:1], apart[:1]])
    together = squared_error_together(made_up(alike, is_sampled=True), ("float16",) * 2)
    assert together == pytest.approx(4 * both[0], rel=0.3)
    assert made_up(apart[:, :, :4], is_sampled=True).projections is None


def test_layers_whose_samples_mix_are_added_by_themselves() -> None:
    products = {(kind, 0, 0): np.ones((2, 3)) for kind in range(2)} | {
        (kind, 1, 0): np.ones((2, 1)) for kind in range(2)
    }
    rows = (layer("apart", (contribution(6.0, 1),)), layer("mixed", (contribution(2.0, 1),)))
    found = projections_of(products, (2, 2, 1), is_sampled=False)
    measured = report(*rows, formats=("float16",)).model_copy(update={"projections": found})
    assert squared_error_together(measured, ("float16",) * 2) == 8


def test_what_a_layer_of_the_format_hands_on_is_not_rounded_again() -> None:
    cheap = contribution(5.0, 1).model_copy(update={"handed_squared_error": 2.0})
    rows = [
        layer("first", (contribution(1.0, 1),) * 3),
        layer("relu", (contribution(1.0, 1),) * 3).model_copy(update={"takes_from": ("first",), "passes_on": True}),
        layer("last", (cheap,) * 3).model_copy(update={"takes_from": ("relu",)}),
    ]
    measured = report(*rows, formats=("float16", "bfloat16", "int8"))
    for formats, expected in {
        ("float16", "float32", "float16"): 1 + 2,
        ("float16", "float32", "bfloat16"): 1 + 5,
        ("float32", "float32", "float16"): 5,
        ("float32", "float16", "float16"): 1 + 2,
        ("int8", "float32", "int8"): 1 + 5,
    }.items():
        assert squared_error_together(measured, formats) == expected
    bounded = layer("last", (cheap.model_copy(update={"exact_squared_error": 10.0}),) * 3)
    measured = report(
        rows[0], bounded.model_copy(update={"takes_from": ("first",)}), formats=("float16", "bfloat16", "int8")
    )
    assert squared_error_together(measured, ("float16", "float16")) == 1 + 10 * 2 / 5
    assert squared_error_together(measured, ("float32", "float16")) == 10


def test_values_of_a_narrow_format_are_not_rounded_to_a_wide_one() -> None:
    cheap = contribution(5.0, 1).model_copy(update={"handed_squared_error": 2.0})
    last = layer("last", (cheap,) * 3).model_copy(update={"takes_from": ("first",)})
    measured = report(
        layer("first", (contribution(1.0, 1),) * 3), last, formats=("float8_e4m3fn", "float16", "bfloat16")
    )
    assert squared_error_together(measured, ("float8_e4m3fn", "float16")) == 3
    assert squared_error_together(measured, ("float8_e4m3fn", "bfloat16")) == 3
    assert squared_error_together(measured, ("bfloat16", "float16")) == 6  # whose range is smaller
    assert squared_error_together(measured, ("float16", "bfloat16")) == 6


def test_a_layer_without_a_prediction_leaves_none() -> None:
    rows = (layer("good", (contribution(1.0, 1),)), layer("bad", (contribution(None, 1, nonfinite=2),)))
    measured = report(*rows, formats=("float16",))
    assert squared_error_together(measured, ("float16", "float16")) is None
    assert squared_error_together(measured, ("float16", "float32")) == 1


def test_a_chain_of_layers_names_its_givers(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.runs import measure_sensitivity

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Flatten(), nn.Tanh(), nn.Linear(8, 4)).eval()
    with_model(monkeypatch, model, torch.randn(64, 8))
    found = measure_sensitivity(RunSpec(analysis=Analysis.SENSITIVITY, formats=("bfloat16", "int8"))).report
    assert found is not None
    assert [each.takes_from for each in found.layers] == [(), ("0",), ("1",), ("2",), ("3",)]
    assert [each.passes_on for each in found.layers] == [False, True, True, False, False]
    assert not found.is_sampled
    for check in found.uniform:
        assert check.predicted_squared_error is not None
        assert check.measured_squared_error is not None
        ratio = math.sqrt(check.predicted_squared_error / check.measured_squared_error)
        assert ratio == pytest.approx(1, abs=0.05)
