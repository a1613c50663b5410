"""One sensitivity from start to end, against runs with one layer lowered and against numpy."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from precision.errors import InputError, JobCancelledError
from precision.formats import any_format_named
from precision.measure import preparation
from precision.measure.machine.devices import describe_device
from precision.measure.rounding import round_to
from precision.results import SensitivityResult
from precision.spec import SENSITIVITY_FORMATS, Analysis, CastMethod, RunSpec
from tests.measure.sensitivity.reports import measured
from tests.runs import Recorder, measure_sensitivity, with_model
from tests.zoo.awkward_models import TiedLanguageModel
from tests.zoo.cases import Recurrent, Shared


def transformer() -> nn.Module:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.qkv, self.out = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(16, 16)
            self.mlp = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

        def forward(self, x: Tensor) -> Tensor:
            q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
            x = x + self.out(nn.functional.scaled_dot_product_attention(q, k, v))
            return x + self.mlp(x)  # type: ignore[no-any-return]

    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(50, 16), nn.Sequential(Block(), Block()), nn.Linear(16, 12)).eval()


def test_probes_agree_with_runs_of_one_layer_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    report = measured(monkeypatch, transformer(), torch.randint(0, 50, (16, 12)), formats=("bfloat16", "mxfp8"))
    assert report.method == "adjoint probes"
    assert (report.probes, report.backward_passes, report.reason) == (64, 5, "")
    assert [layer.fqn for layer in report.layers][:3] == ["0", "1.0.norm", "1.0.qkv"]
    assert [layer.block for layer in report.layers if layer.block] == ["1.0"] * 7 + ["1.1"] * 7
    assert [layer.fqn for layer in report.layers if layer.is_norm] == [
        "1.0.norm", "1.0.mlp.0", "1.1.norm", "1.1.mlp.0"
    ]  # fmt: skip
    for at, check in enumerate(report.uniform):
        rows = [layer.contributions[at] for layer in report.layers]
        pairs = [(c.squared_error, c.exact_squared_error) for c in rows if c.exact_squared_error]
        logs = np.log(np.array(pairs, dtype=float))
        assert np.corrcoef(logs.T)[0, 1] > 0.98
        assert math.exp(float(np.median(logs[:, 0] - logs[:, 1]))) == pytest.approx(1, abs=0.2)
        assert check.predicted_squared_error is not None
        assert check.measured_squared_error is not None
        assert math.sqrt(check.predicted_squared_error / check.measured_squared_error) == pytest.approx(1, abs=0.15)


def test_the_last_layer_adds_its_own_error_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(linear := nn.Linear(64, 128)).eval(), torch.randn(64, 64)
    report = measured(monkeypatch, model, x)
    (layer,) = report.layers
    weight, bias = (tensor.detach() for tensor in linear.parameters())
    y = (x.double() @ weight.double().T + bias.double()).numpy()
    assert report.output_elements == y.size
    assert report.output_mean_square == pytest.approx(float((y**2).mean()), rel=1e-5)
    e5m7, int8 = any_format_named("e5m7"), any_format_named("int8")
    low = [round_to(tensor, e5m7).double() for tensor in (x, weight, bias)]
    expected = {
        "e5m7": round_to((low[0] @ low[1].T + low[2]).float(), e5m7).double(),
        "int8": round_to(x, int8).double() @ round_to(weight, int8).double().T + bias.double(),
    }
    for name, low_y in expected.items():
        contribution = layer.contributions[report.formats.index(name)]
        squared = float(((low_y.numpy() - y) ** 2).mean())
        assert contribution.exact_squared_error == pytest.approx(squared, rel=1e-3)
        assert contribution.squared_error is not None
        assert contribution.standard_error is not None
        assert abs(contribution.squared_error - squared) < 4 * contribution.standard_error
        assert contribution.time_s is None
    assert [c.stored_bytes for c in layer.contributions] == [
        2 * 8320, 8320, 8192 + 4 + 4 * 128, -(-13 * 8192 // 8) + 13 * 128 // 8
    ]  # fmt: skip
    assert layer.reference_bytes == 4 * layer.elements == 4 * 8320
    assert layer.contributions[0].time_s is not None
    assert layer.reference_time_s is not None


def test_all_but_one_of_two_layers_is_the_other_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 4)).eval()
    first, second = measured(monkeypatch, model, torch.randn(32, 8)).layers
    for one, other in zip(first.contributions, second.contributions, strict=True):
        assert one.all_but_squared_error == other.exact_squared_error
        assert other.all_but_squared_error == one.exact_squared_error
    assert first.contributions[0].exact_squared_error != second.contributions[0].exact_squared_error


def test_repeated_calls_of_one_layer_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    report = measured(monkeypatch, Shared(), torch.randn(256, 4))
    (layer,) = report.layers
    assert layer.calls == 3
    for contribution in layer.contributions:
        assert contribution.squared_error == pytest.approx(contribution.exact_squared_error, rel=0.3)


def test_layers_that_share_a_weight_name_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    report = measured(monkeypatch, TiedLanguageModel(), torch.randint(0, 7, (64, 3)))
    assert [(layer.fqn, layer.tied_to) for layer in report.layers] == [
        ("embedding", ("head",)), ("head", ("embedding",))
    ]  # fmt: skip
    assert report.fixed_bytes == 0


class Turned(nn.Module):
    """A matrix that is a plain attribute, and operators of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.turn = nn.Linear(4, 4), torch.eye(4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x) @ self.turn
        return y


