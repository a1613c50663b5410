"""Plans for other programs; their code is run where this package is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from precision.errors import UnsupportedError
from precision.formats import any_format_named, format_named
from precision.measure.casting.methods import reference as cast_reference
from precision.measure.casting.precisions import Precisions
from precision.measure.models import digits
from precision.measure.models.digits import WEIGHTS, DigitsNet
from precision.plan.export import keep_in_float32, plan_code, plan_json, runtime_needs, torchao_configs
from precision.plan.totals import plan_of
from precision.results.plan import Plan
from tests.plan.reports import contribution, layer, report
from tests.zoo.awkward_models import TiedLanguageModel


def plan(formats: dict[str, str], *, reference: str = "float32", is_linear: bool = True) -> Plan:
    names = tuple(dict.fromkeys(name for name in formats.values() if name != reference))
    layers = [layer(fqn, tuple(contribution(1e-6, 200) for _ in names), is_norm=not is_linear) for fqn in formats]
    return plan_of(report(*layers, formats=names), tuple(formats.values()), reference=reference, optimal=True)


def in_turn(model: nn.Module, *names: str) -> dict[str, str]:
    leaves = [fqn for fqn, module in model.named_modules() if not any(True for _ in module.children())]
    return {fqn: names[at % len(names)] for at, fqn in enumerate(leaves)}


def verified(
    model: nn.Module, formats: dict[str, str], *args: object, reference: str = "float32", **kwargs: object
) -> Any:
    by_name = {fqn: any_format_named(name) for fqn, name in formats.items()}
    wide = format_named(reference)
    precisions = Precisions(model, cast_reference(model, wide, device=torch.device("cpu")), wide, args, kwargs)
    return precisions.planned(by_name)(args, kwargs)


def exported(tmp_path: Path, chosen: Plan, script: str) -> Tensor:
    """What `script` saves as `output`, run in a fresh process beside the exported code alone."""
    (tmp_path / "mixed_precision.py").write_text(plan_code(chosen), encoding="utf-8")
    guard = "import sys\nassert not any(name.split('.')[0] == 'precision' for name in sys.modules)\n"
    head = "import torch\nfrom torch import nn\nfrom mixed_precision import lower_layers\n"
    (tmp_path / "script.py").write_text(f"{head}{script}\ntorch.save(output, 'output.pt')\n{guard}", encoding="utf-8")
    ran = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    output: Tensor = torch.load(tmp_path / "output.pt")
    return output


DIGITS = f"""
from safetensors.torch import load_file
class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU())
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(512, 32), nn.ReLU(), nn.Linear(32, 10))
    def forward(self, images):
        return self.classifier(self.features(images))
model = Digits()
model.load_state_dict(load_file({str(WEIGHTS)!r}))
images = torch.load("images.pt")
with torch.no_grad():
    output = lower_layers(model)(images)
"""


@pytest.mark.parametrize("reference", ["float32", "float64"])
def test_exported_code_reproduces_the_digits_classifier_bit_for_bit(tmp_path: Path, reference: str) -> None:
    from safetensors.torch import load_file

    model = DigitsNet()
    model.load_state_dict(load_file(WEIGHTS))
    images = digits.test_set()[0][:32]
    torch.save(images.to(getattr(torch, reference)), tmp_path / "images.pt")
    formats = in_turn(model, "float16", "bfloat16", reference)
    expected = verified(model, formats, images, reference=reference)
    output = exported(tmp_path, plan(formats, reference=reference), DIGITS)
    assert output.dtype == getattr(torch, reference)
    assert torch.equal(output, expected)


def test_exported_code_reproduces_a_bert_bit_for_bit(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    sizes = "vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64"
    script = f"""
from transformers import BertConfig, BertModel
torch.manual_seed(0)
model = BertModel(BertConfig({sizes}))
ids, mask = torch.arange(12).reshape(2, 6), torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])
with torch.no_grad():
    output = lower_layers(model)(input_ids=ids, attention_mask=mask).last_hidden_state
"""
    torch.manual_seed(0)
    config: Any = {key: int(value) for key, value in (pair.split("=") for pair in sizes.split(", "))}
    model = BertModel(BertConfig(**config))
    ids, mask = torch.arange(12).reshape(2, 6), torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])
    formats = in_turn(model, "bfloat16", "float32", "float16", "float16")
    expected = verified(model, formats, input_ids=ids, attention_mask=mask).last_hidden_state
    assert torch.equal(exported(tmp_path, plan(formats), script), expected)


ODD = 'x\'] = 0; """ \\ \n\u202e名前 {}'


def run_here(chosen: Plan) -> Any:
    """The exported module's `lower_layers`, in this process."""
    names: dict[str, Any] = {}
    exec(compile(plan_code(chosen), "exported", "exec"), names)  # noqa: S102
    return names["lower_layers"]


def test_names_are_data() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.ReLU()), torch.randn(2, 3)
    model.add_module(ODD, nn.Linear(3, 3))
    formats = {"0": "float32", ODD: "float16"}
    code = plan_code(plan(formats))
    assert code.isascii()
    with torch.no_grad():
        assert torch.equal(run_here(plan(formats))(model)(x), verified(model, formats, x))
    assert json.loads(plan_json(plan(formats)))["layers"] == formats


