"""One reference pass, every weight, input and output of it counted."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from precision.errors import JobCancelledError
from precision.measure.ranges.exponents import ExponentCounts
from precision.results.ranges import ExponentHistogram, Ranges, RangesResult
from precision.spec import Analysis, CastMethod, RunSpec
from tests.measure.ranges.histograms import value_histogram
from tests.runs import Recorder, measure_ranges, with_model
from tests.zoo.awkward_models import InPlace, Kinds, Rotary, TiedBuffers, TiedLanguageModel


def measured(
    monkeypatch: pytest.MonkeyPatch, module: nn.Module, *args: object, spec: RunSpec | None = None, **kwargs: object
) -> RangesResult:
    """The ranges of this module instead of the spec's."""
    with_model(monkeypatch, module, *args, **kwargs)
    return measure_ranges(spec or RunSpec())


def rows(result: RangesResult) -> dict[str, ExponentHistogram]:
    """Every row by its label, which is unique."""
    ranges = ranges_of(result)
    labels = [row.label for row in ranges.tensors]
    assert len(set(labels)) == len(labels)
    return {row.label: ranges.histogram_of(row) for row in ranges.tensors}


def ranges_of(result: RangesResult) -> Ranges:
    assert result.ranges is not None
    return result.ranges


def test_every_weight_input_and_output_of_a_model_once(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.BatchNorm1d(4)).eval(), torch.randn(5, 3)
    found = rows(measured(monkeypatch, model, x))
    hidden = model[0](x).detach()
    expected = {
        "0.weight": model[0].weight,
        "0.bias": model[0].bias,
        "2.weight": model[2].weight,
        "2.bias": model[2].bias,
        "2.running_mean": model[2].running_mean,
        "2.running_var": model[2].running_var,
        "input[0]": x,
        "0 input[0]": x,
        "0 output": hidden,
        "1 input[0]": hidden,
        "1 output": hidden.relu(),
        "2 input[0]": hidden.relu(),
        "2 output": model(x),
        "output": model(x),
    }
    assert list(found) == list(expected)
    for label, tensor in expected.items():
        assert isinstance(tensor, Tensor)
        assert found[label] == value_histogram(tensor), label


def test_equal_values_are_kept_once(monkeypatch: pytest.MonkeyPatch) -> None:
    result = measured(monkeypatch, nn.Sequential(nn.Identity(), nn.Identity()), torch.randn(4))
    assert len(ranges_of(result).tensors) == 6
    assert len(ranges_of(result).histograms) == 1


def test_what_one_module_hands_to_the_next_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    add = ExponentCounts.add

    def counting(self: ExponentCounts, values: Tensor, *, chunk_elements: int | None = None) -> None:
        read.append(values.numel())
        add(self, values, chunk_elements=chunk_elements)

    monkeypatch.setattr(ExponentCounts, "add", counting)
    measured(monkeypatch, nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh(), nn.Sigmoid())), torch.randn(7))
    assert read == [7, 7, 7, 7]


class CalledTwice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(1000 * self.linear(x))  # type: ignore[no-any-return]


def test_calls_of_one_module_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = CalledTwice(), torch.randn(3, 2)
    result = measured(monkeypatch, model, x)
    first = model.linear(x)
    both = torch.cat([first, model.linear(1000 * first)])
    row = next(row for row in ranges_of(result).tensors if row.label == "linear output")
    assert row.calls == 2
    found, expected = ranges_of(result).histogram_of(row), value_histogram(both)
    assert found.norm == pytest.approx(expected.norm, rel=1e-6)
    assert found.model_copy(update={"norm": 0.0}) == expected.model_copy(update={"norm": 0.0})


def test_an_input_that_is_overwritten_counts_as_it_was_handed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    found = rows(measured(monkeypatch, InPlace(), torch.full((2, 3), 1.0)))
    assert found["input[0]"].first_exponent == 0
    assert found["linear input[0]"].first_exponent == 1