def test_tensors_that_no_layer_holds_are_fixed_and_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    report = measured(monkeypatch, Turned(), torch.randn(3, 4), exact=False)
    assert report.fixed_bytes == 64
    assert [(each.fqn, each.kind, each.bytes) for each in report.outside] == [("turn", "attribute", 64)]
    assert [(layer.fqn, layer.has_modules_inside) for layer in report.layers] == [("linear", False), ("", True)]


def test_attention_is_a_layer_with_the_weights_that_only_it_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    report = measured(monkeypatch, nn.MultiheadAttention(4, 2), *(torch.randn(3, 2, 4),) * 3, exact=False)
    (layer,) = report.layers
    assert (layer.type, layer.has_modules_inside) == ("MultiheadAttention, own code", True)
    assert layer.reference_bytes == 4 * (12 * 4 + 12 + 4 * 4 + 4)
    assert (report.fixed_bytes, report.outside) == (0, ())


def test_recurrent_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    report = measured(monkeypatch, Recurrent(), torch.randn(3, 32, 4), formats=("bfloat16", "e5m7"))
    assert [layer.fqn for layer in report.layers] == ["lstm", "gru"]
    for layer in report.layers:
        for contribution in layer.contributions:
            assert contribution.squared_error == pytest.approx(contribution.exact_squared_error, rel=1.5)


def test_an_overflow_is_counted_and_has_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(large := nn.Linear(4, 4), nn.Linear(4, 2)).eval()
    nn.init.constant_(large.weight, 1e5)
    report = measured(monkeypatch, model, torch.ones(2, 4), formats=("float16", "bfloat16"))
    first, second = report.layers
    assert first.contributions[0].squared_error is None
    assert first.contributions[0].nonfinite == 8
    assert first.contributions[0].exact_squared_error is None
    assert second.contributions[0].nonfinite == 4  # handed values that float16 does not hold
    assert report.uniform[0].predicted_squared_error is None
    assert report.uniform[0].measured_squared_error is None
    assert first.contributions[1].squared_error is not None


