"""What tests of whole runs share: a model of their own, and progress that remembers."""

from __future__ import annotations

import pytest
from torch import nn

from precision.errors import JobCancelledError
from precision.measure import preparation
from precision.measure.claims import measure_claims as claims
from precision.measure.models.loading import LoadedModel, load
from precision.measure.ranges import measure_ranges as measure
from precision.measure.routes import measure_routes as routes
from precision.measure.sensitivity import measure_sensitivity as sensitivity
from precision.measure.training import measure_training as training
from precision.results import AnalysisResult
from precision.spec import RunSpec


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

    for place in (preparation, measure, sensitivity, routes, claims, training):
        monkeypatch.setattr(place, "load", loaded)
