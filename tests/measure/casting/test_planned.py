"""Modules in formats of their own, in the midst of others in the reference's precision."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from precision.errors import InputError, UnsupportedError
from precision.formats import AnyFormat, ScaledFormat, any_format_named, format_named
from precision.measure.casting.frames import frame_of
from precision.measure.casting.methods import cast
from precision.measure.casting.methods import reference as cast_reference
from precision.measure.casting.precisions import Precisions
from precision.measure.rounding import round_to
from precision.spec import CastMethod
from tests.zoo.awkward_models import Rotary, TiedLanguageModel

CPU = torch.device("cpu")
NAMES = ("float16", "bfloat16", "float64", "tf32", "float8_e4m3fn", "float8_e5m2", "float4_e2m1fn", "e5m7")
SCALED = ("int8", "int8_per_channel", "mxfp4", "nvfp4")


def mixed(module: nn.Module, reference: str = "float32", **formats: str) -> Any:
    wide = format_named(reference)
    precisions = Precisions(module, cast_reference(module, wide, device=CPU), wide)
    return precisions.planned({name.replace("__", "."): any_format_named(fmt) for name, fmt in formats.items()})


def alone(layer: Any, name: str, *args: object, **kwargs: object) -> Any:
    """What the layer gives when it is cast by itself."""
    fmt: AnyFormat = any_format_named(name)
    method = CastMethod.DYNAMIC if isinstance(fmt, ScaledFormat) else CastMethod.TO
    return cast(layer, fmt, method=method, device=CPU)(args, kwargs)


class Chain(nn.Module):
    """Layers of several kinds, one of them called twice, one with an input by name."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.twice = nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 8)
        self.last = nn.Linear(8, 40)

    def forward(self, x: Tensor) -> list[Tensor]:
        first = self.first(x)
        norm = self.norm(first)
        once = self.twice(input=norm)
        again = self.twice(torch.relu(once))
        return [first, norm, once, again, self.last(again)]


X = torch.randn(5, 6, generator=torch.Generator().manual_seed(1)) * 3


@pytest.mark.parametrize("name", [*NAMES, *SCALED])
def test_a_lowered_layer_gives_what_it_gives_alone_in_its_format(name: str) -> None:
    chain = Chain().eval()
    first, norm, once, again, last = mixed(chain, norm=name, twice=name, last=name)((X,))
    with torch.no_grad():
        assert torch.equal(first, chain.first(X))
    assert torch.equal(norm, alone(chain.norm, name, first).float())
    assert torch.equal(once, alone(chain.twice, name, input=norm).float())
    assert torch.equal(again, alone(chain.twice, name, torch.relu(once)).float())
    assert torch.equal(last, alone(chain.last, name, again).float())
    assert {tensor.dtype for tensor in (first, norm, once, again, last)} == {torch.float32}


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float8_e5m2", "int8"])
def test_against_a_float64_reference(name: str) -> None:
    chain = Chain().eval()
    outputs: list[Tensor] = mixed(chain, "float64", twice=name)((X,))
    assert {tensor.dtype for tensor in outputs} == {torch.float64}
    wide = copy.deepcopy(chain).double()
    with torch.no_grad():
        assert torch.equal(outputs[1], wide.norm(wide.first(X.double())))
    assert torch.equal(outputs[2], alone(chain.twice, name, input=outputs[1]).double())


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (nn.Conv2d(3, 4, 3, groups=1), torch.randn(2, 3, 8, 8)),
        (nn.Conv1d(3, 4, 3), torch.randn(2, 3, 8)),
        (nn.ConvTranspose2d(3, 4, 3), torch.randn(2, 3, 8, 8)),
        (nn.BatchNorm1d(3), torch.randn(4, 3)),
        (nn.Embedding(7, 40), torch.arange(7)),
        (nn.GELU(), torch.randn(4, 3)),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("name", ["float16", "float8_e4m3fn", "float6_e3m2fn", "mxfp4", "int8_per_channel"])
def test_layers_of_every_kind(layer: nn.Module, x: Tensor, name: str) -> None:
    layer.eval()
    output = mixed(nn.Sequential(nn.Identity(), layer), **{"1": name})((x,))
    assert torch.equal(output, alone(layer, name, x).float())


