"""The autocast table against torch's own operators, called under autocast directly."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from precision.errors import JobCancelledError, UnsupportedError
from precision.measure.autocast import measure_autocast as measure
from precision.measure.autocast.operators import OPERATORS, Operator
from precision.measure.rounding import dtype_name
from precision.results.autocast import AutocastOperator, AutocastResult
from precision.spec import Analysis, RunSpec
from tests.runs import Recorder, measure_autocast

LOWER = ("bfloat16", "float16")


def table(dtype: str) -> dict[str, AutocastOperator]:
    result = measure_autocast(RunSpec(dtype=dtype, analysis=Analysis.AUTOCAST))
    return {operator.name: operator for operator in result.operators}


@pytest.fixture(scope="module")
def bfloat16() -> dict[str, AutocastOperator]:
    return table("bfloat16")


def test_many_operators_are_tried_each_once() -> None:
    names = Counter(operator.name for operator in OPERATORS)
    assert len(names) >= 60
    assert set(names.values()) == {1}


def test_the_output_is_torchs_own_for_every_operator(bfloat16: dict[str, AutocastOperator]) -> None:
    for operator in OPERATORS:
        inputs = [torch.rand(shape) * 0.8 + 0.1 for shape in operator.shapes]
        found = bfloat16[operator.name]
        if found.rule == "not run":  # oneDNN has no bfloat16 LSTM for a processor without AVX-512
            with torch.autocast("cpu", torch.bfloat16), pytest.raises(RuntimeError, match=re.escape(found.reason)):
                operator.call(*inputs)
            continue
        with torch.autocast("cpu", torch.bfloat16):
            output = operator.call(*inputs)
        first = output if isinstance(output, torch.Tensor) else output[0]  # type: ignore[index]
        assert dtype_name(first.dtype) == found.output, operator.name


@pytest.mark.parametrize("dtype", LOWER)
def test_rules_that_are_known_of_the_cpu(dtype: str) -> None:
    found = table(dtype)
    low = getattr(torch, dtype)
    x, w = torch.rand(4, 4), torch.rand(4, 4)
    with torch.autocast("cpu", low):
        assert functional.linear(x, w).dtype == low
        assert functional.softmax(x, dim=-1).dtype == torch.float32
        assert functional.softmax(x.to(low), dim=-1).dtype == low
        assert functional.mse_loss(x.to(low), w.to(low)).dtype == torch.float32
        assert torch.cat([x.to(low), w]).dtype == torch.float32
    assert found["linear"].rule == "lower"
    assert found["linear"].computed == (dtype,)
    assert found["conv2d"].rule == "lower"
    assert found["softmax"].rule == "as given"
    assert (found["softmax"].computed, found["softmax"].computed_lower) == (("float32",), (dtype,))
    assert found["mse_loss"].rule == "float32"
    assert found["mse_loss"].computed_lower == ("float32",)
    assert found["cat"].rule == "widest input"
    assert found["cat"].computed_mixed == ("float32",)


@pytest.mark.parametrize("dtype", LOWER)
def test_gradients_are_torchs_own_for_every_operator(dtype: str) -> None:
    found = table(dtype)
    for operator in OPERATORS:
        inputs = [torch.rand(shape) * 0.8 + 0.1 for shape in operator.shapes]
        for at, each in enumerate(inputs):
            each.requires_grad_(at not in operator.statistics)
        try:
            with torch.autocast("cpu", getattr(torch, dtype)):
                output = operator.call(*inputs)
            first = output if isinstance(output, torch.Tensor) else output[0]  # type: ignore[index]
            first.sum().abs().backward()
        except RuntimeError as error:
            kind, message = "raises", str(error)[:40]
        else:
            kind, message = "the same", "the same"
            assert inputs[0].grad is not None
        assert found[operator.name].with_gradients == kind, operator.name
        assert message in found[operator.name].gradients_text


def planted(monkeypatch: pytest.MonkeyPatch, call: Callable[[Tensor], object]) -> AutocastOperator:
    monkeypatch.setattr(measure, "OPERATORS", (Operator("odd", "others", ((4, 4),), call),))
    (row,) = table("bfloat16").values()
    return row


class NoBackward(torch.autograd.Function):
    """Runs forward only."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.exp()

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        raise RuntimeError("no way back")


def test_what_gradients_change_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward_only(x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            raise RuntimeError("not in training")
        return x.exp()

    raised = planted(monkeypatch, forward_only)
    assert (raised.rule, raised.gradients_text) == ("as given", "raises in its forward: not in training")
    back = planted(monkeypatch, NoBackward.apply)
    assert back.gradients_text == "raises in its backward: no way back"
    assert planted(monkeypatch, lambda x: x.argmax()).gradients_text == "not differentiable"
    other = planted(monkeypatch, lambda x: x @ x if torch.is_grad_enabled() else x.exp())
    assert (other.with_gradients, other.gradients_text) == ("computes otherwise", "computes in bfloat16")


def test_those_that_run_but_cannot_be_trained_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "OPERATORS", (Operator("odd", "others", ((4,),), _refuse),))
    result = measure_autocast(RunSpec(dtype="bfloat16", analysis=Analysis.AUTOCAST))
    assert [operator.name for operator in result.untrainable] == ["odd"]


def _refuse(x: Tensor) -> Tensor:
    if x.requires_grad:
        raise RuntimeError("no")
    return x.exp()


def test_without_autocast_no_operator_would_be_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    class Off:
        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(measure, "require_autocast", lambda *_: None)
    monkeypatch.setattr(torch, "autocast", Off)
    found = table("bfloat16")
    assert found["linear"].rule == "as given"
    assert found["mse_loss"].rule == "widest input"  # torch promotes here by itself
    assert not {operator.rule for operator in found.values()} & {"lower"}


def test_an_operator_that_raises_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("no kernel for this")

    monkeypatch.setattr(measure, "OPERATORS", (Operator("odd", "others", ((2,),), refuse),))
    (row,) = table("bfloat16").values()
    assert (row.rule, row.output, row.computed, row.reason) == ("not run", None, (), "no kernel for this")


def test_formats_that_autocast_does_not_know() -> None:
    for dtype in ("float32", "int8", "float8_e4m3fn"):
        with pytest.raises(UnsupportedError, match="Autocast lowers to float16 or bfloat16"):
            measure_autocast(RunSpec(dtype=dtype, analysis=Analysis.AUTOCAST))


def test_progress_and_cancel() -> None:
    recorder = Recorder()
    result = measure_autocast(RunSpec(analysis=Analysis.AUTOCAST), recorder)
    assert recorder.fractions == sorted(recorder.fractions)
    assert len(recorder.fractions) == len(result.operators)
    with pytest.raises(JobCancelledError):
        measure_autocast(RunSpec(analysis=Analysis.AUTOCAST), Recorder("Running softmax"))


def test_the_result_reads_back_and_only_device_and_format_are_its_key() -> None:
    asked = RunSpec(model="digits", dtype="bfloat16", seed=7, analysis=Analysis.AUTOCAST)
    result = measure_autocast(asked)
    assert result.spec == asked.measured == RunSpec(dtype="bfloat16", analysis=Analysis.AUTOCAST)
    assert AutocastResult.model_validate_json(result.model_dump_json()) == result
    assert sum(
        len(result.of_rule(rule)) for rule in ("lower", "float32", "widest input", "as given", "not run")
    ) == len(result.operators)
