"""A layer's error taken apart, against running that layer alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from precision.formats import format_named
from precision.measure.casting.methods import cast
from precision.results.layers import ErrorSize, LayerRow
from precision.spec import CastMethod
from tests.measure.lockstep.side_by_side import CPU, lockstep, row_named
from tests.zoo.awkward_models import Counting, InPlace, Sampling

X = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}


def chain() -> nn.Sequential:
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 4)).eval()


def size(error: Tensor, reference: Tensor) -> tuple[float, float, float]:
    error, reference = error.double(), reference.double()
    return (
        float(error.pow(2).mean().sqrt()),
        float(error.norm() / reference.norm()),
        float(error.abs().max()),
    )


def numbers(found: ErrorSize | None) -> tuple[float, float, float]:
    assert found is not None
    return found.rmse, found.normalized_l2, found.max_abs_error


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@torch.no_grad()
def test_the_corners_of_every_layer_are_those_of_the_layer_alone(name: str) -> None:
    model, dtype = chain(), DTYPES[name]
    report = lockstep(model, X, name=name, decompose=True)
    x, x_low = X, X.to(dtype)
    for fqn, layer in model.named_children():
        low = copy.deepcopy(layer).to(dtype)
        f_x, fl_xl = layer(x), low(x_low)
        fl_x, f_xl = low(x.to(dtype)), layer(x_low.float())
        corners = row_named(report, fqn).corners
        assert corners is not None
        expected = {
            "local": fl_x.double() - f_x.double(),
            "inherited": f_xl.double() - f_x.double(),
            "propagated": fl_xl.double() - f_x.double(),
            "interaction": fl_xl.double() - fl_x.double() - f_xl.double() + f_x.double(),
            "activations_only": layer(x.to(dtype).float()).double() - f_x.double(),
        }
        for corner, error in expected.items():
            assert numbers(getattr(corners, corner)) == pytest.approx(size(error, f_x), rel=2e-5, abs=1e-12), (
                fqn,
                corner,
            )
        weights = copy.deepcopy(layer).to(dtype).float()
        if any(True for _ in layer.parameters()):
            assert numbers(corners.weights_only) == pytest.approx(size(weights(x) - f_x, f_x), rel=2e-4, abs=1e-12)
        else:
            assert corners.weights_only is None
        handed = size(x_low.double() - x.double(), x)[1]
        assert corners.input_normalized_l2 == pytest.approx(handed, rel=2e-5)
        assert corners.gain == pytest.approx(size(expected["inherited"], f_x)[1] / handed, rel=2e-5)
        x, x_low = f_x, fl_xl


@torch.no_grad()
def test_local_error_of_a_simulated_format_is_that_of_the_layer_cast_alone() -> None:
    model, fmt = chain(), format_named("float8_e4m3fn")
    report = lockstep(model, X, name="float8_e4m3fn", decompose=True)
    x = X
    for fqn, layer in model.named_children():
        corners = row_named(report, fqn).corners
        assert corners is not None
        alone = cast(layer, fmt, method=CastMethod.TO, device=CPU)((x,))
        assert isinstance(alone, Tensor)
        reference = layer(x)
        error = alone.double() - reference.double()
        assert numbers(corners.local) == pytest.approx(size(error, reference), rel=2e-5), fqn
        x = reference


def test_autocast_has_no_weights_of_its_own() -> None:
    report = lockstep(chain(), X, name="bfloat16", method=CastMethod.AUTOCAST, decompose=True)
    corners = row_named(report, "3").corners
    assert corners is not None
    assert corners.weights_only is None
    assert corners.local.rmse > 0


def test_weights_only_has_no_activations_of_its_own() -> None:
    report = lockstep(chain(), X, name="bfloat16", method=CastMethod.WEIGHTS_ONLY, decompose=True)
    corners = row_named(report, "0").corners
    assert corners is not None
    assert corners.activations_only is not None
    assert corners.activations_only.rmse == 0
    assert numbers(corners.weights_only) == pytest.approx(numbers(corners.local), rel=1e-3)


def test_containers_are_not_taken_apart() -> None:
    report = lockstep(chain(), X, decompose=True)
    row = row_named(report, "")
    assert (row.corners, row.corners_missing) == (None, "")
    assert report.decomposed


def only(model: nn.Module, fqn: str, x: Tensor, **options: Any) -> LayerRow:
    report = lockstep(model, x, decompose=True, verify=True, **options)
    assert report.stopped is None
    assert report.observer is not None
    assert not report.observer.changed
    return row_named(report, fqn)


def test_in_place_activations_are_evaluated_on_what_they_were_given() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(inplace=True), nn.Linear(8, 8))
    plain = nn.Sequential(model[0], nn.ReLU(), model[2])
    corners = only(model, "1", X).corners
    assert corners is not None
    assert corners == only(plain, "1", X).corners


def test_modules_that_keep_state_are_not_taken_apart() -> None:
    class Leaf(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return x * self.calls

    row = only(nn.Sequential(Leaf()), "0", X)
    assert row.corners is None
    assert "keeps state" in row.corners_missing
    assert row.errors is not None


def test_modules_that_fail_on_the_other_sides_input_are_not_taken_apart() -> None:
    class Picky(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if x.dtype == torch.float32 and not torch.equal(x, X):
                raise ValueError("only my own input")
            return x

    row = only(nn.Sequential(Picky()), "0", X)
    assert row.corners is None
    assert "fails on the other side's input: only my own input" in row.corners_missing


def test_modules_that_are_given_objects_are_not_taken_apart() -> None:
    class Cache:
        pass

    class Takes(nn.Module):
        def forward(self, x: Tensor, cache: Cache) -> Tensor:
            return x * 2

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.takes = Takes()

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.takes(x, Cache())
            return y

    assert "is a Cache" in only(Outer(), "takes", X).corners_missing


def test_random_modules_draw_the_same_numbers_again() -> None:
    model = nn.Sequential(nn.Linear(8, 8), Sampling(), Sampling())
    for fqn in ("1", "2"):
        corners = only(model, fqn, X, name="float32").corners
        assert corners is not None
        assert corners.local.rmse == 0


def test_own_hooks_are_part_of_the_layer() -> None:
    model = chain()
    model[0].register_forward_hook(lambda _module, _inputs, output: output * 3)
    model[3].register_forward_pre_hook(lambda _module, inputs: (inputs[0] * 5,))
    report = lockstep(model, X, decompose=True)
    tripled, fed = row_named(report, "0"), row_named(report, "3")
    assert tripled.errors is not None
    assert tripled.corners is not None
    assert tripled.corners.propagated.rmse == pytest.approx(tripled.errors.rmse, rel=1e-5)
    assert fed.corners is not None or "another output" in fed.corners_missing


def test_non_finite_elements_are_left_out_and_counted() -> None:
    class Overflows(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x.clone()
            y[0] = y[0].abs() * 1e6 + 1e6
            return y

    corners = only(nn.Sequential(nn.Identity(), Overflows()), "1", X).corners
    assert corners is not None
    assert corners.excluded_elements == 8
    row = only(nn.Sequential(Overflows()), "0", X[:1])
    assert row.corners is None
    assert "no element of its output is finite" in row.corners_missing


def test_modules_whose_children_are_not_called_are_taken_apart() -> None:
    torch.manual_seed(0)
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1).eval()
    report = lockstep(encoder, X.unsqueeze(0), name="bfloat16", decompose=True, verify=True)
    row = row_named(report, "layers.0")
    assert row.corners is not None
    assert row.corners.local.rmse > 0


def test_integer_outputs_have_no_corners() -> None:
    class Rounds(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.long()

    row = only(nn.Sequential(Rounds()), "0", X)
    assert (row.corners, row.corners_missing) == (None, "")


@pytest.mark.parametrize("model", [Counting(), InPlace()])
def test_models_with_state_compare(model: nn.Module) -> None:
    width = 2 if isinstance(model, Counting) else 3
    row = only(model, "linear", torch.randn(4, width))
    assert row.corners is not None


def test_a_module_that_hands_on_its_input_is_not_taken_apart() -> None:
    row = only(nn.Sequential(nn.Linear(8, 8), nn.Dropout()), "1", X)
    assert row.same_as is not None
    assert row.corners_missing == "it returned its input tensors."


@pytest.mark.parametrize(
    ("name", "method"),
    [("tf32", CastMethod.TO), ("int8", CastMethod.DYNAMIC), ("mxfp4", CastMethod.WEIGHTS_ONLY)],
)
def test_formats_without_a_dtype_compare_and_come_apart(name: str, method: CastMethod) -> None:
    report = lockstep(chain(), X, name=name, method=method, operators=True, decompose=True, verify=True)
    assert report.stopped is None
    assert [operator.name for operator in report.operators] == ["linear", "gelu", "layer_norm", "linear"]
    assert report.observer is not None
    assert not report.observer.changed
    first = row_named(report, "0")
    assert first.errors is not None
    assert first.corners is not None
    assert first.corners.local.rmse > 0
    assert first.corners.propagated.rmse == pytest.approx(first.errors.rmse, rel=1e-5)
    assert first.corners.activations_only is not None
    assert (first.corners.activations_only.rmse > 0) == (method is not CastMethod.WEIGHTS_ONLY)


def test_a_module_that_changes_what_it_is_passed_by_name_is_not_taken_apart_wrongly() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(16, 16)
            self.h = nn.LeakyReLU(0.01, inplace=True)

        def forward(self, x: Tensor) -> Tensor:
            activated: Tensor = self.h(input=self.a(x))
            return activated

    torch.manual_seed(0)
    report = lockstep(Named(), torch.randn(64, 16), name="bfloat16", decompose=True)
    row = row_named(report, "h")
    assert row.corners is None
    assert "changes its input" in row.corners_missing
