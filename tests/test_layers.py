"""One comparison layer by layer from start to end, on real models."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from precision import layers, preparation
from precision.errors import InputError, JobCancelledError
from precision.layers import compare_layers
from precision.models.loading import LoadedModel, load
from precision.results import RunResult
from precision.results.layers import LayersResult
from precision.spec import RunSpec
from tests.awkward_models import Float32Mask
from tests.zoo import Masked


class Recorder:
    """Progress that remembers, and stops where it is told to."""

    def __init__(self, stop_at: str | None = None) -> None:
        self.steps: list[tuple[str, float, str]] = []
        self._stop_at = stop_at

    def step(self, stage: str, fraction: float, detail: str = "") -> None:
        self.steps.append((stage, fraction, detail))
        if self._stop_at is not None and self._stop_at in (stage, detail):
            raise JobCancelledError("enough")

    def partial(self, result: RunResult) -> None:
        """Keep nothing."""


def with_model(monkeypatch: pytest.MonkeyPatch, module: nn.Module, *args: torch.Tensor) -> None:
    """Have `compare_layers` load this module instead of the spec's."""

    def loaded(spec: RunSpec) -> LoadedModel:
        usual = load(RunSpec())
        return LoadedModel(module.eval(), args, {}, usual.description, usual.input, None)

    monkeypatch.setattr(preparation, "load", loaded)


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
    fractions = [fraction for _, fraction, _ in progress.steps]
    assert fractions == sorted(fractions)
    assert next(detail for _, _, detail in progress.steps if detail) == "token_embedding"
    assert LayersResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize("stage", ["Loading the model", "Casting to float16", "linear_2"])
def test_cancelling_ends_it(stage: str) -> None:
    with pytest.raises(JobCancelledError, match="enough"):
        compare_layers(RunSpec(), Recorder(stop_at=stage))


def test_a_failure_keeps_what_was_compared_and_the_remedy_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Float32Mask(), torch.ones(2, 3))
    result = compare_layers(RunSpec())
    assert result.failure is not None
    assert result.failure.where == "inner.1"
    assert result.report is not None
    assert result.report.stopped is not None
    assert result.report.row_of("first") is not None
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
    assert result.report.observer.changed == any("unobserved" in warning for warning in result.warnings)


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
