from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import precision as px
from precision import analyses
from precision.errors import InputError
from precision.measure.models.loading import load
from precision.measure.models.other_weights import give_weights
from precision.results import CompareResult
from precision.spec import Analysis, RunSpec
from tests.measure.models.pretrained import test_heads as heads
from tests.runs import Recorder


def net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def saved(folder: Path, state: dict[str, torch.Tensor], name: str = "weights") -> str:
    path = folder / f"{name}.safetensors"
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, path)
    return str(path)


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model."])
def test_every_tensor_is_found_by_its_name(tmp_path: Path, prefix: str) -> None:
    other, module = net(1), net(2)
    source = saved(tmp_path, {prefix + name: tensor for name, tensor in other.state_dict().items()})
    assert give_weights(module, source) == ()
    assert all(
        torch.equal(own, theirs)
        for own, theirs in zip(module.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_a_prefix_that_the_file_lacks(tmp_path: Path) -> None:
    other, module = net(1), nn.ModuleDict({"model": net(2)})
    assert give_weights(module, saved(tmp_path, other.state_dict())) == ()
    assert torch.equal(module.get_parameter("model.0.weight"), other.get_parameter("0.weight"))


def test_a_folder_of_shards_in_another_dtype(tmp_path: Path) -> None:
    other, module = net(1), net(2)
    state = {
        name: tensor.bfloat16() if tensor.is_floating_point() else tensor for name, tensor in other.state_dict().items()
    }
    for place, part in enumerate(("0.", "1.", "2.")):
        saved(tmp_path, {name: tensor for name, tensor in state.items() if name.startswith(part)}, f"part-{place}")
    assert give_weights(module, str(tmp_path)) == ()
    assert module.get_parameter("0.weight").dtype == torch.float32
    assert torch.equal(module.get_parameter("0.weight"), other.get_parameter("0.weight").bfloat16().float())


def test_what_has_no_counterpart_is_said_and_stays(tmp_path: Path) -> None:
    state, module = net(1).state_dict(), net(2)
    before = module.get_parameter("2.weight").clone()
    del state["2.weight"]
    said = give_weights(module, saved(tmp_path, {**state, "3.weight": torch.zeros(1)}))
    assert said == (
        "1 of 9 tensors are not in the weights given, and keep the model's: 2.weight.",
        "1 tensors of the weights given have no place in the model: 3.weight.",
    )
    assert torch.equal(module.get_parameter("2.weight"), before)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"0.weight": torch.zeros(3, 4)}, r"0\.weight \[3, 4\] instead of \[4, 4\].*another architecture"),
        ({"0.weight": torch.zeros(4, 4, dtype=torch.int8)}, r"0\.weight hold whole numbers"),
    ],
)
def test_a_tensor_that_does_not_fit(tmp_path: Path, change: dict[str, torch.Tensor], reason: str) -> None:
    module = net(2)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(InputError, match=reason):
        give_weights(module, saved(tmp_path, {**net(1).state_dict(), **change}))
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_no_name_matches(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of its 1 tensors has a name of the model's. It has other"):
        give_weights(net(), saved(tmp_path, {"other": torch.zeros(1)}))


def test_a_pickle(tmp_path: Path) -> None:
    torch.save(net().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(InputError, match=r"safetensors, which hold no code. In Python: safetensors\.torch\.save_file"):
        give_weights(net(), str(tmp_path / "weights.pt"))


def test_own_weights_of_a_model_of_the_catalogue(tmp_path: Path) -> None:
    digits = load(RunSpec(model="digits")).module
    state = {name: tensor * 0.5 for name, tensor in digits.state_dict().items()}
    module = load(RunSpec(model="digits", own_weights=saved(tmp_path, state))).module
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())


def compared(**settings: object) -> CompareResult:
    result = analyses.run(RunSpec.parse({"analysis": Analysis.ERRORS, **settings}), Recorder())
    assert isinstance(result, CompareResult)
    return result


def test_two_checkpoints_differ_by_what_torch_says(tmp_path: Path) -> None:
    originals: list[Any] = []
    for name, seed in (("first", 0), ("second", 1)):
        torch.manual_seed(seed)
        originals.append(heads.bert("BertForSequenceClassification")(tmp_path / name))
    first, second = (f"hf:{tmp_path / name}" for name in ("first", "second"))
    result = compared(model=first, candidate_weights=second)
    assert result.spec.dtype == "float32"
    assert result.spec.candidate == "float32 with other weights"
    assert result.comparison
    given = load(RunSpec(model=first))
    with torch.no_grad():
        logits = [model(**given.kwargs).logits.double() for model in originals]
    expected = (logits[1] - logits[0]).abs()
    assert result.comparison.outputs[0].metrics.mean_abs_error == pytest.approx(float(expected.mean()))
    assert result.comparison.outputs[0].metrics.max_abs_error == pytest.approx(float(expected.max()))
    assert any("other weights than the reference" in warning for warning in result.warnings)
    same = compared(model=first, candidate_weights=first)
    assert same.comparison
    assert same.comparison.overall.exact_share == 1


def test_other_weights_are_cast_too(tmp_path: Path) -> None:
    digits = load(RunSpec(model="digits")).module
    source = saved(tmp_path, dict(digits.state_dict()))
    plain = compared(model="digits", dtype="bfloat16")
    other = compared(model="digits", dtype="bfloat16", candidate_weights=source)
    assert plain.comparison
    assert other.comparison
    assert plain.comparison.overall == other.comparison.overall
    assert plain.audit == other.audit


@pytest.mark.parametrize("settings", [{"keep": ("head",)}, {"plan": (("head", "float16"),)}])
def test_other_weights_beside_what_keeps_the_references(settings: dict[str, object]) -> None:
    with pytest.raises(InputError, match="the whole candidate has them"):
        RunSpec.parse({"candidate_weights": "weights.safetensors", **settings})


def test_a_file_with_the_names_that_transformers_stores(tmp_path: Path) -> None:
    for name in ("first", "second"):
        heads.vit(tmp_path / name)  # it stores its layers under other names than its modules have
    module = load(RunSpec(model=f"hf:{tmp_path / 'first'}")).module
    other = load(RunSpec(model=f"hf:{tmp_path / 'second'}")).module.state_dict()
    assert give_weights(module, str(tmp_path / "second" / "model.safetensors")) == ()
    assert all(torch.equal(tensor, other[name]) for name, tensor in module.state_dict().items())


def test_a_checkpoint_without_a_head_leaves_the_models(tmp_path: Path) -> None:
    heads.bert("BertForSequenceClassification")(tmp_path / "first")
    heads.bert("BertForMaskedLM")(tmp_path / "second")
    path = tmp_path / "second" / "model.safetensors"
    state = {name: tensor for name, tensor in load_file(path).items() if name.startswith("bert.")}
    module = load(RunSpec(model=f"hf:{tmp_path / 'first'}")).module
    head = module.get_parameter("classifier.weight").clone()
    said = give_weights(module, saved(tmp_path, state))
    assert said[0].startswith("4 of ")
    assert "classifier.weight" in said[0]
    assert torch.equal(module.get_parameter("classifier.weight"), head)
    name = "bert.encoder.layer.0.output.dense.weight"
    assert torch.equal(module.get_parameter(name), state[name])


def test_less_than_half_of_a_model_is_refused(tmp_path: Path) -> None:
    state = net(1).state_dict()
    with pytest.raises(InputError, match=r"only 1 of the model's 9 tensors are there, 2\.bias, less than half"):
        give_weights(net(2), saved(tmp_path, {"2.bias": state["2.bias"]}))


def test_the_library_compares_a_callers_module_with_other_weights(tmp_path: Path) -> None:
    module, x = net(0).eval(), torch.randn(3, 4)
    result = px.compare(
        module, x, dtype="float32", candidate_weights=saved(tmp_path, net(1).state_dict()), progress=False
    ).result
    assert result.comparison
    expected = (net(1).eval()(x) - module(x)).abs().max()
    assert result.comparison.overall.max_abs_error == pytest.approx(float(expected))
