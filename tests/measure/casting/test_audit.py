"""The cast audit: every tensor before and after, bytes once, and the warnings."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from precision.errors import InputError
from precision.formats import NumericFormat, format_named
from precision.measure.casting.audit import audit
from precision.measure.casting.methods import cast
from precision.results import CastAudit, TensorAudit
from precision.spec import CastMethod
from tests.measure.casting.every_cast import EVERY_CAST
from tests.zoo.awkward_models import Counting, Kinds, Rotary, TiedBuffers, TiedLanguageModel

CPU = torch.device("cpu")
MODELS = [
    nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)),
    nn.LSTM(3, 4, num_layers=2, bidirectional=True),
    nn.MultiheadAttention(4, 2),
    nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)),
    nn.Sequential(*[nn.Linear(3, 3)] * 3),
    nn.Linear(0, 3),
    TiedLanguageModel(),
    TiedBuffers(),
    Kinds(),
    Rotary(),
    Counting(),
    nn.ReLU(),
]


def audited(module: nn.Module, name: str, method: CastMethod = CastMethod.TO) -> CastAudit:
    fmt = format_named(name)
    return audit(module, cast(module, fmt, method=method, device=CPU).stored, fmt=fmt, method=method)


def row(result: CastAudit, fqn: str) -> TensorAudit:
    return next(tensor for tensor in result.tensors if tensor.fqn == fqn)


@pytest.mark.parametrize(("method", "fmt"), EVERY_CAST, ids=lambda value: str(getattr(value, "name", value)))
@pytest.mark.parametrize("module", MODELS, ids=lambda module: type(module).__name__)
def test_bytes_equal_an_independent_sum(module: nn.Module, method: CastMethod, fmt: NumericFormat) -> None:
    stored = cast(module, fmt, method=method, device=CPU).stored
    result = audit(module, stored, fmt=fmt, method=method)
    assert result.bytes_before == storages(module)
    assert result.bytes_after == storages(stored)
    assert sum(node.bytes_before for node in result.modules) == result.bytes_before
    assert sum(node.bytes_after for node in result.modules) == result.bytes_after
    assert sum(held.counted_bytes_before for held in result.tensors) == result.bytes_before
    assert sum(held.counted_bytes_after for held in result.tensors) == result.bytes_after
    assert CastAudit.model_validate_json(result.model_dump_json()) == result


def storages(module: nn.Module) -> int:
    """Bytes of all distinct storages that torch's own listings and the test's knowledge of attributes find."""
    held = [*module.state_dict().values(), *module.buffers()]
    if isinstance(module, Kinds):
        held += [module.plain, module.keyed["scale"], *[t for t in module.listed if isinstance(t, torch.Tensor)]]
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in held}.values())


def test_half_on_a_tensor_of_every_kind() -> None:
    result = audited(Kinds(), "float16", CastMethod.HALF)
    listing = {
        tensor.fqn: (tensor.kind, tensor.dtype_after, tensor.changed, tensor.reason) for tensor in result.tensors
    }
    unseen = "a plain attribute, which .half() does not see"
    assert listing == {
        "weight": ("parameter", "float16", True, "cast by .half()"),
        "stored": ("buffer", "float16", True, "cast by .half()"),
        "constant": ("non-persistent buffer", "float16", True, "cast by .half()"),
        "ids": ("buffer", "int64", False, "int64: only floating-point tensors are cast"),
        "mask": ("buffer", "bool", False, "bool: only floating-point tensors are cast"),
        "plain": ("attribute", "float32", False, unseen),
        "listed[0]": ("attribute", "float32", False, unseen),
        "keyed['scale']": ("attribute", "float32", False, unseen),
    }
    assert row(result, "weight").stored is not None
    assert row(result, "ids").stored is None
    assert "plain is a plain attribute and stays float32" in result.warnings[0]


def test_weights_only_says_what_it_leaves() -> None:
    result = audited(Kinds(), "float16", CastMethod.WEIGHTS_ONLY)
    assert row(result, "weight").reason == "cast by weights-only storage"
    assert row(result, "constant").reason == "not part of a checkpoint, so weights-only leaves it as it is"
    assert result.warnings == ()


def test_autocast_changes_nothing_and_that_is_no_fault() -> None:
    result = audited(Kinds(), "bfloat16", CastMethod.AUTOCAST)
    assert row(result, "weight").reason == "autocast leaves stored tensors in float32 and casts inside operators"
    assert result.warnings == ()
    result = audited(nn.Linear(1, 1).bfloat16(), "bfloat16", CastMethod.AUTOCAST)
    assert row(result, "weight").reason == "cast to float32, from which autocast casts inside operators"


def test_already_in_the_format() -> None:
    result = audited(nn.Linear(2, 2).half(), "float16")
    assert row(result, "weight").reason == "already float16"
    assert result.warnings == (
        "0 of 2 tensors changed: there is nothing to compare unless the reference computes in another format "
        "or with other weights.",
    )


def test_a_model_that_keeps_a_tensor_for_itself() -> None:
    class Keeping(nn.Linear):
        def half(self) -> Keeping:
            assert self.bias is not None
            self.weight.data = self.weight.data.half()
            return self

    assert row(audited(Keeping(2, 2), "float16", CastMethod.HALF), "bias").reason == (
        "kept in float32 by the model's own code"
    )


@pytest.mark.parametrize("module", [nn.ReLU(), nn.Sequential()])
def test_no_tensors(module: nn.Module) -> None:
    result = audited(module, "float16")
    assert (result.bytes_before, result.bytes_after, result.tensors) == (0, 0, ())
    assert result.warnings == ("The model stores no tensors: only its inputs can be cast.",)


def test_complex_buffers_are_damaged_by_to_and_left_by_half() -> None:
    module = Rotary()
    to, halved = audited(module, "float16"), audited(module, "float16", CastMethod.HALF)
    damaged = row(to, "freqs_cis")
    assert (damaged.dtype_before, damaged.dtype_after) == ("complex64", "float16")
    assert damaged.reason.endswith(
        ".to(torch.float16), which also casts complex tensors and drops their imaginary part"
    )
    assert damaged.stored is not None
    assert damaged.stored.max_relative_error == pytest.approx(abs(math.sin(2.0)), abs=1e-3)
    assert "freqs_cis: .to(torch.float16) dropped the imaginary part of this complex64 tensor" in to.warnings[0]
    assert row(halved, "freqs_cis").reason == "complex: .half() leaves it as it is"
    assert halved.warnings == ()
    same = [(row(result, "linear.weight").stored, row(result, "linear.bias").stored) for result in (to, halved)]
    assert same[0] == same[1]


def test_a_tied_parameter_stays_tied() -> None:
    result = audited(TiedLanguageModel(), "float16")
    head = row(result, "head.weight")
    assert (head.tied_to, head.tie_kept) == ("embedding.weight", True)
    assert (head.bytes_before, result.bytes_before, result.bytes_after) == (112, 112, 56)
    assert result.warnings == ()


def test_a_tied_buffer_is_split_in_two() -> None:
    result = audited(TiedBuffers(), "float16")
    assert (row(result, "two").tied_to, row(result, "two").tie_kept) == ("one", False)
    assert (result.bytes_before, result.bytes_after) == (20, 20)
    assert result.warnings == ("two shared its memory with one before the cast; after it, each has its own copy.",)
    kept = audited(TiedBuffers(), "float16", CastMethod.WEIGHTS_ONLY)
    assert (row(kept, "two").tie_kept, kept.bytes_after, kept.warnings) == (True, 10, ())


def test_a_module_used_twice_is_one_node_whose_tensors_have_both_names() -> None:
    shared = nn.Linear(2, 2)
    result = audited(nn.Sequential(shared, nn.ReLU(), shared), "float16")
    assert [(node.fqn, node.type, node.bytes_before) for node in result.modules] == [
        ("", "Sequential", 0),
        ("0", "Linear", 24),
        ("1", "ReLU", 0),
    ]
    assert row(result, "2.weight").tied_to == "0.weight"


def test_an_lstm_lists_each_weight_once() -> None:
    module = nn.LSTM(2, 3)
    assert [tensor.fqn for tensor in audited(module, "float16").tensors] == list(module.state_dict())


class Buffers(nn.Module):
    """A model with the given values in buffers."""

    def __init__(self, **values: list[float]) -> None:
        super().__init__()
        for name, numbers in values.items():
            self.register_buffer(name, torch.tensor(numbers))


def test_overflow_comes_first() -> None:
    result = audited(Buffers(tiny=[1e-9, 1.0], large=[1e6, -1.2e5, 1.0, 70000.0]), "float16")
    assert result.warnings == (
        "large: 3 of 4 values became infinite in float16 (largest 1,000,000, format's maximum 65,504).",
        "1 of 6 stored values became zero in float16, in one tensor; most in tiny: 1 of 2 values "
        "(its smallest nonzero value is 5.960e-8).",
    )


def test_saturation_is_a_warning() -> None:
    before, after = Buffers(large=[1e6, 1.0]), Buffers(large=[448.0, 1.0])
    after.to(torch.float8_e4m3fn)
    result = audit(before, after, fmt=format_named("float8_e4m3fn"), method=CastMethod.TO)
    assert result.warnings == (
        "large: 1 of 2 values were beyond the range of float8_e4m3fn and are stored as ±448 (largest 1,000,000).",
    )


def test_values_that_became_nan_in_a_format_without_infinities() -> None:
    before, after = Buffers(large=[1e6, 1.0]), Buffers(large=[math.nan, 1.0])
    after.to(torch.float8_e4m3fn)
    result = audit(before, after, fmt=format_named("float8_e4m3fn"), method=CastMethod.TO)
    assert "large: 1 of 2 values became NaN in float8_e4m3fn" in result.warnings[0]


def test_values_that_were_broken_before() -> None:
    result = audited(Buffers(mask=[-math.inf, math.nan, 0.0]), "float16")
    assert result.warnings == ("mask: 2 of 3 values were already infinite or NaN before the cast.",)


def test_many_warnings_of_a_kind_are_summed_up() -> None:
    result = audited(Buffers(**{f"b{index:02}": [1e6] for index in range(20)}), "float16")
    assert len(result.warnings) == 9
    assert result.warnings[-1] == "The same happened to 12 more tensors; the table lists them."


def test_a_tied_overflow_is_warned_of_once() -> None:
    module = TiedLanguageModel()
    nn.init.constant_(module.head.weight, 1e6)
    result = audited(module, "float16")
    assert [warning.split(":")[0] for warning in result.warnings] == ["embedding.weight"]
    assert row(result, "head.weight").stored == row(result, "embedding.weight").stored


def test_a_name_in_a_warning_is_plain_text() -> None:
    module = nn.Sequential()
    module.add_module("a\u202eb\n", Buffers(x=[1e6]))
    assert audited(module, "float16").warnings[0].startswith("ab .x: 1 of 1")


def test_another_model_is_no_cast_copy() -> None:
    with pytest.raises(InputError, match="bias is missing after the cast: audit a model and a cast copy"):
        audit(nn.Linear(1, 1), nn.Linear(1, 1, bias=False), fmt=format_named("float16"), method=CastMethod.TO)


def test_neither_model_is_changed() -> None:
    module = Kinds()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    audited(module, "float16")
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
