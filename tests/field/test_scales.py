"""A scale is tried where it keeps the function, and what it gives is what its steps give in plain torch."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import precision
from precision.findings.remedies import helps, remedies_texts
from precision.results import LayersResult
from precision.results.remedies import Remedy
from tests.field.cases import guards


class Attention(nn.Module):
    """Scores that are divided after the product, which passes the end of float16."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.out = nn.Linear(16, 64), nn.Linear(16, 64), nn.Linear(64, 4)

    def forward(self, x: Tensor, first: float = 1.0, back: float = 1.0) -> Tensor:
        q, k = self.q(x) * 500, self.k(x) * 500
        scores = ((q / first) @ k.transpose(-1, -2)) / 40000 * back
        out: Tensor = self.out(scores.softmax(-1) @ (k / 500))
        return out


class Residual(nn.Module):
    """A large product that goes into a norm, which does not see its size."""

    def __init__(self, *, in_place: bool = False) -> None:
        super().__init__()
        self.up, self.norm, self.out = nn.Linear(16, 64), nn.LayerNorm(64), nn.Linear(64, 4)
        self.side = nn.Linear(16, 64)
        self.in_place = in_place
        with torch.no_grad():
            self.up.weight.mul_(5e4)
            self.up.bias.mul_(5e4)

    def forward(self, x: Tensor) -> Tensor:
        wide: Tensor = self.up(x)
        if self.in_place:
            wide += self.side(x)
        else:
            wide = self.side(x) + wide
        out: Tensor = self.out(self.norm(wide))
        return out

    def divided(self, x: Tensor, by: float) -> Tensor:
        """The same function, divided."""
        functional = nn.functional
        wide = functional.linear(x / by, self.up.weight, self.up.bias / by) + self.side(x) / by
        normed = functional.layer_norm(wide, (64,), self.norm.weight, self.norm.bias, self.norm.eps / by**2)
        out: Tensor = self.out(normed)
        return out


class RootMeanSquare(nn.Module):
    """A norm by hand, of values whose squares do not fit."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.size = size
        self.first, self.out = nn.Linear(16, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor, by: float = 1.0) -> Tensor:
        h = self.first(x) * self.size
        root = torch.rsqrt((h / by).pow(2).mean(-1, keepdim=True) + 1e-6 * self.size**2 / by**2) / by
        out: Tensor = self.out(h * root)
        return out


class Large(nn.Module):
    """Outputs that do not fit themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) * 1e6  # type: ignore[no-any-return]


def tried(model: nn.Module, x: Tensor, dtype: str = "float16") -> LayersResult:
    result = precision.layers(model, x, dtype=dtype, progress=False).result
    assert isinstance(result, LayersResult)
    return result


def scale_of(result: LayersResult) -> Remedy:
    assert result.remedies is not None
    return next(remedy for remedy in result.remedies.tried if remedy.kind == "scale")


def decibels(reference: Tensor, output: Tensor) -> float:
    exact = reference.double()
    return 20 * math.log10(float(exact.norm() / (output.double() - exact).norm()))


def seeded(make: Callable[[], nn.Module]) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(2)
    return make().eval(), torch.randn(40, 16)


@torch.no_grad()
def test_a_product_that_is_divided_later() -> None:
    model, x = seeded(Attention)
    remedy = scale_of(tried(model, x))
    assert [(step.kind, step.operator) for step in remedy.scales] == [("first", "matmul"), ("back", "div")]
    by = 2.0 ** remedy.scales[0].bits
    wanted = model(x)
    half = model.half()
    assert not bool(half(x.half()).isfinite().all())
    assert remedy.sqnr_db == pytest.approx(decibels(wanted, half(x.half(), by, by)), abs=0.01)


@pytest.mark.parametrize("in_place", [False, True])
@torch.no_grad()
def test_a_factor_that_a_norm_cancels(in_place: bool) -> None:
    model, x = seeded(lambda: Residual(in_place=in_place))
    result = tried(model, x)
    remedy = scale_of(result)
    by = 2.0 ** remedy.scales[0].bits
    wanted = model(x)
    assert isinstance(half := model.half(), Residual)
    assert remedy.sqnr_db == pytest.approx(decibels(wanted, half.divided(x.half(), by)), abs=0.01)
    text = next(text for text in remedies_texts(result) if "eps" in text and "divide" in text)
    assert f"divide the first input of linear of up by {by:g}; divide what linear of up adds by {by:g} too" in text
    assert f"divide the eps of layer_norm of norm by {by**2:g} too; after that, the factor cancels" in text


@pytest.mark.parametrize("size", [2000.0, 2e-4])
@torch.no_grad()
def test_squares_that_are_too_large_or_too_small(size: float) -> None:
    model, x = seeded(lambda: RootMeanSquare(size))
    remedy = scale_of(tried(model, x))
    wanted = model(x)
    half = model.half()
    by = 2.0 ** next(step.bits for step in remedy.scales if step.operator == "pow")
    assert (by > 1) == (size > 1)
    assert remedy.sqnr_db is not None
    assert remedy.sqnr_db > 60
    if size > 1:
        assert remedy.sqnr_db == pytest.approx(decibels(wanted, half(x.half(), by)), abs=0.01)


