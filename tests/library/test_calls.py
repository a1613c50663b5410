"""The library on modules of the caller's own: what it measures, what it takes, and what it leaves as it was."""

from __future__ import annotations

import copy
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import precision as px
from precision.cli.main import main
from precision.measure.models.loading import LoadedModel
from precision.results import ClassDecisions
from precision.spec import RunSpec

ROOT = Path(__file__).parents[2]
CALLS: dict[str, Callable[..., Any]] = {
    "audit": px.audit,
    "compare": px.compare,
    "layers": px.layers,
    "ranges": px.ranges,
    "regimes": px.regimes,
    "routes": px.routes,
    "sensitivity": lambda *args: px.sensitivity(*args, formats=["bfloat16"]),
    "training": px.training,
    "try_claims": lambda *args: px.try_claims(*args, only=["modules-without-half"]),
}


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))


class Tied(nn.Module):
    """Two names for one weight, arguments by name, and a dict for an output."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 4)
        self.head = nn.Linear(4, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: Tensor, *, scale: Tensor) -> dict[str, Tensor]:
        return {"logits": self.head(self.embed(ids) * scale)}


class Raises(nn.Module):
    """Changes process-wide state, then raises."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(1)
        random.seed(1)
        raise RuntimeError("this model does not run")


@contextmanager
def nothing_changed(module: nn.Module) -> Iterator[None]:
    """The module, its modes, hooks and gradients, and the process' state are the same after as before."""

    def state() -> list[object]:
        hooks = [
            (dict(child._forward_hooks), dict(child._forward_pre_hooks), dict(child._backward_hooks), child.training)
            for child in module.modules()
        ]
        numpy = np.random.get_state()
        return [
            hooks,
            [(id(each), None if each.grad is None else each.grad.clone()) for each in module.parameters()],
            [(torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled())],
            [random.getstate(), str(numpy)],
            [torch.get_rng_state()],
        ]

    def same(one: object, other: object) -> bool:
        if isinstance(one, Tensor) and isinstance(other, Tensor):
            return torch.equal(one, other)
        if isinstance(one, list | tuple) and isinstance(other, list | tuple):
            return len(one) == len(other) and all(map(same, one, other))
        return one == other

    values = copy.deepcopy(dict(module.state_dict()))
    before = state()
    yield
    assert same(before, state())
    assert all(torch.equal(value, values[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("name", CALLS)
def test_nothing_of_the_callers_is_changed(name: str) -> None:
    module = small()
    module.train()
    module(torch.randn(5, 6)).sum().backward()
    seen: list[str] = []
    module[0].register_forward_hook(lambda *_: seen.append("called"))  # type: ignore[index]
    x = torch.randn(16, 6)
    with nothing_changed(module):
        CALLS[name](module, x)


@pytest.mark.parametrize("name", CALLS)
def test_nothing_of_the_callers_is_changed_when_it_raises(name: str) -> None:
    module, x = Raises(), torch.ones(4, 2)
    with nothing_changed(module):
        try:
            said = CALLS[name](module, x).to_json()
        except px.PrecisionError as error:
            said = str(error)
    assert ("this model does not run" in said) == (name not in ("audit", "try_claims"))


@pytest.mark.parametrize("model", ["tinynet", "digits"])
def test_a_module_of_ones_own_gives_the_figures_of_the_command_line(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = px.load(model)
    assert isinstance(loaded, LoadedModel)
    inputs = loaded.args or dict(loaded.kwargs)
    run = px.compare(loaded.module, inputs, dtype=torch.float16, labels=loaded.labels)
    assert main(["compare", "--model", model, "--dtype", "float16", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)["comparison"]
    own = json.loads(run.to_json())["comparison"]
    assert own == printed
    assert px.compare(loaded).metrics == run.metrics


def test_torch_is_imported_at_the_first_call_only() -> None:
    code = (
        "import sys, precision as px;"
        "assert not {'torch', 'pandas', 'plotly', 'distributed', 'streamlit'} & {*sys.modules};"
        "px.compare(px.load('tinynet'));"
        "assert 'torch' in sys.modules and not {'distributed', 'streamlit'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_named_arguments_tied_weights_and_a_dict_for_an_output() -> None:
    run = px.compare(Tied(), {"ids": torch.tensor([[1, 2], [3, 4]]), "scale": torch.tensor(2.0)}, dtype="bfloat16")
    assert [output.path for output in run.outputs] == ["logits"]
    assert run.result.input is not None
    assert [name for name, _, _ in run.result.input.tensors] == ["ids", "scale"]
    audit = px.audit(Tied(), {"ids": torch.tensor([[1]]), "scale": torch.tensor(1.0)}).result.audit
    assert [tensor.tie_kept for tensor in audit.tensors if tensor.tied_to] == [True]


def test_all_batches_are_one_comparison() -> None:
    module, x, y = small(), torch.randn(40, 6), torch.randint(3, (40,))
    whole = px.compare(module, x, labels=y)
    batches = [(x[at : at + 7], y[at : at + 7]) for at in range(0, 40, 7)]
    for inputs, labels in (
        (batches, 1),
        (iter(batches), -1),
        ([each for each, _ in batches], y),
        ([{"input": each, "labels": truth} for each, truth in batches], "labels"),
        (DataLoader(TensorDataset(x, y), batch_size=7), 1),
    ):
        found = px.compare(module, inputs, labels=labels)
        for name in ("elements", "sqnr_db", "max_abs_error", "median_abs_error"):
            assert found.metrics[name] == pytest.approx(whole.metrics[name], rel=1e-2)
        decisions = found.outputs[0].decisions
        assert isinstance(decisions, ClassDecisions)
        assert decisions.samples == 40
        assert decisions.accuracy is not None
        assert decisions.accuracy.samples == 40
        assert found.outputs[0].shape == (40, 3)


def test_batches_of_sentences_of_other_lengths_are_rows() -> None:
    run = px.compare(Tied(), [{"ids": torch.ones(2, n, dtype=torch.int64), "scale": torch.tensor(1.0)} for n in (3, 5)])
    assert (run.outputs[0].shape, run.outputs[0].metrics.elements) == ((4, 5, 11), 16 * 11)
    assert run.result.comparison is not None
    assert not any("padding" in note for note in run.result.comparison.notes)


def test_padding_is_left_out_of_every_batch_and_texts_are_counted_over_all() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 6)

        def forward(self, x: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
            return {"logits": self.head(x)}

    def batch(positions: int, real: int) -> dict[str, Tensor]:
        mask = torch.ones(2, positions)
        mask[1, real:] = 0
        return {"x": torch.randn(2, positions, 4), "attention_mask": mask}

    output = px.compare(Tokens(), [batch(3, 3), batch(5, 2)], dtype="bfloat16").outputs[0]
    assert isinstance(output.decisions, ClassDecisions)
    assert (output.decisions.samples, output.decisions.clusters) == (6 + 7, 4)


def test_ranges_count_all_batches() -> None:
    x = torch.randn(12, 6)
    whole, parts = (px.ranges(small(), inputs).result.ranges for inputs in (x, [x[:4], x[4:]]))
    assert whole is not None
    assert parts is not None
    counted = [
        {row.label: ranges.histogram_of(row).counts for row in ranges.tensors if row.kind == "input"}
        for ranges in (whole, parts)
    ]
    assert counted[0] == counted[1]


def test_other_analyses_say_that_they_run_the_first_batch() -> None:
    found = px.layers(small(), [torch.randn(4, 6), torch.randn(4, 6)])
    assert any("first batch" in warning for warning in found.warnings)


def test_a_score_of_the_callers_own() -> None:
    x = torch.randn(32, 6)
    run = px.compare(small(), x, dtype="float16", validate=lambda model: float(model(x).double().sum()))
    with torch.no_grad():
        expected = [float(small().eval()(x).double().sum()), float(small().eval().half()(x.half()).double().sum())]
    assert run.score is not None
    assert [run.score.reference, run.score.candidate] == expected
    assert run.score.difference == expected[1] - expected[0]
    assert f"{run.score.difference:+g}" in str(run)


def test_a_score_finds_the_parameters_of_both_models_and_no_others() -> None:
    module, x = small(), torch.randn(4, 6)
    with nothing_changed(module):
        run = px.compare(module, x, validate=lambda model: float(next(model.parameters()).data.zero_().element_size()))
    assert run.score is not None
    assert (run.score.reference, run.score.candidate) == (4, 2)


@pytest.mark.parametrize("labels", [[0, 2, 1, 0], np.array([0, 2, 1, 0]), torch.tensor([0, 2, 1, 0])])
def test_labels_as_people_hold_them(labels: Any) -> None:
    decisions = px.compare(small(), torch.randn(4, 6), labels=labels).outputs[0].decisions
    assert isinstance(decisions, ClassDecisions)
    assert decisions.accuracy is not None
    assert decisions.accuracy.samples == 4


def test_labels_of_single_samples_are_joined() -> None:
    batches = [(torch.randn(1, 6), torch.tensor(truth)) for truth in (0, 2, 1)]
    decisions = px.compare(small(), batches, labels=1).outputs[0].decisions
    assert isinstance(decisions, ClassDecisions)
    assert decisions.accuracy is not None
    assert decisions.accuracy.samples == 3


def test_labels_that_fit_no_output_are_told() -> None:
    assert any("labels" in warning for warning in px.compare(small(), torch.randn(4, 6), labels=[0, 1]).warnings)
    assert not any("labels" in warning for warning in px.compare(small(), torch.randn(2, 6), labels=[0, 1]).warnings)


def test_a_batch_that_fails_is_named() -> None:
    failed = px.compare(small(), [torch.randn(4, 6), torch.randn(4, 5)])
    assert failed.failure is not None
    assert failed.failure.startswith("Batch 2: ")


def test_devices_and_references_as_torch_has_them() -> None:
    run = px.compare(small(), torch.randn(2, 6), device=torch.device("cpu"), reference=torch.float64)
    assert (run.result.spec.device, run.result.spec.reference) == ("cpu", "float64")


def test_a_regime_does_not_reach_the_callers_module() -> None:
    module, inputs = Tied(), {"ids": torch.tensor([[1, 2]]), "scale": torch.tensor(1.0)}
    with nothing_changed(module):
        run = px.compare(module, inputs, regime="x100")
    assert run.result.input is not None
    assert "100" in run.result.input.name


@pytest.mark.parametrize(
    ("module", "inputs", "settings", "said"),
    [
        (lambda x: x, torch.zeros(1), {}, "A torch.nn.Module is needed, not function"),
        (nn.Linear, torch.zeros(1), {}, "not the class Linear"),
        (small(), None, {}, "Pass the inputs"),
        (small(), (torch.zeros(2, 6), torch.zeros(2)), {}, r"too many positional arguments(.|\n)*labels=1"),
        (small(), {"y": torch.zeros(2, 6)}, {}, "missing a required argument: 'input'"),
        (small(), 3, {}, "Inputs are a tensor, a tuple of arguments, a dict of named ones"),
        (small(), [], {}, "The inputs hold no batch"),
        (small(), torch.zeros(2, 6), {"dtype": "float17"}, "Unknown format 'float17'"),
        (small(), torch.zeros(2, 6), {"colour": 1}, "compare does not read colour. It reads: .*dtype"),
        (small(), torch.zeros(2, 6), {"keep": "nothing"}, "nothing"),
        (small(), torch.zeros(2, 6), {"wide_inputs": 1}, "called without an input '1'. Its inputs: input"),
        (small(), torch.zeros(2, 6), {"labels": "y"}, "give their name where the inputs are a dict"),
        (small(), torch.zeros(2, 6), {"labels": [0.5, 1.0]}, r"Labels are whole numbers.*float32 of shape \[2\]"),
        (small(), torch.zeros(2, 6), {"labels": object()}, "Labels are whole numbers"),
        (small(), (torch.zeros(2, 6),), {"labels": 3}, "the inputs hold nothing there"),
        (small(), torch.zeros(2, 6), {"device": "cuda:77"}, "cuda:77"),
        (small(), torch.zeros(2, 6), {"plan": {}}, "The plan names no layer"),
        (small(), torch.zeros(2, 6), {"validate": lambda _: 1 / 0}, "validate raised"),
        (small(), torch.zeros(2, 6), {"validate": lambda _: None}, "validate gave a NoneType for the float32 model"),
        (nn.Linear(6, 2, device="meta"), torch.zeros(2, 6), {}, "meta device"),
        (nn.LazyLinear(2), torch.zeros(2, 6), {}, "lazy"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(
    module: Any, inputs: object, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(px.PrecisionError, match=said):
        px.compare(module, inputs, **settings)


def test_bytes_of_a_lazy_module_are_refused() -> None:
    with pytest.raises(px.UnsupportedError, match="lazy"):
        px.memory(nn.LazyLinear(2))


def test_a_model_with_its_own_input_takes_no_other() -> None:
    with pytest.raises(px.InputError, match="has its own input"):
        px.compare(px.load("tinynet"), torch.zeros(1))


def test_a_loaded_models_result_says_how_it_was_loaded() -> None:
    spec = px.ranges(px.load("tinynet", input="random", batch=3, length=5, seed=7)).result.spec
    assert (spec.model, spec.input, spec.batch, spec.length, spec.seed) == ("tinynet", "random", 3, 5, 7)


def test_a_plan_of_the_callers_own() -> None:
    run = px.compare(small(), torch.randn(8, 6), plan={"0": "bfloat16", "4": "float16"})
    assert run.result.spec.plan == (("0", "bfloat16"), ("4", "float16"))
    assert run.result.spec == RunSpec.model_validate_json(run.result.spec.model_dump_json())


@pytest.mark.slow
def test_compiled_and_scripted_modules() -> None:
    plain, x = small().eval(), torch.randn(8, 6)
    expected = px.compare(plain, x).metrics
    compiled: Any = torch.compile(plain)
    assert px.compare(compiled, x).metrics == expected
    scripted = px.compare(torch.jit.script(plain), x)
    assert scripted.metrics["finite_pairs"] == 24
    assert not scripted.warnings
    traced = torch.jit.trace(plain, x)  # type: ignore[no-untyped-call]
    assert px.compare(traced, x).metrics["finite_pairs"] == 24


def test_a_quantized_module_is_refused() -> None:
    quantize: Any = torch.ao.quantization.quantize_dynamic
    quantized = quantize(small().eval(), {nn.Linear}, dtype=torch.qint8)
    with pytest.raises(px.UnsupportedError, match="quantized"):
        px.compare(quantized, torch.randn(2, 6))