class Chooses(nn.Module):
    """Looks its output up by the largest of another."""

    def __init__(self) -> None:
        super().__init__()
        self.scores, self.table = nn.Linear(4, 6), nn.Embedding(6, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.table(self.scores(x).argmax(-1))  # type: ignore[no-any-return]


def test_what_cannot_be_differentiated_is_run_layer_by_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    report = measured(monkeypatch, Chooses(), torch.randn(400, 4), formats=("float4_e2m1fn",), exact=False)
    assert report.method == "exact sweep"
    assert "no gradient reaches: scores" in report.reason
    assert (report.probes, report.backward_passes) == (0, 0)
    for layer in report.layers:
        (contribution,) = layer.contributions
        assert contribution.squared_error
        assert contribution.squared_error == contribution.exact_squared_error
        assert contribution.standard_error is None


def test_a_model_without_floating_outputs_has_no_error_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Labels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x).argmax(-1)  # type: ignore[no-any-return]

    with_model(monkeypatch, Labels(), torch.randn(2, 4))
    result = measure_sensitivity(RunSpec(analysis=Analysis.SENSITIVITY))
    assert result.report is None
    assert result.failure is not None
    assert "no floating-point numbers" in result.failure.message


def test_a_structured_output_counts_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> dict[str, object]:
            return {"a": self.one(x), "b": (self.two(x), x.argmax(-1)), "c": None}

    report = measured(monkeypatch, Two(), torch.randn(64, 4))
    assert report.output_elements == 64 * 6
    for layer in report.layers:
        for contribution in layer.contributions:
            assert contribution.squared_error == pytest.approx(contribution.exact_squared_error, rel=0.6)


def test_the_digits_classifier() -> None:
    spec = RunSpec(model="digits", batch=64, analysis=Analysis.SENSITIVITY, formats=("bfloat16", "int8"), exact=True)
    report = measure_sensitivity(spec).report
    assert report is not None
    for at, check in enumerate(report.uniform):
        for layer in report.layers:
            each = layer.contributions[at]
            assert each.squared_error == pytest.approx(each.exact_squared_error, rel=0.6, abs=1e-12), layer.fqn
        assert check.predicted_squared_error
        assert check.measured_squared_error
        assert math.sqrt(check.predicted_squared_error / check.measured_squared_error) == pytest.approx(1, abs=0.2)


def test_partial_results_and_cancelling() -> None:
    spec = RunSpec(analysis=Analysis.SENSITIVITY, formats=("bfloat16", "float16"))
    progress = Recorder()
    result = measure_sensitivity(spec, progress)
    assert progress.fractions == sorted(progress.fractions)
    assert len(progress.partials) == 2
    first = progress.partials[0]
    assert isinstance(first, SensitivityResult)
    assert first.report is not None
    assert result.report is not None
    assert first.report.formats == ("bfloat16",)
    assert result.report.formats == ("bfloat16", "float16")
    errors = [[layer.contributions[0].squared_error for layer in r.layers] for r in (first.report, result.report)]
    assert errors[0] == errors[1]
    for stage in ("Differentiating the reference", "Every layer in float16", "linear_2"):
        with pytest.raises(JobCancelledError, match="enough"):
            measure_sensitivity(spec, Recorder(stop_at=stage))


def test_the_usual_formats_are_those_that_the_device_runs() -> None:
    report = measure_sensitivity(RunSpec(analysis=Analysis.SENSITIVITY)).report
    assert report is not None
    assert set(report.formats) <= set(SENSITIVITY_FORMATS)


def test_formats_of_a_spec_are_canonical() -> None:
    spec = RunSpec.parse({"analysis": "sensitivity", "formats": "bf16, mxfp4,torch.bfloat16"})
    assert spec.formats == ("bfloat16", "mxfp4_e2m1")
    assert RunSpec.parse({**spec.to_query(), "analysis": "sensitivity"}) == spec
    with pytest.raises(InputError, match="Unknown format 'float13'"):
        RunSpec.parse({"formats": "float13"})


def test_another_format_or_method_is_the_same_sensitivity() -> None:
    one = RunSpec(dtype="bfloat16", method=CastMethod.BFLOAT16, analysis=Analysis.SENSITIVITY, formats=("int8",))
    assert one.measured == RunSpec(analysis=Analysis.SENSITIVITY, formats=("int8",))
    assert RunSpec(formats=("int8",)).measured == RunSpec()


