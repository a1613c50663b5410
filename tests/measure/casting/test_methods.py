"""Casting: what is stored, how it computes, and what is refused."""

from __future__ import annotations

import copy

import ml_dtypes
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from precision.errors import UnsupportedError
from precision.formats import NumericFormat, format_named
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.methods import cast, reference
from precision.spec import CastMethod
from tests.measure.casting.every_cast import EVERY_CAST
from tests.zoo.awkward_models import Kinds, Rotary, TiedBuffers, TiedLanguageModel

CPU = torch.device("cpu")


def brought(module: nn.Module, name: str, method: CastMethod = CastMethod.TO) -> CastModel:
    return cast(module, format_named(name), method=method, device=CPU)


def output_of(model: CastModel, *args: object) -> Tensor:
    output = model(args)
    assert isinstance(output, Tensor)
    return output


@pytest.mark.parametrize(("method", "fmt"), EVERY_CAST, ids=lambda value: str(getattr(value, "name", value)))
def test_the_callers_module_is_never_changed(method: CastMethod, fmt: NumericFormat) -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout())
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    model = cast(module, fmt, method=method, device=CPU)
    model((torch.randn(4, 3),))
    assert module.training
    assert not model.stored.training
    for name, tensor in module.state_dict().items():
        assert tensor.dtype == before[name].dtype
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize(("method", "fmt"), EVERY_CAST, ids=lambda value: str(getattr(value, "name", value)))
def test_the_dtype_that_the_models_own_code_sees(method: CastMethod, fmt: NumericFormat) -> None:
    seen: list[torch.dtype] = []

    class Spy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2))

        def forward(self, x: Tensor) -> Tensor:
            seen.extend((x.dtype, self.weight.dtype))
            return x * self.weight

    cast(Spy(), fmt, method=method, device=CPU)((torch.ones(2),))
    computing = getattr(torch, fmt.name) if fmt.computes else torch.float32
    if method in {CastMethod.AUTOCAST, CastMethod.LOAD_STATE_DICT}:
        computing = torch.float32
    if method is CastMethod.WEIGHTS_ONLY:
        computing = torch.float64 if fmt.name == "float64" else torch.float32
    assert seen == [computing, computing]


@pytest.mark.parametrize(
    ("method", "name", "label"),
    [
        (CastMethod.TO, "float16", "native"),
        (CastMethod.HALF, "float16", "native"),
        (CastMethod.BFLOAT16, "bfloat16", "native"),
        (CastMethod.AUTOCAST, "bfloat16", "native"),
        (CastMethod.WEIGHTS_ONLY, "float16", "upcast"),
        (CastMethod.WEIGHTS_ONLY, "float8_e4m3fn", "upcast"),
        (CastMethod.WEIGHTS_ONLY, "float32", "native"),
        (CastMethod.WEIGHTS_ONLY, "float64", "native"),
        (CastMethod.TO, "float8_e4m3fn", "simulated"),
        (CastMethod.TO, "float8_e5m2", "simulated"),
    ],
)
def test_the_label_says_how_it_computed(method: CastMethod, name: str, label: str) -> None:
    execution = brought(nn.Linear(2, 2), name, method).execution
    assert execution.label == label
    assert name in execution.explanation


def test_float8_says_what_happens_beyond_its_range() -> None:
    stored = torch.tensor(1e6).to(torch.float8_e4m3fn).float().item()
    explanation = brought(nn.Linear(2, 2), "float8_e4m3fn").execution.explanation
    assert "beyond ±448 become ±448" in explanation
    assert ("Stored values beyond ±448 are stored as ±448" in explanation) == (stored == 448)
    assert (
        "Stored values beyond ±57,344 become infinite" in brought(nn.Linear(2, 2), "float8_e5m2").execution.explanation
    )


def test_half_and_to_differ_on_complex_buffers_only() -> None:
    halved, to = brought(Rotary(), "float16", CastMethod.HALF), brought(Rotary(), "float16")
    assert halved.stored.get_buffer("freqs_cis").dtype == torch.complex64
    assert halved.warnings == ()
    assert to.stored.get_buffer("freqs_cis").dtype == torch.float16
    assert halved.stored.get_parameter("linear.weight").dtype == torch.float16


def test_the_warning_about_complex_values_comes_every_time() -> None:
    for _ in range(2):
        assert brought(Rotary(), "float16").warnings[0] == "Casting complex values to real discards the imaginary part"


