"""Casts that build a model anew or load its values, against what torch and transformers do by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from precision.errors import InputError, UnsupportedError
from precision.formats import format_named
from precision.measure.casting.audit import audit
from precision.measure.casting.bringing import bring
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.methods import cast
from precision.measure.models.articles import TinyNet
from precision.measure.models.loading import load
from precision.spec import RunSpec
from precision.spec.cast_methods import CastMethod
from tests.runs import compare
from tests.zoo.awkward_models import Kinds, TiedLanguageModel

CPU = torch.device("cpu")
FLOAT16 = format_named("float16")


def brought(module: nn.Module, method: CastMethod, name: str = "float16") -> CastModel:
    return cast(module, format_named(name), method=method, device=CPU)


def catalogue(model_id: str) -> nn.Module:
    return load(RunSpec(model=model_id)).module


def dtypes(module: nn.Module) -> set[torch.dtype]:
    return {parameter.dtype for parameter in module.parameters()}


def test_load_state_dict_keeps_float32_and_the_rounded_values() -> None:
    module = Kinds()
    stored = brought(module, CastMethod.LOAD_STATE_DICT).stored
    for name, tensor in stored.state_dict().items():
        old = module.state_dict()[name]
        assert tensor.dtype == old.dtype
        assert torch.equal(tensor, old.half().float() if old.is_floating_point() else old)
    assert torch.equal(stored.get_buffer("constant"), module.constant)  # no checkpoint has it


def test_load_state_dict_is_audited_as_rounded_and_saves_nothing() -> None:
    module = TinyNet()
    model = brought(module, CastMethod.LOAD_STATE_DICT)
    result = audit(module, model.stored, fmt=FLOAT16, method=CastMethod.LOAD_STATE_DICT)
    assert {row.rounded_to for row in result.tensors} == {"float16"}
    assert {row.dtype_after for row in result.tensors} == {"float32"}
    assert (result.bytes_after, result.estimated_bytes_after) == (120, None)
    assert result.warnings == ()
    assert model.execution.label == "simulated"


def test_assign_changes_the_dtype() -> None:
    module = Kinds()
    stored = brought(module, CastMethod.LOAD_STATE_DICT_ASSIGN).stored
    assert stored.get_parameter("weight").dtype == torch.float16
    assert stored.get_buffer("ids").dtype == torch.int64
    assert stored.get_buffer("constant").dtype == torch.float32
    assert dtypes(module) == {torch.float32}


def test_assign_keeps_memory_tied_and_parts_the_parameters() -> None:
    tied = TiedLanguageModel()
    stored = brought(tied, CastMethod.LOAD_STATE_DICT_ASSIGN).stored
    one, other = stored.get_parameter("embedding.weight"), stored.get_parameter("head.weight")
    assert one.data_ptr() == other.data_ptr()
    assert one is not other


@pytest.mark.parametrize(("name", "islands"), [("float16", torch.float32), ("bfloat16", torch.bfloat16)])
def test_from_pretrained_keeps_the_islands_of_t5_in_float16_only(name: str, islands: torch.dtype) -> None:
    module = catalogue("t5-tiny")
    stored = brought(module, CastMethod.FROM_PRETRAINED, name).stored
    low = getattr(torch, name)
    for fqn, parameter in stored.named_parameters():
        assert parameter.dtype == (islands if ".wo." in fqn else low), fqn
        assert torch.equal(parameter, module.get_parameter(fqn).to(parameter.dtype))
    assert stored.get_parameter("lm_head.weight") is stored.get_parameter("shared.weight")


@pytest.mark.parametrize("model_id", ["bert-tiny", "resnet-tiny", "whisper-tiny"])
def test_without_islands_from_pretrained_gives_what_half_does(model_id: str) -> None:
    module = catalogue(model_id)
    one, other = (brought(module, method).stored for method in (CastMethod.HALF, CastMethod.FROM_PRETRAINED))
    first, second = one.state_dict(), other.state_dict()
    assert first.keys() == second.keys()
    assert all(first[name].dtype == second[name].dtype for name in first)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_from_pretrained_leaves_the_random_state_and_the_standard_error_alone(
    capfd: pytest.CaptureFixture[str],
) -> None:
    module, state = catalogue("bert-tiny"), torch.get_rng_state()
    brought(module, CastMethod.FROM_PRETRAINED)
    assert torch.equal(torch.get_rng_state(), state)
    assert capfd.readouterr() == ("", "")


def test_from_pretrained_needs_a_model_of_transformers() -> None:
    with pytest.raises(UnsupportedError, match=r"TinyNet is not a transformers model.*Choose method 'to'"):
        brought(TinyNet(), CastMethod.FROM_PRETRAINED)


class MakesConstants(nn.Module):
    """A constant in the default dtype, one in a dtype of its own, and a third of the former's values in its dtype."""

    usual: Tensor
    fixed: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.register_buffer("usual", torch.arange(3) / 3, persistent=False)
        self.register_buffer("fixed", torch.arange(3, dtype=torch.float32) / 3, persistent=False)