@pytest.mark.parametrize("name", ["float16", "float8_e5m2", "e5m7", "int8"])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_recurrent_layers(kind: Any, name: str) -> None:
    torch.manual_seed(0)
    layer, x = kind(3, 4, num_layers=2, bidirectional=True), torch.randn(5, 2, 3)

    class Around(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent = layer

        def forward(self, x: Tensor) -> Any:
            return self.recurrent(x)

    output, state = mixed(Around(), recurrent=name)((x,))
    expected, expected_state = alone(layer, name, x)
    assert torch.equal(output, expected.float())
    states = (state, expected_state) if isinstance(state, Tensor) else (torch.stack(state), torch.stack(expected_state))
    assert torch.equal(states[0], states[1].float())


def test_weights_are_really_stored_in_the_format() -> None:
    chain = Chain()
    stored = mixed(chain, first="float16", norm="float8_e5m2", last="e5m7").stored
    assert stored.first.weight.dtype == torch.float16
    assert stored.norm.bias.dtype == torch.float8_e5m2
    assert stored.last.weight.dtype == torch.float32
    assert torch.equal(stored.last.weight, round_to(chain.last.weight, format_named("e5m7")))
    assert stored.twice.weight.dtype == torch.float32
    assert frame_of(stored.first).side.fmt.name == "float16"  # type: ignore[union-attr]
    assert frame_of(stored.twice) is None


def test_nothing_named_is_the_reference() -> None:
    chain = Chain()
    model, expected = mixed(chain), cast_reference(chain, format_named("float32"), device=CPU)
    assert model.execution == expected.execution
    outputs: Any = expected((X,))
    assert all(torch.equal(a, b) for a, b in zip(model((X,)), outputs, strict=True))


def test_the_callers_module_is_never_changed() -> None:
    chain = Chain()
    before = {name: tensor.clone() for name, tensor in chain.state_dict().items()}
    mixed(chain, first="float16", norm="float8_e4m3fn", last="int8")((X,))
    assert chain.training
    assert type(chain.first) is nn.Linear
    assert all(torch.equal(tensor, before[name]) for name, tensor in chain.state_dict().items())
    assert {tensor.dtype for tensor in chain.state_dict().values()} == {torch.float32}


def test_two_calls_give_the_same_and_names_stay() -> None:
    model = mixed(Chain(), first="float8_e5m2", last="float16")
    assert all(torch.equal(a, b) for a, b in zip(model((X,)), model((X,)), strict=True))
    assert [name for name, _ in model.stored.named_modules()] == [name for name, _ in Chain().named_modules()]
    assert type(model.stored.first).__name__ == "Linear"
    assert isinstance(model.stored.first, nn.Linear)
    assert model.stored.state_dict().keys() == Chain().state_dict().keys()


@pytest.mark.parametrize("name", ["float16", "float8_e5m2", "int8"])
def test_a_tie_within_a_format_is_kept(name: str) -> None:
    stored = mixed(TiedLanguageModel(), embedding=name, head=name).stored
    assert stored.embedding.weight is stored.head.weight


def test_a_tie_across_formats_is_split() -> None:
    model, ids = TiedLanguageModel(), torch.tensor([[1, 2, 3]])
    stored = mixed(model, head="float16")
    assert stored.stored.embedding.weight.dtype == torch.float32
    assert stored.stored.head.weight.dtype == torch.float16
    with torch.no_grad():
        x = model.embedding(ids)
    assert torch.equal(stored((ids,)), alone(model.head, "float16", x).float())
    both = mixed(model, embedding="bfloat16", head="float16").stored
    assert (both.embedding.weight.dtype, both.head.weight.dtype) == (torch.bfloat16, torch.float16)


def test_a_module_with_two_names_is_lowered_once() -> None:
    linear = nn.Linear(3, 3)
    model = nn.Sequential(linear, nn.Tanh(), linear)
    x = torch.randn(2, 3)
    one, two = mixed(model, **{"0": "float16"}), mixed(model, **{"0": "float16", "2": "fp16"})
    hidden = alone(linear, "float16", x).float().tanh()
    assert torch.equal(one((x,)), alone(linear, "float16", hidden).float())
    assert torch.equal(two((x,)), one((x,)))
    with pytest.raises(InputError, match="2 is the same module as one"):
        mixed(model, **{"0": "float16", "2": "bfloat16"})


def test_the_whole_model_may_be_one_layer() -> None:
    linear, x = nn.Linear(3, 3), torch.randn(2, 3)
    model = mixed(linear, **{"": "float16"})
    assert torch.equal(model((x,)), alone(linear, "float16", x).float())


def test_complex_buffers_keep_their_imaginary_part() -> None:
    stored = mixed(Rotary(), linear="float16").stored
    assert stored.freqs_cis.is_complex()


def test_a_layer_inside_a_fused_one_is_called() -> None:
    torch.manual_seed(0)
    original = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    x = torch.randn(2, 3, 8)
    exact, low = mixed(original)((x,)), mixed(original, linear1="float8_e5m2")((x,))
    assert not torch.allclose(exact, low, atol=1e-3)


@pytest.mark.parametrize(
    ("names", "label", "words"),
    [
        (("float16", "bfloat16"), "native", "2 layers in float16, bfloat16"),
        (("float16", "int8"), "simulated", "Layers in int8 are simulated"),
        (("float8_e5m2", "float8_e5m2"), "simulated", "2 layers in float8_e5m2"),
    ],
)
def test_the_label_is_native_only_where_all_formats_are(names: tuple[str, str], label: str, words: str) -> None:
    execution = mixed(Chain(), first=names[0], last=names[1]).execution
    assert execution.label == label
    assert words in execution.explanation


def test_overflow_in_one_layer_is_that_layers_own() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    with torch.no_grad():
        for layer, factor in zip(model.parameters(), (1e5, 1.0), strict=True):
            layer.fill_(factor)
    x = torch.ones(1, 1)
    assert mixed(model, **{"0": "float16"})((x,)).isinf().all()
    assert mixed(model, **{"0": "bfloat16"})((x,)).isfinite().all()


def test_what_cannot_be_lowered_is_refused() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2)), torch.jit.script(nn.Linear(2, 2)))
    with pytest.raises(InputError, match=r"no module '0\.1' to give its own format. Did you mean 0\.0"):
        mixed(model, **{"0.1": "float16"})
    with pytest.raises(InputError, match="1 is a TorchScript module"):
        mixed(model, **{"1": "float16"})
    with pytest.raises(UnsupportedError, match="float16 cannot be the reference"):
        mixed(Chain(), "float16", first="bfloat16")


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
def test_attention_in_a_format_that_only_stores(name: str) -> None:
    """Its own code uses the weights of `out_proj`, which is never called."""
    torch.manual_seed(0)
    model, x = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), torch.randn(2, 3, 8)
    reference = cast_reference(model, format_named("float32"), device=torch.device("cpu"))
    precisions = Precisions(model, reference, format_named("float32"), (x,))
    y, exact = (each((x,)) for each in (precisions.planned({"self_attn": format_named(name)}), reference))
    assert isinstance(y, Tensor)
    assert isinstance(exact, Tensor)
    assert 0 < float((y - exact).norm() / exact.norm()) < 0.2


@torch.no_grad()
def test_a_parametrization_alone_is_handed_its_stored_weight_widened() -> None:
    torch.manual_seed(0)
    layer: Any = nn.utils.parametrizations.spectral_norm(nn.Linear(6, 6)).eval()
    low = mixed(nn.Sequential(layer), **{"0__parametrizations__weight__0": "float8_e4m3fn"})((X,), {})
    power, original = layer.parametrizations.weight[0], layer.parametrizations.weight.original
    weight, u, v = (each.to(torch.float8_e4m3fn).float() for each in (original, power._u, power._v))
    normed = (weight / torch.dot(u, weight @ v)).to(torch.float8_e4m3fn).float()
    assert torch.equal(low, nn.functional.linear(X, normed, layer.bias))
