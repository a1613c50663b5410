"""What tests of whole runs share: a model of their own, and progress that remembers."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import pytest
from torch import nn

from precision import analyses
from precision.errors import JobCancelledError
from precision.measure import preparation
from precision.measure.models.loading import LoadedModel, load
from precision.progress import Progress, Silent
from precision.results import (
    AnalysisResult,
    AutocastResult,
    ClaimsResult,
    CompareResult,
    DeviceSpeedResult,
    LayersResult,
    MemoryResult,
    RangesResult,
    RegimesResult,
    RoutesResult,
    SensitivityResult,
    TrainingResult,
)
from precision.spec import Analysis, RunSpec


class Recorder:
    """Keeps every step and partial result, and cancels at the stage or module it is told to stop at."""

    def __init__(self, stop_at: str | None = None) -> None:
        self.fractions: list[float] = []
        self.stages: list[str] = []
        self.details: list[str] = []
        self.partials: list[AnalysisResult] = []
        self._stop_at = stop_at

    def step(self, stage: str, fraction: float, detail: str = "") -> None:
        self.fractions.append(fraction)
        self.stages.append(stage)
        self.details.append(detail)
        if self._stop_at is not None and (stage.startswith(self._stop_at) or detail == self._stop_at):
            raise JobCancelledError("enough")

    def partial(self, result: AnalysisResult) -> None:
        self.partials.append(result)


def with_model(monkeypatch: pytest.MonkeyPatch, module: nn.Module, *args: object, **kwargs: object) -> None:
    """Have every analysis load this module instead of the spec's."""

    def loaded(spec: RunSpec) -> LoadedModel:
        usual = load(RunSpec())
        return LoadedModel(module.eval(), args, kwargs, usual.description, usual.input, None)

    monkeypatch.setattr(preparation, "load", loaded)


R_co = TypeVar("R_co", bound=AnalysisResult, covariant=True)


class Measuring(Protocol[R_co]):
    """Runs one analysis, whichever the spec says."""

    def __call__(self, spec: RunSpec, progress: Progress = ..., **also: Any) -> R_co: ...


def _measuring(analysis: Analysis, kind: type[R_co]) -> Measuring[R_co]:
    def measured(spec: RunSpec, progress: Progress = _SILENT, **also: Any) -> R_co:
        result = analyses.run(spec.model_copy(update={"analysis": analysis}), progress, **also)
        assert isinstance(result, kind)
        return result

    return measured


_SILENT = Silent()
compare_errors = _measuring(Analysis.ERRORS, CompareResult)
audit_cast = _measuring(Analysis.AUDIT, CompareResult)
compare = _measuring(Analysis.COMPARE, CompareResult)
compare_layers = _measuring(Analysis.LAYERS, LayersResult)
measure_ranges = _measuring(Analysis.RANGES, RangesResult)
measure_regimes = _measuring(Analysis.REGIMES, RegimesResult)
measure_routes = _measuring(Analysis.ROUTES, RoutesResult)
measure_sensitivity = _measuring(Analysis.SENSITIVITY, SensitivityResult)
measure_training = _measuring(Analysis.TRAINING, TrainingResult)
measure_autocast = _measuring(Analysis.AUTOCAST, AutocastResult)
measure_claims = _measuring(Analysis.CLAIMS, ClaimsResult)
measure_memory = _measuring(Analysis.MEMORY, MemoryResult)
measure_device_speed = _measuring(Analysis.DEVICE_SPEED, DeviceSpeedResult)
