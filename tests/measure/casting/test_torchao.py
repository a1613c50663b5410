"""torchao's kernels: what is stored, how many bytes, and how near they come to the simulated formats."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from precision.errors import UnsupportedError
from precision.formats import any_format_named
from precision.measure.casting.audit import audit
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.methods import cast
from precision.measure.casting.wrapped_tensors import inner_tensors, plain_values, stored_dtype
from precision.results import CastAudit, TensorAudit
from precision.spec import RunSpec
from precision.spec.cast_methods import TORCHAO_FORMATS, CastMethod
from tests.runs import compare
from tests.zoo.awkward_models import TiedLanguageModel

CPU = torch.device("cpu")
HERE = [
    (CastMethod.INT8_WEIGHT_ONLY, "int8_per_channel"),
    (CastMethod.INT8_WEIGHT_ONLY, "int8"),
    (CastMethod.INT8_DYNAMIC, "int8_per_channel"),
    (CastMethod.INT8_DYNAMIC, "int8"),
    (CastMethod.FLOAT8_WEIGHT_ONLY, "float8_e4m3fn"),
    (CastMethod.INT4_WEIGHT_ONLY, "int4_per_channel"),
]
everywhere = pytest.mark.parametrize(("method", "name"), HERE, ids=str)


def layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 32), nn.LayerNorm(32), nn.Linear(32, 5)).eval()


def brought(module: nn.Module, method: CastMethod, name: str) -> CastModel:
    return cast(module, any_format_named(name), method=method, device=CPU)


def audited(module: nn.Module, method: CastMethod, name: str) -> CastAudit:
    return audit(module, brought(module, method, name).stored, fmt=any_format_named(name), method=method)


def row(result: CastAudit, fqn: str) -> TensorAudit:
    return next(tensor for tensor in result.tensors if tensor.fqn == fqn)


def error(model: CastModel, module: nn.Module) -> float:
    """Relative error of the output, in the L2 norm."""
    x = torch.randn(256, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        got, expected = model((x,)), module(x)
    assert isinstance(got, Tensor)
    return float((got.float() - expected).norm() / expected.norm())


@everywhere
def test_the_module_stays_as_it_was_and_the_cast_runs(method: CastMethod, name: str) -> None:
    module = layers()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    model = brought(module, method, name)
    assert 0 < error(model, module) < 0.15
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert all(type(parameter) is nn.Parameter for parameter in module.parameters())


@pytest.mark.parametrize("granularity", ["int8", "int8_per_channel"])
@pytest.mark.parametrize(
    ("method", "simulated"),
    [
        (CastMethod.INT8_WEIGHT_ONLY, CastMethod.WEIGHTS_ONLY),
        (CastMethod.INT8_DYNAMIC, CastMethod.DYNAMIC),
    ],
)
def test_int8_on_real_kernels_errs_as_the_simulated_format_does(
    method: CastMethod, simulated: CastMethod, granularity: str
) -> None:
    module = layers()
    real, like = (
        error(brought(module, method, granularity), module),
        error(brought(module, simulated, granularity), module),
    )
    assert real / like == pytest.approx(1, abs=0.35)


def test_weights_only_and_dynamic_differ_by_the_rounding_of_the_inputs() -> None:
    module = layers()
    weights, both = (
        error(brought(module, method, "int8_per_channel"), module)
        for method in (CastMethod.INT8_WEIGHT_ONLY, CastMethod.INT8_DYNAMIC)
    )
    assert both > 1.1 * weights


def test_float8_weights_are_those_of_a_rounding_with_a_scale_for_each_row() -> None:
    module = layers()
    weight = module.get_parameter("0.weight").detach()
    scale = weight.abs().amax(1, keepdim=True) / 448
    expected = (weight / scale).to(torch.float8_e4m3fn).float() * scale
    stored = brought(module, CastMethod.FLOAT8_WEIGHT_ONLY, "float8_e4m3fn").stored.get_parameter("0.weight")
    assert torch.allclose(plain_values(stored), expected, rtol=1e-6, atol=0)


def test_int8_weights_are_within_half_a_step() -> None:
    module = layers()
    weight = module.get_parameter("0.weight").detach()
    stored = brought(module, CastMethod.INT8_WEIGHT_ONLY, "int8_per_channel").stored.get_parameter("0.weight")
    # torchao spreads 255 codes over the largest magnitude on both sides: a step is 1/127.5 of it
    step = weight.abs().amax(1, keepdim=True) / 127.5
    assert ((plain_values(stored) - weight).abs() <= 1.001 * step / 2 + step * (weight >= 127 * step)).all()


def test_int4_weights_come_back_by_the_product_with_the_identity() -> None:
    module = layers()
    weight = module.get_parameter("0.weight").detach()
    stored = brought(module, CastMethod.INT4_WEIGHT_ONLY, "int4_per_channel").stored.get_parameter("0.weight")
    groups = weight.reshape(32, 2, 32)
    step = (groups.amax(-1) - groups.amin(-1)) / 15
    errors = (plain_values(stored) - weight).abs().reshape(32, 2, 32)
    assert (errors <= 0.51 * step[..., None]).all()


@everywhere
def test_bytes_are_those_of_the_inner_tensors(method: CastMethod, name: str) -> None:
    module = layers()
    stored = brought(module, method, name).stored
    result = audited(module, method, name)
    expected = sum(inner.nbytes for tensor in stored.parameters() for _, inner in inner_tensors(tensor))
    assert result.bytes_after == expected == sum(tensor.counted_bytes_after for tensor in result.tensors)
    assert result.bytes_after < result.bytes_before
    assert result.estimated_bytes_after is None
    assert CastAudit.model_validate_json(result.model_dump_json()) == result


def test_the_audit_shows_what_a_weight_consists_of() -> None:
    weight = row(audited(layers(), CastMethod.INT8_WEIGHT_ONLY, "int8_per_channel"), "0.weight")
    assert (weight.dtype_after, weight.rounded_to, weight.changed) == ("int8", "int8_per_channel", True)
    assert weight.bytes_after == 64 * 32 + 32 * 4 + 32
    assert weight.reason == "quantized by torchao: qdata int8 (32, 64), scale float32 (32, 1), zero_point int8 (32, 1)"
    assert weight.stored is not None
    assert weight.stored.saturated is None
    norm = row(audited(layers(), CastMethod.INT8_WEIGHT_ONLY, "int8_per_channel"), "1.weight")
    assert norm.reason == "torchao's quantize_ takes the weights of linear layers only"


def test_a_tied_head_is_quantized_apart_from_its_embedding() -> None:
    result = audited(TiedLanguageModel(), CastMethod.FLOAT8_WEIGHT_ONLY, "float8_e4m3fn")
    assert row(result, "head.weight").tie_kept is False
    assert row(result, "embedding.weight").dtype_after == "float32"


def test_a_row_of_zeros_has_no_scale_in_float8() -> None:
    linear = nn.Linear(8, 4, bias=False)
    with torch.no_grad():
        linear.weight[1] = 0
    result = audited(nn.Sequential(linear), CastMethod.FLOAT8_WEIGHT_ONLY, "float8_e4m3fn")
    assert result.warnings == (
        "0.weight: 8 of 32 values became NaN in float8_e4m3fn: torchao gives a row of zeros the scale 0 and "
        "divides by it.",
    )


@pytest.mark.parametrize(
    "wrapped", [nn.utils.weight_norm, nn.utils.spectral_norm, nn.utils.parametrizations.weight_norm]
)
def test_a_weight_that_is_made_anew_in_every_call(wrapped: Callable[[nn.Module], nn.Module]) -> None:
    module = nn.Sequential(nn.Linear(32, 32), wrapped(nn.Linear(32, 32)))
    with pytest.raises(UnsupportedError, match=r"but 1 \(Linear\) computes its weight in every call"):
        brought(module, CastMethod.INT8_WEIGHT_ONLY, "int8_per_channel")


def test_int4_leaves_layers_that_its_kernel_does_not_take() -> None:
    result = audited(layers(), CastMethod.INT4_WEIGHT_ONLY, "int4_per_channel")
    assert row(result, "0.weight").dtype_after == "uint8"
    assert row(result, "2.weight").dtype_after == "float32"
    nothing = audited(nn.Linear(4, 4), CastMethod.INT4_WEIGHT_ONLY, "int4_per_channel")
    assert "0 of 2 tensors changed: there is nothing to compare" in nothing.warnings[0]


def test_a_whole_comparison_says_whether_kernels_compute_in_the_format() -> None:
    weights = compare(RunSpec(model="digits", dtype="int8_per_channel", method=CastMethod.INT8_WEIGHT_ONLY, batch=8))
    both = compare(RunSpec(model="digits", dtype="int8_per_channel", method=CastMethod.INT8_DYNAMIC, batch=8))
    assert (weights.execution.label, both.execution.label) == ("upcast", "native")
    for result in (weights, both):
        assert result.comparison is not None
        assert result.comparison.overall.sqnr_db is not None
        assert result.comparison.overall.sqnr_db > 30
        assert result.real_kernels is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="there it may run")
def test_what_torchao_cannot_do_here_is_refused_with_its_reason() -> None:
    with pytest.raises(
        UnsupportedError, match=r"no float8-dynamic on cpu: .*CUDA.*Choose method 'to' or 'weights-only'"
    ):
        brought(layers(), CastMethod.FLOAT8_DYNAMIC, "float8_e4m3fn")


def test_every_method_of_torchao_has_a_format_that_exists() -> None:
    for names in TORCHAO_FORMATS.values():
        assert tuple(any_format_named(name).name for name in names) == names


def test_a_plain_tensor_is_its_own_inner_one() -> None:
    plain = torch.ones(2)
    assert list(inner_tensors(plain)) == [("", plain)]
    assert plain_values(plain) is plain
    assert stored_dtype(plain) == torch.float32