def test_the_reference_keeps_complex_values() -> None:
    torch.manual_seed(0)
    module, x = Rotary().eval(), torch.randn(3, 4)
    model = reference(module, format_named("float32"), device=CPU)
    with torch.no_grad():
        assert torch.equal(output_of(model, x), module(x))
    wide = reference(module, format_named("float64"), device=CPU)
    assert wide.stored.get_parameter("linear.weight").dtype == torch.float64
    assert wide.stored.get_buffer("freqs_cis").is_complex()


def test_a_narrow_format_is_no_reference() -> None:
    with pytest.raises(UnsupportedError, match=r"float16 cannot be the reference. Choose one of: float32, float64"):
        reference(nn.Linear(1, 1), format_named("float16"), device=CPU)


def test_integer_and_bool_tensors_stay() -> None:
    for method in (CastMethod.TO, CastMethod.HALF, CastMethod.WEIGHTS_ONLY):
        stored = brought(Kinds(), "float16", method).stored
        assert stored.get_buffer("ids").dtype == torch.int64
        assert stored.get_buffer("mask").dtype == torch.bool


def test_weights_only_stores_what_a_checkpoint_holds() -> None:
    stored = brought(Kinds(), "float16", CastMethod.WEIGHTS_ONLY).stored
    low = {name for name, buffer in stored.named_buffers() if buffer.dtype == torch.float16}
    assert low == {"stored"}
    assert stored.get_parameter("weight").dtype == torch.float16
    assert stored.get_buffer("constant").dtype == torch.float32


def test_weights_only_leaves_complex_buffers() -> None:
    model = brought(Rotary(), "float16", CastMethod.WEIGHTS_ONLY)
    assert model.stored.get_buffer("freqs_cis").dtype == torch.complex64
    assert output_of(model, torch.randn(2, 4)).shape == (2, 4)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float8_e4m3fn"])
@pytest.mark.parametrize(
    "module",
    [
        TiedLanguageModel(),
        nn.Embedding(7, 3),
    ],
    ids=lambda module: type(module).__name__,
)
def test_weights_only_computes_with_the_stored_values(module: nn.Module, name: str) -> None:
    rounded = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in rounded.parameters():
            parameter.copy_(torch.from_numpy(parameter.numpy().astype(_numpy(name)).astype(np.float32)))
    ids = torch.arange(7)
    with torch.no_grad():
        expected = rounded(ids)
    assert torch.equal(output_of(brought(module, name, CastMethod.WEIGHTS_ONLY), ids), expected)


@pytest.mark.parametrize(
    ("module", "inputs"),
    [
        (nn.LSTM(3, 4, num_layers=2), (torch.randn(5, 2, 3),)),
        (nn.GRU(3, 4, bidirectional=True), (torch.randn(5, 2, 3),)),
        (nn.MultiheadAttention(4, 2), (torch.randn(5, 2, 4),) * 3),
        (nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), (torch.randn(2, 3),)),
        (nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), (torch.randn(2, 5, 4),)),
        (nn.Sequential(*[nn.Linear(3, 3)] * 3), (torch.randn(2, 3),)),
        (nn.Sequential(nn.Conv1d(2, 3, 2), nn.BatchNorm1d(3)), (torch.randn(2, 2, 4),)),
        (TiedBuffers(), (torch.randn(2, 5),)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_widened_weights_reach_modules_that_hold_them_in_odd_ways(
    module: nn.Module, inputs: tuple[Tensor, ...]
) -> None:
    module.eval()
    model = brought(module, "bfloat16", CastMethod.WEIGHTS_ONLY)
    rounded = copy.deepcopy(module)
    rounded.load_state_dict({name: tensor.float() for name, tensor in model.stored.state_dict().items()})
    with torch.no_grad():
        expected = rounded(*inputs)
    output = model(inputs)
    torch.testing.assert_close(output, expected, rtol=0, atol=0)
    assert {tensor.dtype for tensor in model.stored.state_dict().values()} <= {torch.bfloat16, torch.int64}


def test_old_weight_norm_can_be_copied() -> None:
    with pytest.warns(FutureWarning):
        module = nn.utils.weight_norm(nn.Linear(3, 4))
    assert output_of(brought(module, "float16"), torch.randn(2, 3)).dtype == torch.float16


def test_weights_only_keeps_tied_buffers_tied() -> None:
    stored = brought(TiedBuffers(), "float16", CastMethod.WEIGHTS_ONLY).stored
    assert stored.get_buffer("one") is stored.get_buffer("two")


def test_names_with_odd_characters() -> None:
    module = nn.Sequential()
    module.add_module("weight norm * ![x](http://y)", nn.Linear(2, 2))
    module.add_module("名前", nn.Linear(2, 2))
    for method in (CastMethod.TO, CastMethod.WEIGHTS_ONLY):
        assert output_of(brought(module, "float16", method), torch.ones(1, 2)).shape == (1, 2)


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
def test_simulated_arithmetic_rounds_weights_inputs_and_every_modules_output(name: str) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
    x = torch.randn(4, 5)
    dtype = _numpy(name)

    def rounded(tensor: Tensor) -> Tensor:
        return torch.from_numpy(tensor.detach().numpy().astype(dtype).astype(np.float32))

    expected = rounded(x)
    for layer in module:
        if isinstance(layer, nn.Linear):
            expected = nn.functional.linear(expected, rounded(layer.weight), rounded(layer.bias))
        else:
            expected = layer(expected)
        expected = rounded(expected)
    model = brought(module, name)
    assert torch.equal(output_of(model, x), expected)
    assert {tensor.dtype for tensor in model.stored.state_dict().values()} == {getattr(torch, name)}
    assert {tensor.element_size() for tensor in model.stored.state_dict().values()} == {1}


def test_simulated_arithmetic_saturates() -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 400.0)
    assert output_of(brought(module, "float8_e4m3fn"), torch.tensor([[100.0]])).item() == 448
    assert output_of(brought(module, "float8_e5m2"), torch.tensor([[-1000.0]])).item() == -57344


