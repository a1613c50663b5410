"""Adjoint probes against Jacobians, and models whose gradients do not tell."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from precision.formats import format_named
from precision.measure.casting import methods as casting
from precision.measure.casting.cast_model import CastModel
from precision.measure.sensitivity import adjoint as adjoint_module
from precision.measure.sensitivity.adjoint import Adjoint, NotDifferentiableError, Tap, adjoint_of
from tests.zoo.cases import ZOO


def reference_of(model: nn.Module) -> CastModel:
    return casting.reference(model, format_named("float32"), device=torch.device("cpu"))


def leaves(model: nn.Module) -> list[str]:
    """The modules without others inside, but those in TorchScript."""
    named = model.named_modules()
    return [n for n, each in named if not list(each.children()) and not isinstance(each, torch.jit.ScriptModule)]


def probed(model: nn.Module, *args: object, **kwargs: object) -> Adjoint:
    return adjoint_of(reference_of(model), args, kwargs, layers=leaves(model), on_pass=lambda _done: None)


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 6), nn.GELU(), nn.Linear(6, 3)).eval()


def jvp(function: Callable[[Tensor], Tensor], at: Tensor, error: Tensor) -> Tensor:
    """The Jacobian of a function times an error, exactly."""
    moved: Tensor = torch.autograd.functional.jvp(function, at, error)[1]  # type: ignore[no-untyped-call]
    return moved


def squared_norm(adjoint: Adjoint, tap: Tap, error: Tensor) -> float:
    """What the probes make of an error at one tensor: the expectation of (g·e)², samples added up."""
    dim = adjoint.sample_dims.get(tap)
    products = [(g * error).double() for g in adjoint.gradients[tap]]
    if dim is None:
        return sum(float(p.sum() ** 2) for p in products) / len(products)
    return sum(float(p.movedim(dim, 0).flatten(1).sum(1).square().sum()) for p in products) / len(products)


@pytest.fixture
def only_random(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backward passes start from random vectors however few outputs there are."""
    monkeypatch.setattr(adjoint_module, "MOST_OUTPUTS", 0)


@pytest.mark.usefixtures("only_random")
def test_many_probes_give_the_norm_of_the_jacobian_times_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adjoint_module, "PROBES", 40_000)
    monkeypatch.setattr(adjoint_module, "PASSES", (4, 10_000))
    model, x = mlp(), torch.randn(20, 5)
    adjoint = probed(model, x)
    assert adjoint.probes == 40_000
    assert adjoint.backward_passes == adjoint.passes + 1
    hidden = model[0](x)
    error = torch.randn(20, 6)
    moved = jvp(lambda h: model[2](model[1](h)), hidden.detach(), error)
    # (g·e)² of 40,000 normal g·e has a relative standard deviation of sqrt(2 / 40,000) = 0.7 %, more for unequal ones
    assert squared_norm(adjoint, Tap("0", 0, 0), error) == pytest.approx(float(moved.square().sum()), rel=0.05)


@pytest.mark.usefixtures("only_random")
def test_samples_that_do_not_mix_are_probes_of_their_own() -> None:
    adjoint = probed(mlp(), torch.randn(16, 5))
    assert set(adjoint.sample_dims.values()) == {0}
    assert (adjoint.samples, adjoint.passes, adjoint.probes) == (16, 4, 64)


@pytest.mark.usefixtures("only_random")
def test_one_sample_gets_more_passes() -> None:
    adjoint = probed(mlp(), torch.randn(1, 5))
    assert adjoint.sample_dims == {}
    assert (adjoint.passes, adjoint.backward_passes) == (16, 16)


@pytest.mark.parametrize(("samples", "directions"), [(5, "outputs"), (6, "outputs of a sample")])
def test_few_outputs_have_a_pass_each_and_nothing_is_estimated(samples: int, directions: str) -> None:
    model, x = mlp(), torch.randn(samples, 5)
    adjoint = probed(model, x)
    assert adjoint.directions == directions
    assert adjoint.probes == 3 * samples
    error = torch.randn(samples, 6)
    moved = jvp(lambda h: model[2](model[1](h)), model[0](x).detach(), error)
    tap = Tap("0", 0, 0)
    assert squared_norm(adjoint, tap, error) == pytest.approx(float(moved.square().sum()), rel=1e-5)
    assert not adjoint.is_sampled(tap)


def test_of_few_outputs_only_layers_whose_samples_mix_are_sampled() -> None:
    adjoint = probed(Positions(), torch.randn(6, 6, 4))
    assert adjoint.directions == "outputs of a sample"
    assert [tap.fqn for tap in adjoint.gradients if adjoint.is_sampled(tap)] == ["positions"]