class Similarities(nn.Module):
    """Cosines of small vectors: the product of two norms is 0 in float16; with scales by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(16, 16)

    def forward(self, x: Tensor, by: float, product: float, more: float) -> Tensor:
        y: Tensor = self.last(x) * by * 1e-4
        one, other = y.norm(dim=-1)[:, None] / by, y.norm(dim=-1)[None] / by
        return ((y * product) @ y.T) / ((one * more) * other) / (by * by * product / more)  # type: ignore[no-any-return]


@torch.no_grad()
def test_of_several_calls_of_an_operator_each_step_says_which() -> None:
    class Plain(Similarities):
        def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
            y: Tensor = self.last(x) * 1e-4
            return (y @ y.T) / (y.norm(dim=-1)[:, None] * y.norm(dim=-1)[None])  # type: ignore[no-any-return]

    model, x = seeded(Plain)
    result = tried(model, x)
    remedy = scale_of(result)
    assert [(step.kind, step.operator, step.call) for step in remedy.scales] == [
        ("first", "mul", 1),
        ("first", "matmul", 0),
        ("back", "norm", 1),
        ("back", "norm", 2),
        ("first", "mul", 2),
        ("back", "div", 0),
    ]
    by, product, more = (2.0 ** -remedy.scales[place].bits for place in (0, 1, 4))
    half = Similarities().half()
    half.load_state_dict(model.state_dict())
    assert remedy.sqnr_db == pytest.approx(decibels(model(x), half(x.half(), by, product, more)), abs=0.01)
    assert any(
        f"multiply the first input of mul (call 2) of the model by {more:,.0f}" in text
        for text in remedies_texts(result)
    )


@torch.no_grad()
def test_an_exponential_is_divided_by_what_is_subtracted() -> None:
    class Softmax(nn.Module):
        def forward(self, x: Tensor, shift: float = 0.0) -> Tensor:
            e = torch.exp(x - shift if shift else x)
            return e / e.sum(-1, keepdim=True)

    model, x = Softmax(), torch.linspace(0, 12, 60).view(10, 6)
    remedy = scale_of(tried(model, x))
    assert [step.kind for step in remedy.scales] == ["shift"]
    shifted = model(x.half(), remedy.scales[0].bits * math.log(2))
    assert remedy.sqnr_db == pytest.approx(decibels(model(x), shifted), abs=0.01)


def test_tails_that_are_too_small_need_no_scale() -> None:
    """Of the field case: exponentials beyond the end beside some that vanish."""
    model, (x,) = guards.softmax_by_hand()
    remedy = scale_of(tried(model, x))
    assert [step.kind for step in remedy.scales] == ["shift"]
    assert remedy.sqnr_db == pytest.approx(98.9, abs=0.1)


def test_a_result_that_does_not_fit_is_not_helped() -> None:
    model, x = seeded(Large)
    result = tried(model, x)
    assert result.remedies is not None
    assert not helps(result.remedies, scale_of(result))


def test_no_scale_where_the_function_would_change() -> None:
    class Cosh(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.cosh().log()

    result = tried(Cosh(), torch.linspace(0, 13, 40).view(10, 4))
    assert result.remedies is not None
    assert "scale" not in [remedy.kind for remedy in result.remedies.tried]


class Clipped(nn.Module):
    """An output that a float8 clips, read by a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.out = nn.Linear(16, 16), nn.Linear(16, 8)
        with torch.no_grad():
            self.up.weight[:2] *= 600

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(torch.tanh(self.up(x) / 100))
        return out


@torch.no_grad()
def test_a_clipped_output_is_stored_with_a_scale() -> None:
    model, x = seeded(Clipped)
    assert isinstance(model, Clipped)
    result = tried(model, x, "float8_e4m3fn")

    def low(tensor: Tensor, scale: float = 1.0) -> Tensor:
        return (tensor / scale).clamp(-448, 448).to(torch.float8_e4m3fn).float() * scale

    def run(scale: float) -> Tensor:
        up = low(nn.functional.linear(low(x), low(model.up.weight), low(model.up.bias)), scale)
        out = nn.functional.linear(torch.tanh(up / 100), low(model.out.weight), low(model.out.bias))
        return low(low(out))

    largest = float(nn.functional.linear(low(x), low(model.up.weight), low(model.up.bias)).abs().max())
    bits = math.ceil(math.log2(largest / 448))
    remedy = scale_of(result)
    assert [(step.kind, step.fqn, step.bits) for step in remedy.scales] == [("output", "up", bits)]
    assert remedy.sqnr_db == pytest.approx(decibels(model(x), run(2.0**bits)), abs=0.01)
    assert result.remedies is not None
    assert result.remedies.before_db == pytest.approx(decibels(model(x), run(1.0)), abs=0.01)
