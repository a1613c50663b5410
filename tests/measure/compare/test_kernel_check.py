"""Simulated against real kernels, from the spec to the words."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from precision.errors import ForwardError, JobCancelledError
from precision.findings.real_kernels import real_kernels_text
from precision.formats import AnyFormat
from precision.measure.casting import kernel_layers, simulation
from precision.measure.compare import kernel_check
from precision.measure.metrics.comparison import compare_outputs
from precision.measure.rounding import round_to
from precision.results import CompareResult, RealKernelCheck
from precision.spec import CastMethod, RunSpec
from precision.text.units import number_text
from tests.measure.casting.kernels import kernel_of
from tests.runs import Recorder, compare, with_model

pytestmark = pytest.mark.slow

INT8 = RunSpec(dtype="int8_per_channel", method=CastMethod.DYNAMIC)
FLOAT8 = RunSpec(dtype="float8_e4m3fn")


def checked(result: CompareResult) -> RealKernelCheck:
    assert result.real_kernels is not None
    return result.real_kernels


@pytest.mark.parametrize(
    ("spec", "layers"),
    [
        (FLOAT8, 3),
        (INT8, 3),
        (RunSpec(dtype="int4", method=CastMethod.WEIGHTS_ONLY), 3),
        (INT8.model_copy(update={"model": "bert-tiny", "batch": 1, "length": 8}), 14),
        (RunSpec(model="digits", dtype="int8", method=CastMethod.WEIGHTS_ONLY, batch=8), 2),
    ],
    ids=lambda value: f"{value.model}-{value.dtype}" if isinstance(value, RunSpec) else str(value),
)
def test_simulated_and_real_differ_far_less_than_the_format_errs(
    spec: RunSpec, layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_layers, "BUDGET_S", math.inf)  # however busy the machine is
    kernel_of(spec.dtype, spec.method)
    result = compare(spec)
    check = checked(result)
    assert (check.on_kernel, check.linear_layers, check.reason) == (layers, layers, None)
    assert check.difference is not None
    assert result.comparison is not None
    found, own = check.difference.normalized_l2, result.comparison.overall.normalized_l2
    assert found is not None
    assert own is not None
    assert found < 1e-3 * own
    assert check.layer_difference is not None
    assert check.layer_difference < 1e-6
    assert result.cost is not None
    assert CompareResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize(
    "spec", [RunSpec(), RunSpec(dtype="float8_e5m2", method=CastMethod.WEIGHTS_ONLY)], ids=["native", "upcast"]
)
def test_what_is_not_simulated_is_not_checked(spec: RunSpec) -> None:
    result = compare(spec)
    assert result.real_kernels is None
    assert real_kernels_text(result) == ""


def test_a_format_without_kernels_says_so() -> None:
    result = compare(RunSpec(dtype="mxfp4", method=CastMethod.DYNAMIC))
    assert checked(result).difference is None
    assert real_kernels_text(result).startswith("No real kernel for mxfp4_e2m1 by method 'dynamic'")
    assert result.cost is not None


def test_a_model_without_linear_layers_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, nn.Conv1d(2, 3, 1), torch.ones(1, 2, 4))
    check = checked(compare(INT8))
    assert (check.linear_layers, check.kernel) == (0, None)
    assert check.reason == "No real kernel ran: the model has no linear layers that are cast."


def test_a_wrong_rounding_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def towards_zero(x: Tensor, fmt: AnyFormat, *, axis: int = -1) -> Tensor:
        return round_to(x * 0.8, fmt, axis=axis)

    right = kernel_check.check_on_real_kernel

    def check_after(*args: object, **kwargs: object) -> RealKernelCheck:
        monkeypatch.setattr(simulation, "round_to", round_to)
        return right(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("precision.measure.compare.compare.check_on_real_kernel", check_after)
    monkeypatch.setattr(simulation, "round_to", towards_zero)
    difference = checked(compare(INT8)).difference
    assert difference is not None
    assert difference.normalized_l2 is not None
    assert difference.normalized_l2 > 0.01


class FailsOnKernel(nn.Module):
    """Raises once its layer runs on a kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        if "forward" in vars(self.linear):
            raise ValueError("no such kernel")
        y: Tensor = self.linear(x)
        return y


