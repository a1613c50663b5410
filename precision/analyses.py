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
    Analysis.COMPARE: "precision.measure.compare.compare:compare",
    Analysis.LAYERS: "precision.measure.lockstep.compare_layers:compare_layers",
    Analysis.RANGES: "precision.measure.ranges.measure_ranges:measure_ranges",
    Analysis.REGIMES: "precision.measure.regimes.measure_regimes:measure_regimes",
    Analysis.MEMORY: "precision.measure.memory:measure_memory",
    Analysis.DEVICE_SPEED: "precision.measure.machine.device_speed:measure_device_speed",
    Analysis.SENSITIVITY: "precision.measure.sensitivity.measure_sensitivity:measure_sensitivity",
    Analysis.TRAINING: "precision.measure.training.measure_training:measure_training",
    Analysis.AUTOCAST: "precision.measure.autocast.measure_autocast:measure_autocast",
    Analysis.ROUTES: "precision.measure.routes.measure_routes:measure_routes",
    Analysis.CLAIMS: "precision.measure.claims.measure_claims:measure_claims",
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
