"""One comparison from start to end, on real models."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from precision.errors import InputError, JobCancelledError, UnsupportedError
from precision.measure import preparation
from precision.measure.machine.devices import describe_device
from precision.results import ClassDecisions, CompareResult
from precision.spec import CastMethod, RunSpec
from tests.runs import Recorder, audit_cast, compare, compare_errors, with_model

ARTICLE_MAX = 0.00022590160369873047
ARTICLE_MEAN = 0.00020454823970794678


def test_the_first_articles_numbers() -> None:
    result = compare(RunSpec(model="tinynet", dtype="float16"))
    assert result.comparison is not None
    assert result.audit is not None
    assert result.comparison.overall.max_abs_error == ARTICLE_MAX
    assert result.comparison.overall.mean_abs_error == pytest.approx(ARTICLE_MEAN, rel=1e-3)
    assert {(tensor.dtype_before, tensor.dtype_after) for tensor in result.audit.tensors} == {("float32", "float16")}
    assert (result.audit.bytes_before, result.audit.bytes_after) == (120, 60)
    assert result.cost is not None


def test_progress_moves_forward_through_every_stage_and_hands_over_partial_results() -> None:
    progress = Recorder()
    compare(RunSpec(), progress)
    assert progress.fractions == sorted(progress.fractions)
    assert 0 <= progress.fractions[0] <= progress.fractions[-1] <= 1
    assert list(dict.fromkeys(progress.stages)) == [
        "Loading the model",
        "Casting to float16",
        "Auditing the cast",
        "Running the float32 reference",
        "Running the float32 reference again",
        "Running the float16 candidate",
        "Comparing the outputs",
        "Running in float64",
        "Timing both",
    ]
    audited, compared, truly = (partial for partial in progress.partials if isinstance(partial, CompareResult))
    assert audited.audit is not None
    assert audited.comparison is None
    assert compared.comparison is not None
    assert compared.comparison.truth is None
    assert truly.comparison is not None
    assert truly.comparison.truth is not None
    assert truly.cost is None


def test_errors_alone_are_those_of_the_comparison_without_its_times() -> None:
    spec = RunSpec(model="digits", dtype="bfloat16", batch=40)
    whole, alone = compare(spec), compare_errors(spec)
    assert whole.comparison == alone.comparison
    assert whole.verdict == alone.verdict
    assert whole.cost is not None
    assert alone.cost is None
    assert alone.failure is None


@pytest.mark.parametrize("stage", ["Loading", "Casting", "Running the float32", "Running the float16", "Timing"])
def test_cancelling_ends_it_at_any_stage(stage: str) -> None:
    with pytest.raises(JobCancelledError, match="enough"):
        compare(RunSpec(), Recorder(stop_at=stage))


def test_the_digits_decisions_and_accuracy_are_those_of_the_labels() -> None:
    result = compare(RunSpec(model="digits", dtype="float16"))
    assert result.comparison is not None
    decisions = result.comparison.outputs[0].decisions
    assert isinstance(decisions, ClassDecisions)
    assert decisions.accuracy is not None
    assert (decisions.samples, decisions.flips) == (450, 0)
    assert (decisions.accuracy.both_right, decisions.accuracy.both_wrong) == (448, 2)


def test_results_survive_json() -> None:
    result = compare(RunSpec(model="digits", dtype="bfloat16", batch=8))
    assert CompareResult.model_validate_json(result.model_dump_json()) == result


def test_an_exact_result_survives_json_with_its_infinite_sqnr() -> None:
    result = compare(RunSpec(dtype="float32"))
    assert result.comparison is not None
    assert result.comparison.overall.sqnr_db == float("inf")
    assert '"sqnr_db":"Infinity"' in result.model_dump_json()
    assert CompareResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize(
    ("spec", "label"),
    [
        (RunSpec(), "native"),
        (RunSpec(method=CastMethod.AUTOCAST, dtype="bfloat16"), "native"),
        (RunSpec(method=CastMethod.WEIGHTS_ONLY), "upcast"),
        (RunSpec(dtype="float8_e4m3fn"), "simulated"),
        (RunSpec(dtype="float8_e5m2", method=CastMethod.WEIGHTS_ONLY), "upcast"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.dtype}-{value.method.value}",
)
def test_every_result_says_how_it_computed(spec: RunSpec, label: str) -> None:
    assert compare(spec).execution.label == label


class FailsIn(nn.Module):
    """Raises once its weights are in a given dtype."""

    def __init__(self, *dtypes: torch.dtype) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self._dtypes = dtypes

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        if x.dtype in self._dtypes:
            x = x.double()
        return self.second(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("dtypes", "stage"),
    [((torch.float16,), "Running the float16 candidate"), ((torch.float32,), "Running the float32 reference")],
)
def test_a_failing_forward_keeps_the_audit_and_names_the_module(
    monkeypatch: pytest.MonkeyPatch, dtypes: tuple[torch.dtype, ...], stage: str
) -> None:
    with_model(monkeypatch, FailsIn(*dtypes), torch.ones(2, 4))
    result = compare(RunSpec())
    assert result.failure is not None
    assert (result.failure.stage, result.failure.where) == (stage, "second")
    assert result.audit is not None
    assert result.comparison is None
    assert result.cost is None


class Noisy(nn.Module):
    """Different at every call, whatever the seed, and its copies with it."""

    calls = iter(range(10**6))

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + next(self.calls)  # type: ignore[no-any-return]


def test_a_model_that_does_not_repeat_itself_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Noisy(), torch.ones(2, 4))
    result = compare(RunSpec(dtype="float32"))
    assert any("Two runs of the reference differ" in warning for warning in result.warnings)


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
def test_out_of_memory_is_a_failure_with_advice(
    monkeypatch: pytest.MonkeyPatch, error: Callable[[str], Exception]
) -> None:
    class Hungry(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            raise error("too much")

    with_model(monkeypatch, Hungry(4, 4), torch.ones(2, 4))
    result = compare(RunSpec())
    assert result.failure is not None
    assert "out of memory. Choose a smaller batch" in result.failure.message


def test_a_format_that_the_device_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = describe_device(torch.device("cpu"))
    lacking = usual.model_copy(update={"native_formats": ("float32",)})
    monkeypatch.setattr(preparation, "describe_device", lambda device: lacking)
    with pytest.raises(UnsupportedError, match=r"has no kernels for float16. It computes in: float32"):
        compare(RunSpec())


def test_an_absent_device_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="no device 'cuda:99'"):
        compare(RunSpec(device="cuda:99"))


def test_the_audit_alone_runs_nothing() -> None:
    result = audit_cast(RunSpec())
    assert result.audit is not None
    assert result.comparison is None
    assert result.failure is None


TINYNET_LAYERS = ("token_embedding", "linear_1", "layernorm_1", "linear_2", "layernorm_2", "head")


def planned(reference: str = "float32", **formats: str) -> CompareResult:
    return compare(RunSpec.parse({"model": "tinynet", "reference": reference, "plan": tuple(formats.items())}))


def test_a_plan_is_run_and_its_bytes_are_real() -> None:
    result = planned(linear_1="float16", head="bfloat16")
    assert result.comparison is not None
    assert result.audit is not None
    after = {tensor.fqn: tensor.dtype_after for tensor in result.audit.tensors}
    low = {"linear_1": "float16", "head": "bfloat16"}
    assert after == {name: low.get(name.rpartition(".")[0], "float32") for name in after}
    assert result.audit.bytes_after < result.audit.bytes_before
    assert result.execution.label == "native"
    assert result.candidate_name == "plan of 1 × bfloat16, 1 × float16"
    assert result.comparison.outputs[0].candidate_dtype == "float32"
    assert 0 < (result.comparison.overall.rmse or 0) < 0.1
    reasons = {tensor.fqn: tensor.reason for tensor in result.audit.tensors}
    assert reasons["linear_2.weight"] == "kept in float32, as asked for"
    assert reasons["head.weight"] == "cast by .to(torch.bfloat16)"


def test_a_plan_with_simulated_formats_says_so() -> None:
    result = planned(linear_1="float8_e4m3fn", linear_2="mxfp4", head="float16")
    assert result.execution.label == "simulated"
    assert result.audit is not None
    rows = {tensor.fqn: tensor for tensor in result.audit.tensors}
    assert rows["linear_1.weight"].dtype_after == "float8_e4m3fn"
    assert rows["linear_2.weight"].rounded_to == "mxfp4_e2m1"
    assert rows["linear_2.bias"].rounded_to is None
    assert rows["head.weight"].rounded_to is None
    assert result.audit.estimated_bytes_after is not None
    assert result.audit.estimated_bytes_after < result.audit.bytes_after < result.audit.bytes_before
    assert result.real_kernels is None
    assert result.failure is None


def test_a_plan_of_all_layers_in_one_format_stores_what_the_cast_stores() -> None:
    result, uniform = planned(**dict.fromkeys(TINYNET_LAYERS, "float16")), compare(RunSpec(dtype="float16"))
    assert result.audit is not None
    assert uniform.audit is not None
    assert result.audit.bytes_after == uniform.audit.bytes_after
    assert result.execution.label == "native"


def test_a_layer_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(InputError, match="no module 'fc9' to give its own format"):
        planned(fc9="float16")