def test_a_run_that_fails_keeps_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, FailsOnKernel(), torch.ones(2, 4))
    result = compare(INT8)
    reason = checked(result).reason or ""
    assert reason.startswith("The run with torch._int_mm failed: Forward failed in the model itself")
    assert reason.endswith("no such kernel.")
    assert result.failure is None
    assert result.comparison is not None
    assert result.cost is not None


@pytest.mark.parametrize(
    ("error", "reason"),
    [(MemoryError(), "out of memory."), (ForwardError("odd."), "odd."), (torch.OutOfMemoryError("full"), "full")],
)
def test_memory_that_ran_out_is_the_reason(monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise error

    monkeypatch.setattr(kernel_check, "run_on_kernel", fail)
    assert checked(compare(INT8)).reason == f"The run with torch._int_mm failed: {reason}"


def test_layers_that_all_stay_simulated_are_no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    class Between(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.linear(x * 1.3)
            return y

    kernel_of(FLOAT8.dtype, FLOAT8.method)
    with_model(monkeypatch, Between(), torch.randn(2, 4))
    result = compare(FLOAT8)
    assert checked(result).difference is None
    assert real_kernels_text(result) == (
        "No real kernel ran: no linear layer could use torch._scaled_mm. 1 layer stayed simulated: "
        "inputs or weights that are not values of the format."
    )


def test_its_progress_lies_between_the_comparison_and_the_timing() -> None:
    progress = Recorder()
    compare(INT8, progress)
    assert progress.fractions == sorted(progress.fractions)
    stages = list(dict.fromkeys(progress.stages))
    assert stages[-3:] == ["Running in float64", "Running int8_per_channel on real kernels", "Timing both"]


def test_it_can_be_cancelled() -> None:
    with pytest.raises(JobCancelledError, match="enough"):
        compare(INT8, Recorder(stop_at="Running int8_per_channel on real"))


@pytest.fixture(scope="module")
def result() -> CompareResult:
    return compare(RunSpec())


@pytest.mark.parametrize(
    ("simulated", "real", "uncompared", "words"),
    [
        ([1.0, math.inf], [1.0, math.inf], 0, "All outputs of the two runs are equal."),
        (
            [3.0, 4.0],
            [3.0, 4.5],
            0,
            "The outputs of the two runs differ by 0.1 (normalized L2); the candidate's own error is OWN.",
        ),
        (
            [0.0, 1.0],
            [0.5, math.nan],
            0,
            "1 output infinite or NaN and not the same on both sides. "
            "The outputs of the two runs differ by ∞ (normalized L2); the candidate's own error is OWN.",
        ),
        ([1, 2, 3, 4], [1, 2, 3, 5], 0, "The outputs of the two runs differ in 1 of 4 elements."),
        ([], [], 1, "There are no outputs to compare. Not compared: 1 output with different shapes."),
    ],
)
def test_the_words(
    result: CompareResult, simulated: list[float], real: list[float], uncompared: int, words: str
) -> None:
    reference, candidate = torch.tensor(simulated), torch.tensor(real)
    compared = compare_outputs(reference=reference, candidate=candidate, repeat=None, fmt=INT8.format)
    check = RealKernelCheck(
        kernel="torch.kernel",
        on_kernel=1,
        linear_layers=2,
        stayed_simulated=(),
        layer_difference=2.5e-7,
        difference=compared.overall,
        uncompared_outputs=uncompared,
        reason=None,
    )
    said = real_kernels_text(result.model_copy(update={"real_kernels": check}))
    assert result.comparison is not None
    own = number_text(result.comparison.overall.normalized_l2)
    layers = "1 of 2 linear layers ran on torch.kernel, cpu and differed from the simulated results by at most 2.500e-7"
    assert said == f"Real kernels: {layers} on the same input. {words.replace('OWN', own)}"


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (0.0, "cpu and gave the simulated results on the same input."),
        (1e-6, "by at most 1.000e-6 on the same input."),
        (0.02, "by at most 0.02 on the same input, more than the order of float32 sums explains."),
        (None, "torch.kernel, cpu. "),
    ],
)
def test_the_words_of_layers(result: CompareResult, difference: float | None, words: str) -> None:
    check = RealKernelCheck(
        kernel="torch.kernel",
        on_kernel=1,
        linear_layers=1,
        stayed_simulated=(),
        layer_difference=difference,
        difference=result.comparison.overall if result.comparison else None,
        uncompared_outputs=0,
        reason=None,
    )
    assert words in real_kernels_text(result.model_copy(update={"real_kernels": check}))
