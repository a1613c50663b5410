"""Weights in formats of their own, against the same weights rounded by hand and the model run by itself."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

import precision as px
from precision.errors import InputError, UnsupportedError
from precision.formats import format_named
from precision.measure.casting import methods as casting
from precision.measure.casting.own_formats import in_own_formats, own_formats
from precision.spec.weights import StoredIn
from tests.zoo.awkward_models import TiedLanguageModel
from tests.zoo.cases import ZOO

CPU = torch.device("cpu")
FLOAT32 = format_named("float32")


def ways(**formats: str) -> dict[str, StoredIn]:
    return {name.replace("__", "."): StoredIn.parse(text) for name, text in formats.items()}


def rounded_by_hand(module: nn.Module, dtypes: Mapping[str, torch.dtype]) -> nn.Module:
    """A copy with these parameters cast to a dtype of torch, and back to float32."""
    twin = copy.deepcopy(module).eval()
    for name, parameter in twin.named_parameters():
        if name in dtypes:
            parameter.data = parameter.data.to(dtypes[name]).float()
    return twin


def sqnr_db(reference: Tensor, candidate: Tensor) -> float:
    signal, noise = reference.double(), (reference.double() - candidate.double())
    return float(10 * torch.log10(signal.square().sum() / noise.square().sum()))


def convolutional() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 16, 32),
        nn.GELU(),
        nn.Linear(32, 4),
    )


IMAGES = torch.randn(16, 3, 6, 6, generator=torch.Generator().manual_seed(4))


def test_the_error_is_that_of_weights_cast_by_hand_in_one_run() -> None:
    module = convolutional().eval()
    names = {
        "0.weight": "float16", "0.bias": "float8_e5m2", "1.weight": "bfloat16", "4.weight": "float8_e4m3fn",
        "6.weight": "float8_e5m2", "6.bias": "float8_e4m3fn",
    }  # fmt: skip
    by_hand = rounded_by_hand(module, {name: getattr(torch, fmt) for name, fmt in names.items()})
    run = px.compare(module, IMAGES, weights=names, progress=False)
    with torch.no_grad():
        expected = sqnr_db(module(IMAGES), by_hand(IMAGES))
    assert run.metrics["sqnr_db"] == pytest.approx(expected, rel=1e-12)
    assert run.result.execution.label == "upcast"
    stored = {row.fqn: row.dtype_after for row in run.result.audit.tensors} if run.result.audit else {}
    assert stored == {row: names.get(row, "int64" if "num_batches" in row else "float32") for row in stored}


def test_what_ranges_found_is_run() -> None:
    module = convolutional().eval()
    ranges = px.ranges(module, IMAGES, progress=False)
    run = ranges.run()
    found = dict(run.result.spec.weights)
    assert set(found) == {name for name, _ in module.named_parameters()}
    by_hand = copy.deepcopy(module)
    for name, parameter in by_hand.named_parameters():
        fmt = format_named(found[name])
        if fmt.has_dtype:
            parameter.data = parameter.data.to(getattr(torch, fmt.name)).float()
        else:  # only what is exact in the smallest format of all
            assert set(parameter.data.flatten().tolist()) <= {0.0, 1.0}
    with torch.no_grad():
        expected = sqnr_db(module(IMAGES), by_hand(IMAGES))
    assert run.metrics["sqnr_db"] == pytest.approx(expected, rel=1e-12)


def test_a_scale_is_one_power_of_two_for_the_whole_weight() -> None:
    torch.manual_seed(0)
    module = nn.Linear(6, 3)
    module.weight.data *= 1e-6
    run = px.compare(module, IMAGES[0, 0], weights={"weight": "e4m3*2^20"}, progress=False)
    low = (module.weight.data * 2**20).to(torch.float8_e4m3fn).float() / 2**20
    with torch.no_grad():
        expected = sqnr_db(module(IMAGES[0, 0]), nn.functional.linear(IMAGES[0, 0], low, module.bias))
    assert run.metrics["sqnr_db"] == pytest.approx(expected, rel=1e-12)
    assert run.result.execution.label == "simulated"
    assert run.result.audit is not None
    audited = run.result.audit.tensors[0]
    assert audited.reason.startswith("multiplied by 2^20, rounded to float8_e4m3fn")
    assert audited.stored is not None
    assert (
        audited.stored.became_subnormal is audited.stored.saturated is None
    )  # of the format's own range, it says nothing
    assert audited.stored.became_zero == 0
    scaled = px.ranges(module, IMAGES[0, 0], progress=False).run(scaled=True)
    assert "weight" in dict(scaled.result.spec.weights)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in ZOO if name != "scripted part"])
def test_every_awkward_model_runs_as_if_it_held_the_rounded_weights(name: str) -> None:
    torch.manual_seed(11)
    module = ZOO[name].build()
    names = [name for name, each in module.named_parameters() if each.is_floating_point()]
    weights = dict.fromkeys(names, StoredIn.parse("bfloat16"))
    before = {name: each.detach().clone() for name, each in module.state_dict().items()}
    found = in_own_formats(casting.reference(module, FLOAT32, device=CPU), weights)
    by_hand = rounded_by_hand(module, dict.fromkeys(names, torch.bfloat16))
    expected = casting.reference(by_hand, FLOAT32, device=CPU)
    rtol = 1e-6 if name == "recurrent" else 0.0  # another kernel of oneDNN, as weights are not side by side in memory
    outputs = [pytree.tree_leaves(each(ZOO[name].inputs, ZOO[name].kwargs)) for each in (found, expected)]
    for one, other in zip(*outputs, strict=True):
        if isinstance(one, Tensor):
            torch.testing.assert_close(one.to_dense(), other.to_dense(), rtol=rtol, atol=0, equal_nan=True)
    after = module.state_dict()
    assert all(torch.equal(after[name], each) or each.isnan().any() for name, each in before.items())


def test_a_tied_weight_has_one_format_and_stays_tied() -> None:
    module = TiedLanguageModel()
    names = [name for name, _ in module.named_parameters(remove_duplicate=False)]
    tied = [name for name in names if name not in dict(module.named_parameters())]
    first = next(name for name, each in module.named_parameters() if each is module.get_parameter(tied[0]))
    half = StoredIn.parse("float16")
    assert own_formats(module, {tied[0]: half}) == {first: half, tied[0]: half}
    low = in_own_formats(casting.reference(module, FLOAT32, device=CPU), {tied[0]: half}).stored
    assert low.get_parameter(first) is low.get_parameter(tied[0])
    assert low.get_parameter(first).dtype == torch.float16
    with pytest.raises(InputError, match=f"{re.escape(first)} and {re.escape(tied[0])} are one parameter.*Give it one"):
        own_formats(module, {first: half, tied[0]: StoredIn.parse("int8")})


class Holds(nn.Module):
    """An integer and a complex parameter, and a weight with a NaN."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.Parameter(torch.arange(4), requires_grad=False)
        self.phase = nn.Parameter(torch.randn(4, dtype=torch.complex64))
        self.weight = nn.Parameter(torch.tensor([1.0, torch.nan, 0.3, -0.7]))
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight + self.phase.abs() * self.steps