def test_simulated_arithmetic_reaches_attention_and_residuals() -> None:
    """Attention's own output projection fires no hook, and a residual sum belongs to no leaf."""
    torch.manual_seed(0)
    module = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
    output = output_of(brought(module, "float8_e4m3fn"), torch.randn(2, 3, 8))
    assert torch.equal(output, output.to(torch.float8_e4m3fn).float())


def test_autocast_computes_low_and_stores_float32() -> None:
    model = brought(nn.Linear(3, 3), "bfloat16", CastMethod.AUTOCAST)
    assert output_of(model, torch.randn(2, 3)).dtype == torch.bfloat16
    assert {parameter.dtype for parameter in model.stored.parameters()} == {torch.float32}


def test_autocast_starts_from_float32() -> None:
    model = brought(nn.Linear(3, 3).bfloat16(), "float16", CastMethod.AUTOCAST)
    assert {parameter.dtype for parameter in model.stored.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (CastMethod.AUTOCAST, "float8_e4m3fn"),
        (CastMethod.AUTOCAST, "float32"),
        (CastMethod.HALF, "bfloat16"),
        (CastMethod.BFLOAT16, "float16"),
    ],
)
def test_a_method_that_cannot_give_the_format_is_refused(method: CastMethod, name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"{method.value!r} cannot cast to {name}. Choose method 'to'"):
        brought(nn.Linear(1, 1), name, method)


def test_a_model_that_refuses_the_cast_is_explained() -> None:
    class Refusing(nn.Module):
        def half(self) -> Refusing:
            raise ValueError("this model is quantized")

    with pytest.raises(UnsupportedError, match="Refusing cannot be copied and cast to float16 on cpu: this model is"):
        brought(Refusing(), "float16", CastMethod.HALF)


def test_a_model_that_cannot_be_copied_is_explained() -> None:
    class Uncopyable(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.events = (number for number in range(3))

    with pytest.raises(UnsupportedError, match="Uncopyable cannot be copied"):
        brought(Uncopyable(), "float16")


def test_a_model_without_parameters() -> None:
    assert output_of(brought(nn.ReLU(), "float16"), torch.tensor([-1.0, 2.0])).tolist() == [0, 2]


def test_a_scripted_model_takes_the_native_methods() -> None:
    scripted = torch.jit.script(nn.Linear(2, 2))
    assert output_of(brought(scripted, "float16"), torch.ones(1, 2)).dtype == torch.float16
    for method, name in ((CastMethod.WEIGHTS_ONLY, "float16"), (CastMethod.TO, "float8_e5m2")):
        with pytest.raises(UnsupportedError, match="The model is a TorchScript module"):
            brought(scripted, name, method)


def _numpy(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name)) if hasattr(ml_dtypes, name) else np.dtype(name)
