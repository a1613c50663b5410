"""Which function measures each analysis, and which type its result has."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from precision.progress import Progress
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

__all__ = ["FUNCTIONS", "RESULTS", "Analysis", "run"]

FUNCTIONS: Mapping[Analysis, str] = {
    Analysis.COMPARE: "precision.compare:compare",
    Analysis.LAYERS: "precision.layers:compare_layers",
    Analysis.RANGES: "precision.ranges.measure:measure_ranges",
    Analysis.REGIMES: "precision.regimes.measure:measure_regimes",
    Analysis.MEMORY: "precision.memory:measure_memory",
    Analysis.DEVICE_SPEED: "precision.device_speed:measure_device_speed",
    Analysis.SENSITIVITY: "precision.sensitivity.measure:measure_sensitivity",
    Analysis.TRAINING: "precision.training.measure:measure_training",
    Analysis.AUTOCAST: "precision.autocast.measure:measure_autocast",
    Analysis.ROUTES: "precision.routes.measure:measure_routes",
    Analysis.CLAIMS: "precision.claims.measure:measure_claims",
}
"""`module:function`, each of a `RunSpec` and a `Progress`. By name, since all of these modules import torch."""
RESULTS: Mapping[Analysis, type[AnalysisResult]] = {
    Analysis.COMPARE: CompareResult,
    Analysis.LAYERS: LayersResult,
    Analysis.RANGES: RangesResult,
    Analysis.REGIMES: RegimesResult,
    Analysis.MEMORY: MemoryResult,
    Analysis.DEVICE_SPEED: DeviceSpeedResult,
    Analysis.SENSITIVITY: SensitivityResult,
    Analysis.TRAINING: TrainingResult,
    Analysis.AUTOCAST: AutocastResult,
    Analysis.ROUTES: RoutesResult,
    Analysis.CLAIMS: ClaimsResult,
}


def run(spec: RunSpec, progress: Progress) -> AnalysisResult:
    """Measure what `spec.analysis` says.

    Raises:
        InputError: the spec asks for something that this machine or this model does not have.
        JobCancelledError: from `progress`.
    """
    module, _, function = FUNCTIONS[spec.analysis].partition(":")
    result: AnalysisResult = getattr(import_module(module), function)(spec, progress)
    return result
