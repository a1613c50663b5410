"""Scaled values go through operators as the same values do in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from precision.errors import UnsupportedError
from precision.formats import format_named
from precision.measure.casting.methods import cast
from precision.measure.casting.scaled_operators import run_scaled
from precision.results.remedies import ScaleStep
from precision.spec import CastMethod

LARGE = 3e6
"""Beyond float16."""
functional = nn.functional


class Through(nn.Module):
    """An operator on values beyond float16, and what makes its result fit again."""

    def __init__(self, operator: Callable[[Tensor], Tensor], back: float) -> None:
        super().__init__()
        self.operator, self.back = operator, back

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.operator(x * LARGE) / self.back
        return out


def in_place(h: Tensor) -> Tensor:
    h += 1e6
    h[:, :2].mul_(0.5)
    h.div_(3)
    return h


def weight(*shape: int) -> Tensor:
    torch.manual_seed(5)
    return torch.randn(shape).half()


def as_given(tensor: Tensor, like: Tensor) -> Tensor:
    return tensor.to(like.dtype)


OPERATORS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "transpose, sum": (lambda h: h.transpose(0, 1).sum(0, keepdim=True), LARGE),
    "mean": (lambda h: h.mean(-1), LARGE),
    "largest": (lambda h: h.max(-1)[0], LARGE),
    "chunk": (lambda h: h.chunk(2, -1)[1], LARGE),
    "subtraction of a number": (lambda h: h - 1e6, LARGE),
    "subtraction from a number": (lambda h: 1e6 - h, LARGE),
    "clamp": (lambda h: h.clamp(-1e6, 2e6), LARGE),
    "cat": (lambda h: torch.cat([h, h * 0 + 1.0], -1), LARGE),
    "where": (lambda h: torch.where(h > 0, h, 1e6), LARGE),
    "maximum": (lambda h: torch.maximum(h, -h), LARGE),
    "masked fill": (lambda h: h.masked_fill(h < 0, -2e6), LARGE),
    "linear": (lambda h: functional.linear(h, as_given(weight(3, 8), h), as_given(weight(3), h)), LARGE),
    "conv": (lambda h: functional.conv1d(h[:, None], as_given(weight(2, 1, 3), h), as_given(weight(2), h)), LARGE),
    "matmul": (lambda h: (h / LARGE) @ (h.T / 7), LARGE),
    "square, mean": (lambda h: h.square().mean(-1).sqrt(), LARGE),
    "power": (lambda h: (h**4).mean(-1) ** 0.5 / h.norm(dim=-1), LARGE),
    "root": (lambda h: h.abs().sqrt(), 1e3),
    "variance": (lambda h: h.var(-1).sqrt(), LARGE),
    "deviation": (lambda h: h.std(-1), LARGE),
    "norm": (lambda h: h.norm(dim=-1), LARGE),
    "layer norm": (lambda h: functional.layer_norm(h, (8,), eps=1e12), 1.0),
    "rms norm": (lambda h: functional.rms_norm(h, (8,), eps=1e12), 1.0),
    "group norm": (lambda h: functional.group_norm(h, 2, eps=1e12), 1.0),
    "normalize": (lambda h: functional.normalize(h, eps=1e7), 1.0),
    "reciprocal": (lambda h: h.reciprocal() * 1e5, 1.0),
    "one over it": (lambda h: 1e5 / h, 1.0),
    "in place": (in_place, LARGE),
    "distance": (lambda h: (h[:, None] - h[None]).norm(dim=-1), LARGE),
    "relu in place": (lambda h: functional.relu(h, inplace=True), LARGE),
}


def scaled(
    operator: Callable[[Tensor], Tensor], back: float, x: Tensor
) -> tuple[Tensor, tuple[ScaleStep, ...], Tensor]:
    """The output in float16 with scales, its steps, and the output in float64."""
    model = Through(operator, back)
    candidate = cast(model, format_named("float16"), method=CastMethod.TO, device=torch.device("cpu"))
    output, steps = run_scaled(candidate.prepared((x,)), fqn="none", wide=torch.float32)
    assert isinstance(output, Tensor)
    return output, steps, model(x.double())


@pytest.fixture
def x() -> Tensor:
    torch.manual_seed(4)
    return (torch.rand(6, 8) + 0.2).mul(torch.tensor([1, -1]).repeat(4)).half().float()


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_on_scaled_values_is_what_it_is_in_float64(name: str, x: Tensor) -> None:
    output, steps, exact = scaled(*OPERATORS[name], x)
    assert steps
    assert output.dtype == torch.float16
    assert float((output.double() - exact).norm() / exact.norm()) < 3e-3


def test_nothing_is_scaled_where_all_fits(x: Tensor) -> None:
    output, steps, _ = scaled(lambda h: h, 1.0, x / LARGE)
    assert steps == ()
    assert torch.equal(output, ((x / LARGE).half() * LARGE) / 1.0)


def test_what_is_not_known_gets_values_without_a_scale(x: Tensor) -> None:
    for operator in (lambda h: h.floor(), lambda h: h.abs() ** 0.3):
        output, steps, _ = scaled(operator, LARGE, x)
        assert [step.kind for step in steps] == ["first", "before"]
        assert bool(output.isinf().all())


@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_whole_numbers_and_complex_ones_have_no_scale(x: Tensor) -> None:
    for operator in (lambda h: h + torch.arange(8), lambda h: (h * torch.tensor(1j)).imag):
        _, steps, _ = scaled(operator, LARGE, x)
        assert [step.kind for step in steps] == ["first", "before"]


def test_an_operator_that_writes_to_scaled_values_is_refused(x: Tensor) -> None:
    with pytest.raises(UnsupportedError, match="floor_ writes to values"):
        scaled(lambda h: h.floor_(), LARGE, x)