def test_a_format_without_kernels_on_the_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    info = describe_device(torch.device("cpu")).model_copy(update={"native_formats": ("float32",)})
    monkeypatch.setattr(preparation, "describe_device", lambda _device: info)
    with pytest.raises(InputError, match="has no kernels for float16"):
        measure_sensitivity(RunSpec(analysis=Analysis.SENSITIVITY, formats=("float16",)))
    report = measure_sensitivity(RunSpec(analysis=Analysis.SENSITIVITY)).report
    assert report is not None
    assert "float16" not in report.formats


def test_a_regime_of_the_input_is_the_one_that_is_measured() -> None:
    def signal(regime: str) -> float:
        spec = RunSpec(model="linear-5-10", analysis=Analysis.SENSITIVITY, formats=("bfloat16",), regime=regime)
        report = measure_sensitivity(spec).report
        assert report is not None
        return report.output_mean_square

    assert signal("x1000") > 1000 * signal("given")


class Texts(nn.Module):
    """Features of tokens; those of padding are large."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.linear = nn.Embedding(50, 16), nn.Linear(16, 8)
        with torch.no_grad():
            self.embedding.weight[0] *= 100

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.linear(self.embedding(input_ids))  # type: ignore[no-any-return]


def test_padding_is_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    mask = (torch.arange(10) < torch.tensor([[3], [6], [10], [10]])).long()
    model, ids = Texts(), torch.randint(1, 50, (4, 10)) * mask
    report = measured(monkeypatch, model, ids, mask, formats=("bfloat16",))
    kept = mask.bool()
    y = model(ids, mask)[kept].double()
    low = Texts.forward(copy.deepcopy(model).to(torch.bfloat16), ids, mask)[kept].double()
    (check,) = report.uniform
    assert report.output_elements == 29 * 8
    assert report.output_mean_square == pytest.approx(float(y.square().mean()), rel=1e-6)
    assert check.measured_squared_error == pytest.approx(float((low - y).square().mean()), rel=1e-6)
    assert check.ratio == pytest.approx(1, abs=0.2)
    for layer in report.layers:
        (each,) = layer.contributions
        assert each.standard_error is not None
        assert each.squared_error == pytest.approx(each.exact_squared_error, abs=4 * each.standard_error)


def test_a_tensor_that_is_returned_twice_counts_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            y = self.one(x)
            return y, self.two(x), y

    torch.manual_seed(0)
    model, x = Twice().eval(), torch.randn(64, 4)
    report = measured(monkeypatch, model, x, formats=("bfloat16",))
    y, _, _ = model(x)
    low = copy.deepcopy(model.one).to(torch.bfloat16)(x.bfloat16())
    assert report.output_elements == 64 * 10
    squared = 2 * float((low.double() - y.double()).square().sum()) / 640
    assert report.layers[0].contributions[0].exact_squared_error == pytest.approx(squared, rel=1e-6)


class PastHooks(nn.Module):
    """Calls forward itself, past the hooks of the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear.forward(x)


def test_a_layer_whose_forward_is_called_past_its_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    (layer,) = measured(monkeypatch, PastHooks(), torch.randn(64, 4), formats=("bfloat16",)).layers
    assert (layer.fqn, layer.calls, layer.reference_bytes) == ("linear", 1, 80)
    assert layer.contributions[0].squared_error == pytest.approx(layer.contributions[0].exact_squared_error, rel=0.6)


def test_a_buffer_that_the_models_code_only_hands_on_is_lowered_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Added(nn.Module):
        def forward(self, x: Tensor, offset: Tensor) -> Tensor:
            return x + offset

    class HandsOn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = Added(), Added()
            self.register_buffer("offset", torch.linspace(0, 1, 7))

        def forward(self, x: Tensor) -> Tensor:
            return self.two(self.one(x, self.offset), self.offset)  # type: ignore[no-any-return]

    torch.manual_seed(0)
    report = measured(monkeypatch, HandsOn(), torch.randn(5, 7), formats=("bfloat16",))
    assert [(layer.fqn, layer.reference_bytes) for layer in report.layers] == [("one", 0), ("two", 0), ("", 28)]
    assert report.fixed_bytes == 0
