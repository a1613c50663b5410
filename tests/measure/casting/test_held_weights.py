"""Formats that torch cannot store: weights rounded and held, inputs rounded, and an audit that says so."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from precision.errors import InputError, UnsupportedError
from precision.formats import ALL_FORMATS, AnyFormat, ScaledFormat, any_format_named
from precision.measure.casting.audit import audit
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.held_weights import channel_axis, estimated_bytes
from precision.measure.casting.methods import cast
from precision.measure.rounding import round_to
from precision.results import CastAudit, TensorAudit
from precision.spec import RunSpec
from precision.spec.cast_methods import TORCHAO_FORMATS, CastMethod, formats_of
from tests.zoo.awkward_models import Kinds, Rotary, TiedBuffers, TiedLanguageModel

CPU = torch.device("cpu")
WITHOUT_DTYPE = [
    any_format_named(name) for name in ("tf32", "fp4", "e5m7", "mxfp8", "mxfp4", "nvfp4", "int8", "int4_per_channel")
]  # fmt: skip
EVERY_CAST = [
    (method, fmt)
    for method in CastMethod
    for fmt in WITHOUT_DTYPE
    if formats_of(method, (fmt.name,)) and method not in TORCHAO_FORMATS
]
every_cast = pytest.mark.parametrize(
    ("method", "fmt"), EVERY_CAST, ids=lambda value: str(getattr(value, "name", value))
)  # fmt: skip


def brought(module: nn.Module, name: str, method: CastMethod) -> CastModel:
    return cast(module, any_format_named(name), method=method, device=CPU)


def audited(module: nn.Module, name: str, method: CastMethod) -> CastAudit:
    return audit(module, brought(module, name, method).stored, fmt=any_format_named(name), method=method)


def row(result: CastAudit, fqn: str) -> TensorAudit:
    return next(tensor for tensor in result.tensors if tensor.fqn == fqn)


def test_scaled_formats_are_stored_or_dynamic_and_others_are_not_dynamic() -> None:
    methods = {fmt.name: {method for method in CastMethod if formats_of(method, (fmt.name,))} for fmt in ALL_FORMATS}
    assert methods["mxfp4_e2m1"] == {CastMethod.WEIGHTS_ONLY, CastMethod.DYNAMIC}
    assert methods["int8"] - set(TORCHAO_FORMATS) == {CastMethod.WEIGHTS_ONLY, CastMethod.DYNAMIC}
    assert methods["tf32"] == methods["float4_e2m1fn"] == {CastMethod.TO, CastMethod.WEIGHTS_ONLY}


def test_what_a_method_gives_is_said() -> None:
    with pytest.raises(UnsupportedError, match=r"'to' cannot cast to int8\. Choose method 'weights-only', 'dynamic'"):
        brought(nn.Linear(1, 1), "int8", CastMethod.TO)
    with pytest.raises(InputError, match="'dynamic' gives a scaled format, such as int8 or mxfp4, not float16"):
        RunSpec(dtype="float16", method=CastMethod.DYNAMIC)
    with pytest.raises(InputError, match="'to' gives a format without scales, not int8"):
        RunSpec(dtype="int8", method=CastMethod.TO)


@every_cast
def test_weights_are_rounded_held_in_float32_and_used(method: CastMethod, fmt: AnyFormat) -> None:
    torch.manual_seed(0)
    module, x = nn.Linear(40, 3), torch.randn(5, 40)
    model = cast(module, fmt, method=method, device=CPU)
    weight, bias = module.weight.detach(), module.bias.detach()
    scaled = isinstance(fmt, ScaledFormat)
    low_weight, low_bias = round_to(weight, fmt), bias if scaled else round_to(bias, fmt)
    assert torch.equal(model.stored.get_parameter("weight"), low_weight)
    assert torch.equal(model.stored.get_parameter("bias"), low_bias)
    low_x = x if method is CastMethod.WEIGHTS_ONLY else round_to(x, fmt)
    expected = nn.functional.linear(low_x, low_weight, low_bias)
    output = model((x,))
    assert isinstance(output, Tensor)
    assert torch.equal(output, round_to(expected, fmt) if method is CastMethod.TO else expected)
    assert model.execution.label == "simulated"
    assert f"{fmt.name} is simulated: torch has no dtype for it" in model.execution.explanation


@every_cast
@pytest.mark.parametrize(
    "module",
    [TiedLanguageModel(), TiedBuffers(), Kinds(), Rotary(), nn.LSTM(3, 4), nn.MultiheadAttention(4, 2), nn.ReLU()],
    ids=lambda module: type(module).__name__,
)
def test_the_audit_adds_up(module: nn.Module, method: CastMethod, fmt: AnyFormat) -> None:
    result = audit(module, cast(module, fmt, method=method, device=CPU).stored, fmt=fmt, method=method)
    assert sum(held.counted_bytes_after for held in result.tensors) == result.bytes_after <= result.bytes_before
    rounded = [held for held in result.tensors if held.rounded_to]
    assert {held.rounded_to for held in rounded} <= {fmt.name}
    assert all(held.changed and held.dtype_after == "float32" and held.stored for held in rounded)
    assert result.estimated_bytes_after is not None
    saved = sum(
        held.counted_bytes_after - (held.estimated_bytes_after or 0) for held in rounded if held.counted_bytes_after
    )
    assert result.estimated_bytes_after == result.bytes_after - saved
    assert CastAudit.model_validate_json(result.model_dump_json()) == result


def test_the_audit_says_what_is_held() -> None:
    module = nn.Linear(64, 8)
    result = audited(module, "mxfp4", CastMethod.WEIGHTS_ONLY)
    weight, bias = row(result, "weight"), row(result, "bias")
    assert weight.reason == (
        "rounded to mxfp4_e2m1 and held in float32; stored in the format it would take 272 B (estimated)"
    )
    assert (weight.changed, weight.dtype_after, weight.bytes_after) == (True, "float32", 2048)
    assert (weight.rounded_to, weight.estimated_bytes_after) == ("mxfp4_e2m1", 64 * 8 // 2 + 16)
    assert (bias.changed, bias.reason) == (False, "only weight matrices are cast to mxfp4_e2m1")
    assert (result.bytes_after, result.estimated_bytes_after) == (2080, 272 + 32)


def test_a_stored_format_has_no_estimate() -> None:
    result = audited(nn.Linear(3, 3), "float8_e4m3fn", CastMethod.TO)
    assert result.estimated_bytes_after is None
    assert row(result, "weight").rounded_to is None


def test_a_tie_is_kept_rounded_once_and_estimated_once() -> None:
    module = TiedLanguageModel()
    for name, method in (("nvfp4", CastMethod.WEIGHTS_ONLY), ("tf32", CastMethod.TO)):
        model = brought(module, name, method)
        assert model.stored.get_parameter("head.weight") is model.stored.get_parameter("embedding.weight")
        expected = round_to(module.head.weight.detach(), any_format_named(name))
        assert torch.equal(model.stored.get_parameter("head.weight"), expected)
    result = audited(module, "tf32", CastMethod.TO)
    assert result.estimated_bytes_after == result.bytes_after == result.bytes_before


def test_tied_buffers_stay_tied() -> None:
    stored = brought(TiedBuffers(), "tf32", CastMethod.TO).stored
    assert stored.get_buffer("one") is stored.get_buffer("two")


def test_buffers_by_to_and_by_weights_only() -> None:
    rounded = {
        method: {held.fqn for held in audited(Kinds(), "float4_e2m1fn", method).tensors if held.rounded_to}
        for method in (CastMethod.TO, CastMethod.WEIGHTS_ONLY)
    }
    assert rounded == {CastMethod.TO: {"weight", "stored", "constant"}, CastMethod.WEIGHTS_ONLY: {"weight", "stored"}}


def test_complex_and_integer_tensors_stay() -> None:
    stored = brought(Rotary(), "tf32", CastMethod.TO).stored
    assert torch.equal(stored.get_buffer("freqs_cis"), Rotary().get_buffer("freqs_cis"))
    assert brought(Kinds(), "tf32", CastMethod.TO).stored.get_buffer("ids").dtype == torch.int64


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_of_other_dtypes_are_rounded_once(dtype: torch.dtype) -> None:
    module = nn.Linear(5, 5).to(dtype)
    for name in ("e5m7", "mxfp8", "int8"):
        fmt = any_format_named(name)
        stored = brought(module, name, CastMethod.WEIGHTS_ONLY).stored
        wide = module.weight.detach().to(torch.promote_types(dtype, torch.float32))
        assert stored.get_parameter("weight").dtype == torch.float32
        assert torch.equal(stored.get_parameter("weight"), round_to(wide, fmt).float())


def test_a_format_wider_than_float32_is_held_in_float64() -> None:
    model = brought(nn.Linear(2, 2), "e9m30", CastMethod.TO)
    output = model((torch.ones(1, 2),))
    assert isinstance(output, Tensor)
    assert output.dtype == model.stored.get_parameter("weight").dtype == torch.float64


def test_weights_beyond_the_range_saturate_and_are_counted() -> None:
    module = nn.Linear(2, 1, bias=False)
    module.weight = nn.Parameter(torch.tensor([[100.0, 0.1]]))
    result = audited(module, "float4_e2m1fn", CastMethod.TO)
    assert result.warnings == (
        "weight: 1 of 2 values were beyond the range of float4_e2m1fn and are stored as ±6 (largest 100).",
        "1 of 2 stored values became zero in float4_e2m1fn, in one tensor; most in weight: 1 of 2 values "
        "(its smallest nonzero value is 0.5).",
    )


def test_what_scaled_formats_lose_is_counted() -> None:
    module = nn.Linear(2, 1, bias=False)
    module.weight = nn.Parameter(torch.tensor([[1e6, 1.0]]))
    result = audited(module, "int8", CastMethod.WEIGHTS_ONLY)
    stored = row(result, "weight").stored
    assert stored is not None
    assert (stored.became_zero, stored.saturated, stored.became_subnormal, stored.became_nonfinite) == (
        1,
        None,
        None,
        0,
    )
    assert "1 of 2 stored values became zero in int8" in result.warnings[0]
    module.weight = nn.Parameter(torch.tensor([[float("inf"), 1.0]]))
    assert (
        "weight: 1 of 2 values became infinite or NaN in int8." in audited(module, "int8", CastMethod.DYNAMIC).warnings
    )


def test_a_model_without_matrices_is_vacuous_in_a_scaled_format() -> None:
    assert "0 of 2 tensors changed" in audited(nn.LayerNorm(4), "int8", CastMethod.DYNAMIC).warnings[-1]


@pytest.mark.parametrize(
    ("module", "rows"),
    [
        (nn.Linear(6, 4), lambda weight: weight),
        (nn.Embedding(6, 4), lambda weight: weight),
        (nn.Conv2d(6, 4, 3), lambda weight: weight.flatten(1)),
        (nn.ConvTranspose1d(6, 4, 3), lambda weight: weight.transpose(0, 1).flatten(1)),
        (
            Conv1D(4, 6),  # type: ignore[no-untyped-call]
            lambda weight: weight.t(),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_of_one_output_channel_share_scales(module: nn.Module, rows: object) -> None:
    assert callable(rows)
    for name in ("int8_per_channel", "mxfp4"):
        fmt = any_format_named(name)
        assert isinstance(fmt, ScaledFormat)
        stored = brought(module, name, CastMethod.WEIGHTS_ONLY).stored.get_parameter("weight")
        weight = module.get_parameter("weight").detach()
        assert torch.equal(rows(stored), round_to(rows(weight), fmt))
        assert estimated_bytes(weight, fmt, module) == fmt.stored_bytes(rows(weight).shape)


def test_inputs_of_convolutions_share_scales_along_channels() -> None:
    conv = nn.Conv2d(40, 2, 1)
    assert [channel_axis(torch.empty(shape), conv) for shape in [(5, 40, 3, 3), (40, 3, 3)]] == [1, 0]
    x = torch.randn(2, 40, 3, 3)
    fmt = any_format_named("mxfp8")
    model = brought(conv, "mxfp8", CastMethod.DYNAMIC)
    weight = round_to(conv.weight.detach().flatten(1), fmt).reshape(conv.weight.shape)
    expected = nn.functional.conv2d(
        round_to(x, fmt, axis=1), weight, conv.bias.detach() if conv.bias is not None else None
    )
    output = model((x,))
    assert isinstance(output, Tensor)
    assert torch.equal(output, expected)


def test_only_inputs_of_modules_with_matrices_are_rounded() -> None:
    torch.manual_seed(0)
    norm, linear = nn.LayerNorm(8), nn.Linear(8, 8)
    module = nn.Sequential(norm, linear, nn.Tanh())
    x = torch.randn(3, 8)
    fmt = any_format_named("int4")
    with torch.no_grad():
        expected = nn.functional.linear(
            round_to(norm(x), fmt), round_to(linear.weight, fmt), linear.bias
        ).tanh()  # fmt: skip
    output = brought(module, "int4", CastMethod.DYNAMIC)((x,))
    assert isinstance(output, Tensor)
    assert torch.equal(output, expected)


class ByName(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.linear(input=x)
        return output


def test_inputs_given_by_name_are_rounded_too() -> None:
    torch.manual_seed(0)
    module, x = ByName(), torch.randn(2, 4)
    positional = brought(module.linear, "int4", CastMethod.DYNAMIC)((x,))
    named = brought(module, "int4", CastMethod.DYNAMIC)((x,))
    assert isinstance(positional, Tensor)
    assert isinstance(named, Tensor)
    assert torch.equal(named, positional)


def test_token_ids_are_not_rounded() -> None:
    ids = torch.arange(7)
    output = brought(TiedLanguageModel(), "int4_per_channel", CastMethod.DYNAMIC)((ids,))
    assert isinstance(output, Tensor)
    assert output.isfinite().all()


class Narrowing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.half() + 1


def test_outputs_that_a_model_narrows_itself_are_rounded_in_their_own_dtype() -> None:
    output = brought(Narrowing(), "tf32", CastMethod.TO)((torch.tensor([0.1]),))
    assert isinstance(output, Tensor)
    assert output.dtype == torch.float16


@every_cast
def test_the_callers_module_is_never_changed(method: CastMethod, fmt: AnyFormat) -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    before = copy.deepcopy(module.state_dict())
    cast(module, fmt, method=method, device=CPU)((torch.randn(4, 3),))
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