def test_under_set_default_dtype_constants_are_computed_in_the_format() -> None:
    stored = brought(MakesConstants(), CastMethod.DEFAULT_DTYPE, "bfloat16").stored
    assert dtypes(stored) == {torch.bfloat16}
    assert stored.get_buffer("usual").dtype == torch.bfloat16
    assert stored.get_buffer("fixed").dtype == torch.float32


@pytest.mark.parametrize("model_id", ["tinynet", "digits", "rotary", "bert-tiny", "t5-tiny", "resnet-tiny"])
def test_set_default_dtype_gives_the_values_of_half(model_id: str) -> None:
    module = catalogue(model_id)
    one, other = (brought(module, method).stored for method in (CastMethod.HALF, CastMethod.DEFAULT_DTYPE))
    for name, tensor in one.state_dict().items():
        assert tensor.dtype == other.state_dict()[name].dtype
        assert torch.equal(tensor, other.state_dict()[name])


@pytest.mark.slow
@pytest.mark.parametrize("method", [CastMethod.FROM_PRETRAINED, CastMethod.DEFAULT_DTYPE])
def test_a_model_that_is_built_anew_is_still_in_its_input_regime(method: CastMethod) -> None:
    spec = RunSpec(model="bert-tiny", regime="x100", dtype="float16", method=method)
    usual = compare(spec.model_copy(update={"method": CastMethod.HALF}))
    built = compare(spec)
    assert usual.comparison is not None
    assert built.comparison is not None
    assert built.comparison.overall == usual.comparison.overall


def test_set_default_dtype_leaves_the_process_as_it_was_also_when_it_fails() -> None:
    module, state = TinyNet(), torch.get_rng_state()
    brought(module, CastMethod.DEFAULT_DTYPE)
    assert torch.get_default_dtype() == torch.float32
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(UnsupportedError, match=r"Linear cannot be built again: .*in_features"):
        brought(nn.Linear(2, 2), CastMethod.DEFAULT_DTYPE)
    assert torch.get_default_dtype() == torch.float32


def test_a_model_that_its_constructor_does_not_give_again_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="Sequential cannot be copied and cast to float16"):
        brought(nn.Sequential(nn.Linear(2, 2)), CastMethod.DEFAULT_DTYPE)


def test_type_casts_integer_and_boolean_buffers_too() -> None:
    stored = brought(Kinds(), CastMethod.TYPE).stored
    assert {buffer.dtype for buffer in stored.buffers()} == {torch.float16}
    module = catalogue("resnet-tiny")
    result = audit(module, brought(module, CastMethod.TYPE).stored, fmt=FLOAT16, method=CastMethod.TYPE)
    counters = [row for row in result.tensors if row.fqn.endswith("num_batches_tracked")]
    assert {row.reason for row in counters} == {"cast by .type(torch.float16), which also casts int64 tensors"}
    assert all(row.stored is None for row in counters)


@pytest.mark.parametrize(
    ("method", "in_place"),
    [
        (CastMethod.HALF, True),
        (CastMethod.TYPE, True),
        (CastMethod.LOAD_STATE_DICT, True),
        (CastMethod.LOAD_STATE_DICT_ASSIGN, True),
        (CastMethod.DEFAULT_DTYPE, False),
    ],
)
def test_what_comes_back_is_the_module_itself_or_a_new_one(method: CastMethod, in_place: bool) -> None:
    module = TinyNet()
    assert (bring(module, FLOAT16, method) is module) is in_place


@pytest.mark.parametrize(
    ("method", "dtype", "reason"),
    [
        ("type", "float8_e4m3fn", "gives a format that modules compute in, such as float16, not float8_e4m3fn"),
        ("load-state-dict", "float32", "gives a format narrower than float32 that torch has a dtype for, not float32"),
        ("int8-dynamic", "float16", "gives int8_per_channel or int8, not float16"),
    ],
)
def test_a_method_for_other_formats_says_for_which(method: str, dtype: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        RunSpec.parse({"method": method, "dtype": dtype})
