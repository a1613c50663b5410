"""A training step against the same step written out by hand with plain autograd."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from precision.errors import JobCancelledError, UnsupportedError
from precision.measure.models.loading import load
from precision.measure.training.loss import CROSS_ENTROPY, MEAN_SQUARE
from precision.measure.training.measure_training import EVAL_MODE
from precision.results.training import RECIPES, TrainingReport, TrainingResult
from precision.spec import Analysis, RunSpec
from tests.measure.ranges.histograms import exponent_histogram
from tests.measure.training.planted import Bare, Float32Only, Frozen, HalfUsed, Indices, Masked, Scaled
from tests.runs import Recorder, measure_training, with_model

SEED = 123
TINY, STEEP = (2.0**-22,), (2.0**-8, 2.0**12)
"""Factors: gradients that float16 has no number for; and gradients that overflow on the way back, in the second."""


def vector(features: int = 64) -> Tensor:
    return torch.rand(features, generator=torch.Generator().manual_seed(1)) + 0.5


def measured(**settings: object) -> TrainingResult:
    return measure_training(RunSpec.parse({"analysis": Analysis.TRAINING, "seed": SEED, **settings}))


def report_of(**settings: object) -> TrainingReport:
    report = measured(**settings).report
    assert report is not None
    return report


def by_hand(module: nn.Module, x: Tensor, dtype: torch.dtype, *, scale: float = 1.0) -> dict[str, Tensor]:
    """Gradients of the mean square distance to targets N(0, 1), as a training loop would make them."""
    model = copy.deepcopy(module).eval().to(dtype)
    output = model(x.to(dtype))
    target = torch.randn(output.shape, generator=torch.Generator().manual_seed(SEED))
    loss = functional.mse_loss(output.to(torch.promote_types(dtype, torch.float32)), target)
    torch.autograd.backward(loss * scale)
    return {name: each.grad for name, each in model.named_parameters() if each.grad is not None}


def together(gradients: dict[str, Tensor]) -> Tensor:
    return torch.cat([each.double().flatten() for each in gradients.values()])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gradients_are_those_of_a_training_loop(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 3))
    x = torch.randn(5, 6)
    with_model(monkeypatch, module, x)
    report = report_of(dtype=dtype)
    exact, reference = (by_hand(module, x, each) for each in (torch.float64, torch.float32))
    assert [row.fqn for row in report.parameters] == list(exact)
    assert together(reference) == pytest.approx(together(exact), rel=1e-3, abs=1e-7)
    for row in report.parameters:
        assert row.histogram == exponent_histogram(reference[row.fqn])
    assert report.gradients.counts == exponent_histogram(together(reference)).counts
    plain = report.recipe("pure", scaled=False)
    assert plain is not None
    assert plain.overall is not None
    candidate = by_hand(module, x, getattr(torch, dtype))
    r, g = together(reference), together(candidate)
    assert plain.made is not None
    assert plain.made.counts == exponent_histogram(g).counts
    assert plain.overall.elements == r.numel()
    assert plain.overall.normalized_l2 == pytest.approx(float((g - r).norm() / r.norm()), rel=1e-5)
    assert plain.overall.cosine_similarity == pytest.approx(float(g @ r / g.norm() / r.norm()), abs=1e-9)
    for row, errors in zip(report.parameters, plain.parameters, strict=True):
        r, g = reference[row.fqn].double(), candidate[row.fqn].double()
        assert errors.normalized_l2 == pytest.approx(float((g - r).norm() / r.norm()), rel=1e-5)
        assert errors.underflowed == int(((r != 0) & (g == 0)).sum())


def test_tiny_gradients_vanish_in_float16_and_scaling_brings_them_back(monkeypatch: pytest.MonkeyPatch) -> None:
    module, x = Scaled(*TINY), vector()
    with_model(monkeypatch, module, x)
    r, g = (together(by_hand(module, x, dtype)) for dtype in (torch.float32, torch.float16))
    report = report_of(dtype="float16")
    plain, scaled = (report.recipe("pure", scaled=scaled) for scaled in (False, True))
    assert plain is not None
    assert plain.overall is not None
    assert scaled is not None
    assert scaled.overall is not None
    assert plain.overall.nonzero == 64
    assert plain.overall.underflowed == int(((r != 0) & (g == 0)).sum()) > 50
    assert scaled.overall.underflowed == 0
    assert scaled.scales == (2.0**16,)
    assert scaled.skipped == 0
    assert scaled.overall.normalized_l2 is not None
    assert scaled.overall.normalized_l2 < 1e-3
    assert scaled.made is not None
    assert scaled.made.zeros == 0


def test_tiny_gradients_stay_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Scaled(*TINY), vector())
    for recipe in report_of(dtype="bfloat16").recipes:
        assert recipe.overall is not None
        assert recipe.overall.underflowed == 0


def test_the_scaler_skips_steps_until_nothing_overflows(monkeypatch: pytest.MonkeyPatch) -> None:
    module, x = Scaled(*STEEP), vector()
    with_model(monkeypatch, module, x)
    finite = [
        bool(together(by_hand(module, x, torch.float16, scale=2.0 ** (16 - halved))).isfinite().all())
        for halved in range(24)
    ]
    skipped = finite.index(True)
    assert skipped > 2
    recipe = report_of(dtype="float16").recipe("pure", scaled=True)
    assert recipe is not None
    assert recipe.skipped == skipped
    assert recipe.scales == tuple(2.0 ** (16 - halved) for halved in range(skipped + 1))
    assert recipe.scale == 2.0 ** (16 - skipped)
    assert recipe.overall is not None
    assert recipe.overall.nonfinite == 0
    wide = report_of(dtype="bfloat16").recipe("pure", scaled=True)
    assert wide is not None
    assert wide.skipped == 0


def test_infinite_gradients_without_scaling_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    module, x = Scaled(2.0**-8, 2.0**24), vector()
    with_model(monkeypatch, module, x)
    g = together(by_hand(module, x, torch.float16))
    recipe = report_of(dtype="float16").recipe("pure", scaled=False)
    assert recipe is not None
    assert recipe.overall is not None
    assert (recipe.overall.infinite, recipe.overall.nan) == (int(g.isinf().sum()), int(g.isnan().sum()))
    assert recipe.overall.nonfinite > 0


def test_a_loss_that_overflows_is_helped_by_no_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Scaled(2.0**20), vector())
    recipe = report_of(dtype="float16").recipe("pure", scaled=True)
    assert recipe is not None
    assert recipe.overall is None
    assert recipe.scale is None
    assert recipe.skipped == 1
    assert "no scale helps" in recipe.failure


def test_autocast_computes_gradients_as_a_loop_under_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    module, x = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)), torch.randn(5, 6)
    with_model(monkeypatch, module, x)
    model = copy.deepcopy(module)
    with torch.autocast("cpu", torch.bfloat16):
        output = model(x)
    target = torch.randn(5, 3, generator=torch.Generator().manual_seed(SEED))
    torch.autograd.backward(functional.mse_loss(output.float(), target))
    g = together({name: each.grad for name, each in model.named_parameters() if each.grad is not None})
    r = together(by_hand(module, x, torch.float32))
    recipe = report_of(dtype="bfloat16").recipe("autocast", scaled=False)
    assert recipe is not None
    assert recipe.overall is not None
    assert recipe.overall.normalized_l2 == pytest.approx(float((g - r).norm() / r.norm()), rel=1e-5)
    assert {step.weights for step in recipe.steps} == {"float32"}


def test_labelled_input_trains_on_cross_entropy() -> None:
    report = report_of(model="digits", batch=8, dtype="bfloat16")
    loaded = load(RunSpec(model="digits", batch=8))
    (images,) = loaded.args
    assert loaded.labels is not None
    with torch.no_grad():
        expected = functional.cross_entropy(loaded.module.eval()(images), loaded.labels)
    assert report.loss_words == CROSS_ENTROPY
    assert report.loss == pytest.approx(float(expected), rel=1e-5)


def test_the_random_targets_are_those_of_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Scaled(1.0), vector())
    report = report_of(dtype="bfloat16")
    target = torch.randn(64, generator=torch.Generator().manual_seed(SEED))
    assert report.loss_words == MEAN_SQUARE
    expected = (Scaled(1.0).weight * vector() - target).square().mean()
    assert report.loss == pytest.approx(expected.item(), rel=1e-6)


def test_masked_scores_have_no_target(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Masked(), vector(8))
    report = report_of(dtype="bfloat16")
    target = torch.randn(8, generator=torch.Generator().manual_seed(SEED))
    expected = (Masked().weight * vector(8) - target)[::2].square().mean()
    assert report.loss == pytest.approx(expected.item(), rel=1e-6)
    assert all(recipe.overall and recipe.overall.nonfinite == 0 for recipe in report.recipes)


def test_grad_scaler_refuses_float16_weights_and_takes_bfloat16_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Scaled(1.0), vector())
    refused, taken = (report_of(dtype=dtype).recipe("pure", scaled=True) for dtype in ("float16", "bfloat16"))
    assert refused is not None
    assert taken is not None
    kept = [(step.weights, step.missing.partition(":")[0]) for step in refused.steps]
    said = "torch.amp.GradScaler refuses gradients of float16 weights"
    assert kept == [("float16", said), ("float16", said), ("float32", ""), ("float32", "")]
    assert [(step.weights, step.missing) for step in taken.steps] == [("bfloat16", "")] * 2 + [("float32", "")] * 2


def test_unused_parameters_are_named_and_dropout_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    module = HalfUsed()
    with_model(monkeypatch, module, torch.ones(2, 4))
    first = measured(dtype="bfloat16")
    assert first.report is not None
    assert [row.fqn for row in first.report.parameters] == ["used.weight", "used.bias"]
    assert first.report.without_gradient == ("unused.weight", "unused.bias")
    assert EVAL_MODE in first.warnings
    assert measured(dtype="bfloat16").report == first.report
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize(
    ("module", "said"),
    [(Bare(), "no parameters"), (Frozen(), "all frozen"), (Indices(), "has a gradient with respect to a parameter")],
)
def test_models_that_cannot_be_trained_say_why(module: nn.Module, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, module, torch.ones(2, 2))
    with pytest.raises(UnsupportedError, match=said):
        measured()


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "int8", "float32", "e5m7"])
def test_other_formats_are_not_simulated(dtype: str) -> None:
    with pytest.raises(UnsupportedError, match="is not simulated"):
        measured(dtype=dtype)


def test_an_output_that_is_not_finite_at_all_has_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Scaled(math.inf), vector())
    with pytest.raises(UnsupportedError, match="no element of its output is finite"):
        measured()


def test_outputs_left_out_of_the_loss_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Log(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.linear(x).log()
            return y

    torch.manual_seed(0)
    module, x = Log(), torch.randn(8, 4)
    infinite = int((~module(x).isfinite()).sum())
    assert infinite
    with_model(monkeypatch, module, x)
    assert measured().warnings[0].startswith(f"{infinite:,} output elements are infinite or NaN in float32.")


def test_a_recipe_that_raises_says_so_and_the_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Float32Only(), torch.ones(2, 4))
    report = report_of(dtype="bfloat16")
    assert [bool(recipe.failure) for recipe in report.recipes] == [True, True, False, False]
    assert report.recipes[0].failure.startswith("Forward or backward failed in the model itself: ")


def test_progress_goes_forward_and_hands_over_every_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Scaled(*STEEP), vector())
    recorder = Recorder()
    result = measure_training(RunSpec(analysis=Analysis.TRAINING), recorder)
    assert recorder.fractions == sorted(recorder.fractions)
    assert [
        len(each.report.recipes) for each in recorder.partials if isinstance(each, TrainingResult) and each.report
    ] == [*range(1, len(RECIPES) + 1)]
    assert recorder.partials[-1] == result.model_copy(update={"elapsed_s": recorder.partials[-1].elapsed_s})
    reports = [each.report for each in recorder.partials if isinstance(each, TrainingResult)]
    assert [found is not None and found.is_complete for found in reports] == [False, False, False, True]
    with pytest.raises(JobCancelledError):
        measure_training(RunSpec(analysis=Analysis.TRAINING), Recorder("One training step in float16, autocast"))


def test_the_result_reads_back_from_json(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Scaled(2.0**20), vector())
    result = measured(dtype="float16")
    assert TrainingResult.model_validate_json(result.model_dump_json()) == result


def test_what_training_does_not_read_is_not_in_its_key() -> None:
    asked = RunSpec.parse({"analysis": "training", "method": "half", "keep": "head", "reference": "float64"})
    assert asked.measured == RunSpec(analysis=Analysis.TRAINING)
    assert asked.model_copy(update={"dtype": "bfloat16"}).measured != asked.measured
