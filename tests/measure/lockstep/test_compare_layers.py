"""One comparison layer by layer from start to end, on real models."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from precision.errors import InputError, JobCancelledError
from precision.measure.lockstep import compare_layers as layers
from precision.measure.lockstep import director
from precision.results import AnalysisResult
from precision.results.layers import LayersResult
from precision.spec import Analysis, RunSpec
from tests.measure.lockstep.side_by_side import row_of
from tests.runs import Recorder, compare_layers, with_model
from tests.zoo.awkward_models import Float32Mask
from tests.zoo.cases import Masked


def test_tinynet_layer_by_layer() -> None:
    progress = Recorder()
    result = compare_layers(RunSpec(), progress)
    assert result.failure is None
    report = result.report
    assert report is not None
    assert [row.fqn for row in report.rows if row.is_leaf] == [
        "token_embedding",
        "linear_1",
        "layernorm_1",
        "linear_2",
        "layernorm_2",
        "head",
    ]
    head = report.errors_of(0)
    assert head is not None
    assert head.max_abs_error == pytest.approx(0.00022590160369873047, rel=1e-5)
    assert all(row.corners is not None for row in report.rows if row.is_leaf)
    assert report.observer is not None
    assert not report.observer.changed
    fractions = progress.fractions
    assert fractions == sorted(fractions)
    assert next(filter(None, progress.details)) == "token_embedding"
    assert LayersResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize("stage", ["Loading the model", "Casting to float16", "linear_2"])
def test_cancelling_ends_it(stage: str) -> None:
    with pytest.raises(JobCancelledError, match="enough"):
        compare_layers(RunSpec(), Recorder(stop_at=stage))


def test_what_ends_a_run_leaves_the_rows_compared_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(director, "FIRST_PARTIAL_S", 0.0)
    monkeypatch.setattr(director, "PARTIAL_GROWTH", 0.0)
    whole = compare_layers(RunSpec()).report
    progress = Recorder(stop_at="layernorm_2")
    with pytest.raises(JobCancelledError, match="enough"):
        compare_layers(RunSpec(), progress)
    partial = progress.partials[-1]
    assert isinstance(partial, LayersResult)
    assert whole is not None
    assert partial.report is not None
    kept = [row.fqn for row in partial.report.rows if row.finished is not None]
    assert kept == ["token_embedding", "linear_1", "layernorm_1", "linear_2"]
    for fqn in kept:
        row, same = row_of(partial.report, fqn), row_of(whole, fqn)
        assert row is not None
        assert row == same
    assert LayersResult.model_validate_json(partial.model_dump_json()) == partial


def test_memory_that_runs_out_late_keeps_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(Recorder):
        def partial(self, result: AnalysisResult) -> None:
            super().partial(result)
            if len(self.partials) == 3:
                raise MemoryError("full")

    monkeypatch.setattr(director, "FIRST_PARTIAL_S", 0.0)
    monkeypatch.setattr(director, "PARTIAL_GROWTH", 0.0)
    result = compare_layers(RunSpec(), Full())
    assert result.failure is not None
    assert result.report is not None
    assert sum(row.finished is not None for row in result.report.rows) == 3


def test_partial_results_come_at_growing_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(director, "FIRST_PARTIAL_S", 0.0)
    monkeypatch.setattr(director, "PARTIAL_GROWTH", 1e9)
    progress = Recorder()
    compare_layers(RunSpec(), progress)
    assert len(progress.partials) == 1


def test_a_failure_keeps_what_was_compared_and_the_remedy_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Float32Mask(), torch.ones(2, 3))
    result = compare_layers(RunSpec())
    assert result.failure is not None
    assert result.failure.where == "inner.1"
    assert result.report is not None
    assert result.report.stopped is not None
    assert row_of(result.report, "first") is not None
    remedy = result.report.stopped.keep
    assert remedy is not None
    again = compare_layers(RunSpec(keep=(remedy,)))
    assert again.failure is None
    assert again.report is not None
    assert again.report.errors_of(0) is not None


def test_an_unknown_module_to_keep_is_refused() -> None:
    with pytest.raises(InputError, match="no module 'nowhere' to keep"):
        compare_layers(RunSpec(keep=("nowhere",)))


def test_a_model_that_fails_by_itself_has_no_module_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Masked(-1e9), torch.randn(2, 4, 4))
    result = compare_layers(RunSpec())
    assert result.failure is not None
    assert result.report is not None
    assert result.report.stopped is not None
    assert (result.report.stopped.operator, result.report.stopped.keep) == ("masked_fill", None)


def test_a_fused_path_that_watching_switches_off_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1)
    with_model(monkeypatch, encoder, torch.randn(2, 3, 8))
    result = compare_layers(RunSpec(dtype="bfloat16"))
    assert result.report is not None
    assert any("fused path" in note for note in result.report.notes)
    assert result.report.observer is not None
    assert result.report.observer.changed == any("without observation" in warning for warning in result.warnings)


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
def test_memory_that_runs_out_while_comparing_is_a_failure_with_advice(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def hungry(*_args: object, **_kwargs: object) -> None:
        raise error("too much")

    monkeypatch.setattr(layers, "run_lockstep", hungry)
    result = compare_layers(RunSpec())
    assert result.report is None
    assert result.failure is not None
    assert "out of memory. Choose a smaller batch" in result.failure.message


def test_a_plan_runs_side_by_side_with_the_reference() -> None:
    result = compare_layers(RunSpec.parse({"model": "tinynet", "plan": [("linear_2", "float16")]}))
    assert result.failure is None
    report = result.report
    assert report is not None
    exact = {row.fqn: row.errors.exact_share == 1 for row in report.rows if row.errors}
    assert exact["linear_1"]
    assert exact["layernorm_1"]
    assert not exact["linear_2"]


class Chaotic(nn.Module):
    """Sixty steps of the logistic map: float32 is as lost as any other format."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).sigmoid()
        for _ in range(60):
            x = 3.99 * x * (1 - x)
        return x


def test_no_remedy_is_tried_for_an_error_that_is_not_the_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    with_model(monkeypatch, Chaotic(), torch.randn(20, 8))
    result = compare_layers(RunSpec(dtype="bfloat16", analysis=Analysis.LAYERS))
    assert result.remedies is None
    assert "as far from float64" in result.warnings[0]
    assert result.report is not None