class MixesSamples(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.before(x)
        return self.after(y + y.flip(0))  # type: ignore[no-any-return]


def test_samples_that_mix_are_found_out() -> None:
    adjoint = probed(MixesSamples(), torch.randn(8, 4))
    assert adjoint.sample_dims == {Tap("after", 0, 0): 0}


class Positions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.positions, self.head = nn.Embedding(6, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x + self.positions(torch.arange(6)))  # type: ignore[no-any-return]


def test_an_output_without_samples_is_one_probe_a_pass() -> None:
    adjoint = probed(Positions(), torch.randn(6, 6, 4))  # as many samples as positions
    assert adjoint.sample_dims == {Tap("head", 0, 0): 0}


@pytest.mark.usefixtures("only_random")
def test_samples_of_a_sequence_first_lstm_lie_in_its_second_dimension() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(4, 5), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.lstm(x)[0][-1])  # type: ignore[no-any-return]

    adjoint = probed(Last(), torch.randn(7, 3, 4))
    assert adjoint.sample_dims[Tap("lstm", 0, 0)] == 1


def test_the_model_is_left_as_it_was() -> None:
    model = mlp()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    reference = reference_of(model)
    adjoint_of(reference, (torch.randn(2, 5),), {}, layers=leaves(reference.stored), on_pass=lambda _done: None)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    for held in (model, reference.stored):
        assert all(parameter.requires_grad and parameter.grad is None for parameter in held.parameters())
        assert not any(module._forward_hooks for module in held.modules())


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor, nn.Module], Any]) -> None:
        super().__init__()
        self.linear, self.tail = nn.Linear(4, 4), nn.Linear(4, 4)
        self._function = function

    def forward(self, x: Tensor) -> Any:
        return self._function(self.linear(x), self.tail)


@torch.no_grad()
def without_gradients(y: Tensor) -> Tensor:
    return 2 * y


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda y, tail: tail(nn.functional.one_hot(y.argmax(-1), 4).float()), "no gradient reaches: linear"),
        (lambda y, tail: tail(torch.from_numpy(y.numpy() * 2)), r"It cannot be differentiated: .*numpy"),
        (lambda y, tail: tail(without_gradients(y)), "no gradient reaches: linear"),
        (lambda y, _: without_gradients(y), "No floating-point output has a gradient"),
        (lambda y, tail: tail(y.exp().mul_(2) + y.exp_().mul_(y.sigmoid().add_(1))), "cannot be differentiated"),
    ],
)
def test_models_without_gradients_say_why(function: Callable[[Tensor, nn.Module], Any], message: str) -> None:
    with pytest.raises(NotDifferentiableError, match=message):
        probed(Function(function), torch.randn(2, 4))


def test_a_layer_whose_output_is_not_used_needs_no_gradient() -> None:
    def unused(y: Tensor, tail: nn.Module) -> Tensor:
        tail(y)
        return y + 1

    adjoint = probed(Function(unused), torch.randn(2, 4))
    assert {tap.fqn for tap in adjoint.gradients} == {"linear"}


def test_what_later_steps_overwrite_keeps_its_gradient() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Identity(), nn.ReLU(inplace=True), nn.Linear(4, 2)).eval()
    x = torch.randn(64, 4)
    adjoint = probed(model, x)
    error = torch.full((64, 4), 1e-3)
    y = model[0](x).detach()
    moved = jvp(lambda h: model[3](h.relu()), y, error)
    for name in ("0", "1"):
        found = squared_norm(adjoint, Tap(name, 0, 0), error)
        assert found == pytest.approx(float(moved.square().sum()), rel=0.5)
    # the same direction at both, since the second hands on the first
    assert squared_norm(adjoint, Tap("0", 0, 0), error) == squared_norm(adjoint, Tap("1", 0, 0), error)


@pytest.mark.parametrize("name", ZOO)
def test_every_model_of_the_zoo_is_differentiated_or_says_why_not(name: str) -> None:
    torch.manual_seed(0)
    exhibit = ZOO[name]
    model = exhibit.build().eval()
    try:
        reference_of(model)(exhibit.inputs, exhibit.kwargs)
    except Exception:  # noqa: BLE001 - not this test's business
        pytest.skip("does not run at all")
    with suppress(NotDifferentiableError):
        assert probed(model, *exhibit.inputs, **exhibit.kwargs).passes >= 1