def test_the_code_and_the_json_say_what_stays_wide_and_at_what_price() -> None:
    leaf = layer(f"{ODD}.linear", (contribution(1e-6, 200),))
    code = layer(ODD, (contribution(1e-4, 0),), reference_bytes=0).model_copy(update={"has_modules_inside": True})
    known = report(leaf, code, formats=("float16",))
    chosen = plan_of(known, ("float16", "float32"), reference="float32", optimal=True)
    text = plan_code(chosen)
    compile(text, "exported", "exec")
    comment = " ".join(line[2:] for line in text.splitlines() if line.startswith("# "))
    assert text.isascii()
    assert "1 of 1 module still computes in float32" in comment
    assert "20.0 dB lower (estimated)" in comment
    assert json.loads(plan_json(chosen))["operators_between_layers_lowered"]["dtype"] == "float16"
    lowered = plan_of(known, ("float16", "float16"), reference="float32", optimal=True)
    assert not [line for line in plan_code(lowered).splitlines() if line.startswith("# ")]


def test_exported_code_keeps_ties_and_recurrent_layers_and_the_callers_model() -> None:
    torch.manual_seed(0)
    model, ids = TiedLanguageModel(), torch.tensor([[1, 2, 3]])
    lowered = run_here(plan({"embedding": "float16", "head": "float16"}))(model)
    assert lowered.embedding.weight is lowered.head.weight
    split = run_here(plan({"embedding": "float32", "head": "float16"}))(model)
    assert (split.embedding.weight.dtype, split.head.weight.dtype) == (torch.float32, torch.float16)
    assert model.head.weight.dtype == torch.float32
    with torch.no_grad():
        assert torch.equal(split(ids), verified(model, {"head": "float16"}, ids))
    lstm, x = nn.LSTM(3, 4, num_layers=2), torch.randn(5, 2, 3)
    with torch.no_grad():
        output, (hidden, _) = run_here(plan({"": "bfloat16"}))(lstm)(x)
    expected, (expected_hidden, _) = verified(lstm, {"": "bfloat16"}, x)
    assert torch.equal(output, expected)
    assert torch.equal(hidden, expected_hidden)


def test_a_plan_that_lowers_nothing_is_the_reference() -> None:
    model, x = nn.Linear(3, 3), torch.randn(2, 3)
    with torch.no_grad():
        assert torch.equal(run_here(plan({"": "float32"}))(model)(x), model(x))


def test_simulated_formats_say_what_a_runtime_must_provide() -> None:
    chosen = plan({"a": "float8_e4m3fn", "b": "mxfp4_e2m1", "c": "int8_per_channel", "d": "float16"})
    with pytest.raises(UnsupportedError, match=r"This plan has no PyTorch code\. For the 1 layer in float8_e4m3fn"):
        plan_code(chosen)
    needs = runtime_needs(chosen)
    assert [need.split(" a runtime")[0] for need in needs] == [
        "For the 1 layer in float8_e4m3fn",
        "For the 1 layer in mxfp4_e2m1",
        "For the 1 layer in int8_per_channel",
    ]
    assert "float4_e2m1fn with scales in e8m0, one for each 32 values," in needs[1]
    assert "one for each channel," in needs[2]
    assert json.loads(plan_json(chosen))["runtime_needs"] == list(needs)
    assert runtime_needs(plan({"a": "float16"})) == ()


def test_lists_of_transformers_and_torchao() -> None:
    keep = keep_in_float32(plan({"a": "bfloat16", "b": "float32", "c.d": "float32"}))
    assert keep == ("bfloat16", "_keep_in_fp32_modules_strict", ("b", "c.d"))
    assert keep_in_float32(plan({"a": "bfloat16", "b": "float16"})) is None
    assert keep_in_float32(plan({"a": "float8_e5m2"})) is None
    assert keep_in_float32(plan({"a": "float16"}, reference="float64")) is None
    chosen = {"a": "int8_per_channel", "b": "float8_e4m3fn", "c": "mxfp4_e2m1", "d": "float32"}
    assert torchao_configs(plan(chosen)) == {
        "a": "Int8DynamicActivationInt8WeightConfig",
        "b": "Float8DynamicActivationFloat8WeightConfig",
    }
    assert torchao_configs(plan(chosen, is_linear=False)) == {}


def test_transformers_heeds_the_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    model = BertModel(
        BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=2, num_attention_heads=1, intermediate_size=8)
    )
    model.save_pretrained(tmp_path)
    keep = keep_in_float32(plan({"pooler.dense": "bfloat16", "encoder.layer.1.output.dense": "float32"}))
    assert keep is not None
    monkeypatch.setattr(BertModel, keep.attribute, list(keep.modules))
    loaded = BertModel.from_pretrained(tmp_path, dtype=getattr(torch, keep.dtype))
    wide = {name for name, tensor in loaded.named_parameters() if tensor.dtype == torch.float32}
    assert wide == {"encoder.layer.1.output.dense.weight", "encoder.layer.1.output.dense.bias"}