def test_what_has_no_format_of_its_own_is_left_out_of_a_run_of_ranges() -> None:
    run = px.ranges(Holds(), torch.ones(2, 4), progress=False).run()
    assert [name for name, _ in run.result.spec.weights] == ["weight"]
    assert run.result.comparison is not None
    assert run.result.comparison.overall.ref_nonfinite == run.result.comparison.overall.cand_nonfinite == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wait", "no parameter 'wait' to store in another format. Did you mean weight?"),
        ("zzzzzz", "Its first ones: steps, phase, weight"),
        ("mean", "mean is a buffer: only parameters have formats of their own. Leave it out"),
        ("steps", "steps is int64: only floating-point parameters"),
        ("phase", "phase is complex64: only floating-point parameters"),
    ],
)
def test_a_name_that_is_no_weight_is_refused(name: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        px.compare(Holds(), torch.ones(2, 4), weights={name: "float16"}, progress=False)


def test_models_without_weights_or_in_torchscript_are_refused() -> None:
    x = torch.ones(2, 4)
    with pytest.raises(InputError, match="the model has no parameters: there is nothing to run"):
        px.ranges(nn.ReLU(), x, progress=False).run()
    with pytest.raises(InputError, match=r"no parameter .weight. to store .* It has none"):
        px.compare(nn.ReLU(), x, weights={"weight": "float16"}, progress=False)
    with pytest.raises(InputError, match="The weights name no parameter"):
        px.compare(nn.ReLU(), x, weights={}, progress=False)
    scripted = nn.Sequential(nn.Linear(4, 4), torch.jit.script(nn.Linear(4, 4)))
    with pytest.raises(UnsupportedError, match="1 is a TorchScript module"):
        px.compare(scripted, x, weights={"0.weight": "float16"}, progress=False)


def test_other_analyses_take_weights_too() -> None:
    module, weights = convolutional().eval(), {"0.weight": "float16", "4.weight": "nvfp4"}
    whole = px.compare(module, IMAGES, weights=weights, progress=False).metrics["sqnr_db"]
    rows = px.layers(module, IMAGES, weights=weights, progress=False).rows
    last = next(row.errors for row in rows if row.fqn == "6")
    assert last is not None
    assert last.sqnr_db == pytest.approx(whole, rel=1e-5)
    assert [row.fqn for row in rows if row.corners and row.corners.local.normalized_l2] == ["0", "4"]
    audited = px.audit(module, IMAGES, weights=weights, progress=False).result.audit
    assert {row.fqn for row in audited.tensors if row.changed} == set(weights)
