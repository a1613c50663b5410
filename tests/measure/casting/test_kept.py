"""Modules kept in the reference's precision inside a cast model."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from precision.errors import InputError
from precision.formats import format_named
from precision.measure.casting.frames import side_of
from precision.measure.casting.methods import cast, reference
from precision.measure.casting.precisions import Precisions
from precision.spec import CastMethod
from precision.spec.keep import Kept
from tests.zoo.awkward_models import TiedLanguageModel

CPU = torch.device("cpu")


def kept(
    original: nn.Module, *parts: str, method: CastMethod = CastMethod.TO, fmt: str = "float16", x: Any = ()
) -> Any:
    """A cast of the model with these parts kept in float32."""
    candidate = cast(original, format_named(fmt), method=method, device=CPU)
    wide = format_named("float32")
    precisions = Precisions(original, reference(original, wide, device=CPU), wide, x)
    return precisions.kept(candidate, format_named(fmt), method, map(Kept.parse, parts))


def half_with(original: nn.Module, *parts: str, x: Any = ()) -> Any:
    return kept(original, *parts, x=x).stored


def test_a_kept_module_computes_with_the_original_weights() -> None:
    torch.manual_seed(0)
    original = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    x = torch.randn(3, 8).half()
    with torch.no_grad():
        got = half_with(original, "1")(x)
        first = copy.deepcopy(original[0]).half()(x)
        expected = original[1](first.float()).half()
    assert got.dtype == torch.float16
    assert torch.equal(got, expected)


def test_it_survives_a_copy_and_keeps_its_name() -> None:
    original = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    twin = copy.deepcopy(half_with(original, "0"))
    assert type(twin[0]).__name__ == "Linear"
    assert isinstance(twin[0], nn.Linear)
    assert twin[0].weight.dtype == torch.float32
    assert twin(torch.ones(1, 2).half()).dtype == torch.float16


def test_everything_inside_is_kept() -> None:
    original = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), nn.Linear(2, 2)).eval()
    stored = half_with(original, "0")
    assert {p.dtype for p in stored[0].parameters()} == {torch.float32}
    assert stored[0][1].running_mean.dtype == torch.float32
    assert stored[0][1].num_batches_tracked.dtype == torch.int64
    assert stored[1].weight.dtype == torch.float16
    assert [side_of(module) is None for module in (stored[0][0], stored[0][1], stored[1])] == [False, False, True]
    assert stored(torch.ones(2, 2).half()).dtype == torch.float16


def test_the_callers_model_is_untouched() -> None:
    original = nn.Sequential(nn.Linear(2, 2))
    stored = half_with(original, "0")
    stored[0].weight.data.fill_(7)
    assert type(original[0]) is nn.Linear
    assert not (original[0].weight == 7).any()


def test_a_tied_weight_outside_stays_cast() -> None:
    stored = half_with(TiedLanguageModel(), "embedding")
    assert stored.embedding.weight.dtype == torch.float32
    assert stored.head.weight.dtype == torch.float16
    assert stored(torch.tensor([[1, 2]])).dtype == torch.float16


def test_a_tie_inside_is_kept() -> None:
    model = nn.Sequential(TiedLanguageModel(), nn.ReLU())
    stored = half_with(model, "0")
    assert stored[0].embedding.weight is stored[0].head.weight


def test_autocast_is_off_inside() -> None:
    original = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    x = torch.randn(2, 4)
    stored = kept(original, "1", method=CastMethod.AUTOCAST, fmt="bfloat16", x=(x,)).stored
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        got = stored(x)
        first = original[0](x)
    with torch.no_grad():
        assert torch.equal(got, original[1](first.float()))


def test_a_float32_tensor_that_meets_it_no_longer_fails() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.second(self.first(x) * torch.ones(x.shape))
            return y

    model = Masked()
    with pytest.raises(RuntimeError, match="dtype"):
        copy.deepcopy(model).half()(torch.ones(1, 3).half())
    assert half_with(model, "second")(torch.ones(1, 3).half()).dtype == torch.float16


def test_a_kept_module_inside_a_fused_layer_is_called() -> None:
    original = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    stored = half_with(original, "linear1")
    with torch.no_grad():
        assert stored(torch.randn(2, 3, 8).half()).dtype == torch.float16


def test_kept_twice_is_kept() -> None:
    stored = half_with(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), "0", "0")
    assert stored(torch.ones(1, 2).half()).dtype == torch.float16


@pytest.mark.parametrize(
    ("fqn", "message"),
    [
        ("", "The whole model cannot be kept"),
        ("0.weigth", "The model has no module '0.weigth' to keep"),
        ("10", r"Did you mean 1"),
    ],
)
def test_what_cannot_be_kept_is_refused(fqn: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        half_with(nn.Sequential(*(nn.ReLU() for _ in range(2))), fqn)


def test_torchscript_is_refused() -> None:
    model = nn.Sequential(nn.Linear(2, 2), torch.jit.script(nn.Linear(2, 2)))
    with pytest.raises(InputError, match="TorchScript"):
        half_with(model, "1")


class Softmax(nn.Module):
    """A softmax by hand between two layers; exp(12) is beyond float16."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        e = (self.first(x) * 0 + x).exp()
        return self.last(e / e.sum(-1, keepdim=True))  # type: ignore[no-any-return]


X = torch.tensor([[12.0, 1.0, 2.0, 3.0], [0.5, 12.5, 11.0, -1.0]])


def test_one_operator_is_kept_and_its_result_cast_back_or_left_wide() -> None:
    torch.manual_seed(0)
    model = Softmax().eval()
    assert kept(model, ":exp")((X,)).isnan().any()
    y = kept(model, ":exp", fmt="bfloat16")((X,))
    low = copy.deepcopy(model).bfloat16()
    with torch.no_grad():
        x = X.bfloat16()
        e = (low.first(x) * 0 + x).float().exp().bfloat16()
        expected = low.last(e / e.sum(-1, keepdim=True))
    assert torch.equal(y, expected)
    y = kept(model, ":exp:wide", fmt="bfloat16")((X,))
    with torch.no_grad():
        e = (low.first(x) * 0 + x).float().exp()
        expected = low.last((e / e.sum(-1, keepdim=True)).bfloat16())  # where it goes into another module
    assert torch.equal(y, expected)
    assert not kept(model, ":exp:wide")((X,)).isnan().any()


def test_an_operator_uses_the_weights_of_the_reference() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(5, 4))

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.linear(x, self.weight).relu()

    torch.manual_seed(0)
    model = Own().eval()
    y = kept(model, ":linear", fmt="bfloat16")((X,))
    with torch.no_grad():
        expected = nn.functional.linear(X.bfloat16().float(), model.weight).bfloat16().relu()
    assert torch.equal(y, expected)


def test_operators_inside_other_modules_are_not_kept() -> None:
    with pytest.raises(InputError, match=r"calls no operator linear to keep. It calls: add, div, exp, mul, sum"):
        kept(Softmax().eval(), ":linear")((X,))
    with pytest.raises(InputError, match=r"Operators run in float32 here.*first:code"):
        kept(Softmax().eval(), "first:linear", fmt="bfloat16", method=CastMethod.WEIGHTS_ONLY)
    with pytest.raises(InputError, match="no module"):
        kept(Softmax().eval(), "third:linear")