class OverwritesTheOutputOfAnother(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Identity(), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x *= 4
        return self.second(x)  # type: ignore[no-any-return]


def test_a_tensor_changed_in_place_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = rows(measured(monkeypatch, OverwritesTheOutputOfAnother(), torch.tensor([1.0, -1.0])))
    assert (found["first output"].largest, found["second input[0]"].largest) == (1, 4)
    assert (found["second input[0]"].zeros, found["second output"].zeros) == (0, 1)


def test_memory_given_to_another_tensor_is_not_taken_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            for power in range(10):
                self.inner(x * 2.0**power)
            return x

    found = rows(measured(monkeypatch, Loop(), torch.ones(1000)))
    assert found["inner output"].counts == (1000,) * 10


def test_tied_weights_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = rows(measured(monkeypatch, TiedLanguageModel(), torch.tensor([1, 2])))
    assert [label for label in found if "weight" in label] == ["embedding.weight"]
    found = rows(measured(monkeypatch, TiedBuffers(), torch.randn(5)))
    assert [label for label in found if "put" not in label] == ["one"]


def test_integers_masks_and_attributes_have_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    result = measured(monkeypatch, Kinds(), torch.randn(3))
    assert [(row.label, row.kind) for row in ranges_of(result).tensors] == [
        ("weight", "parameter"),
        ("stored", "buffer"),
        ("constant", "non-persistent buffer"),
        ("input[0]", "input"),
        ("output", "output"),
    ]


def test_a_model_of_integers_without_weights_has_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    result = measured(monkeypatch, nn.Identity(), torch.arange(4))
    assert result.failure is None
    assert ranges_of(result).tensors == ()


def test_complex_values_are_counted_by_their_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Rotary()
    found = rows(measured(monkeypatch, model, torch.randn(2, 4)))
    assert found["freqs_cis"] == value_histogram(torch.view_as_real(model.freqs_cis))


def test_the_outputs_of_an_lstm_have_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    found = rows(measured(monkeypatch, nn.Sequential(nn.LSTM(3, 4)), torch.randn(2, 5, 3)))
    assert {"0 output[0]", "0 output[1][0]", "0 output[1][1]", "output[0]"} < set(found)
    assert found["0 output[0]"].elements == 40


class ByKeyword(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(3)

    def forward(self, *, x: Tensor, mask: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"logits": self.norm(input=x) * mask["a.b"]}


def test_inputs_by_keyword_and_in_structures(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(2, 3)
    found = rows(measured(monkeypatch, ByKeyword(), x=x, mask={"a.b": torch.zeros(3)}))
    assert found["input.x"] == found["norm input.input"] == value_histogram(x)
    assert found["input.mask['a.b']"].zeros == 3
    assert found["output.logits"].zeros == 6


@pytest.mark.parametrize("values", [torch.empty(0, 3), torch.full((1, 3), math.nan), torch.full((1, 3), -math.inf)])
def test_empty_and_non_finite_inputs(monkeypatch: pytest.MonkeyPatch, values: Tensor) -> None:
    result = measured(monkeypatch, nn.Identity(), values)
    assert rows(result)["output"].nonzero == 0
    assert RangesResult.model_validate_json(result.model_dump_json()) == result
    assert any("holds NaNs" in warning for warning in result.warnings) == bool(values.isnan().any())


def test_the_fast_path_is_not_switched_off_and_what_it_hides_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval()
    x = torch.randn(2, 3, 8)
    with torch.no_grad():
        alone = model(x)
    result = measured(monkeypatch, model, x)
    assert rows(result)["output"] == value_histogram(alone)
    assert "layers.0.linear1" in ranges_of(result).not_called
    assert any("with weights never ran, for example layers.0" in warning for warning in result.warnings)


def test_observing_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = CalledTwice(), torch.randn(3, 2)
    expected = model(x)
    assert rows(measured(monkeypatch, model, x))["output"] == value_histogram(expected)
    assert not nn.modules.module._global_forward_hooks
    assert not nn.modules.module._global_forward_pre_hooks
    assert torch.equal(model(x), expected)


class FailsInTheMiddle(nn.Module):
    def __init__(self, error: Callable[[str], Exception]) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.error = error

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        raise self.error("no more")


@pytest.mark.parametrize(
    ("error", "message"),
    [(RuntimeError, "Forward failed in the model itself"), (MemoryError, "out of memory. Choose a smaller batch")],
)
def test_a_failing_forward_keeps_what_was_counted(
    monkeypatch: pytest.MonkeyPatch, error: Callable[[str], Exception], message: str
) -> None:
    result = measured(monkeypatch, FailsInTheMiddle(error), torch.randn(2, 3))
    assert result.failure is not None
    assert message in result.failure.message
    assert result.failure.stage == "Running the float32 reference"
    found = rows(result)
    assert {"second.weight", "first input[0]", "first output"} < set(found)
    assert "second output" not in found
    assert found["first output"].elements == 6  # counted once, although the forward runs again to be explained
    assert ranges_of(result).not_called == ()
    assert not nn.modules.module._global_forward_hooks


def test_progress_moves_forward_and_hands_over_the_weights() -> None:
    progress = Recorder()
    result = measure_ranges(RunSpec(), progress)
    assert progress.fractions == sorted(progress.fractions)
    assert 0 <= progress.fractions[0] <= progress.fractions[-1] <= 1
    assert list(dict.fromkeys(progress.stages)) == [
        "Loading the model",
        "Counting the weights",
        "Running the float32 reference",
    ]
    (partial,) = progress.partials
    assert isinstance(partial, RangesResult)
    assert {row.calls for row in ranges_of(partial).tensors} == {0}
    assert len(ranges_of(partial).tensors) < len(ranges_of(result).tensors)


@pytest.mark.parametrize("stage", ["Loading", "Counting", "Running"])
def test_cancelling_ends_it_at_any_stage(stage: str) -> None:
    with pytest.raises(JobCancelledError, match="enough"):
        measure_ranges(RunSpec(), Recorder(stop_at=stage))
    assert not nn.modules.module._global_forward_hooks


def test_the_format_plays_no_part() -> None:
    first, second = (measure_ranges(RunSpec(dtype=dtype)) for dtype in ("float16", "float8_e5m2"))
    assert first.ranges == second.ranges
    assert first.execution.label == "native"


def test_a_float64_reference_is_counted_in_float64() -> None:
    result = measure_ranges(RunSpec(reference="float64"))
    assert {row.dtype for row in ranges_of(result).tensors} == {"float64"}
    assert max(each.mantissa_bits for each in ranges_of(result).histograms) > 23


def test_results_survive_json() -> None:
    result = measure_ranges(RunSpec(model="digits", batch=4))
    assert RangesResult.model_validate_json(result.model_dump_json()) == result
    row = ranges_of(result).tensors[0]
    assert ranges_of(result).histograms_of([row]) == (ranges_of(result).histogram_of(row),)


@pytest.mark.slow
def test_a_thousand_modules_fit_in_a_few_hundred_kilobytes(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(8, 8) if at % 2 else nn.Tanh() for at in range(1000)))
    result = measured(monkeypatch, model, torch.randn(4, 8))
    assert len(ranges_of(result).tensors) == 3002
    assert len(result.model_dump_json()) < 900_000


def test_specs_that_differ_in_format_only_are_measured_as_one() -> None:
    ranges = RunSpec(dtype="bfloat16", method=CastMethod.AUTOCAST, keep=("head",), analysis=Analysis.RANGES, seed=5)
    assert ranges.measured == RunSpec(analysis=Analysis.RANGES, seed=5)
    compared = RunSpec(dtype="bfloat16")
    assert compared.measured == compared
