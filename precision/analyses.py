"""Running an analysis, and which type its result has; `spec.analysis` has the row of each."""

from __future__ import annotations

from importlib import import_module
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from precision.progress import Progress, Silent
from precision.results import AnalysisResult, CompareResult
from precision.spec import Analysis, RunSpec

if TYPE_CHECKING:
    from precision.measure.models.loading import LoadedModel

MODULES = tuple(dict.fromkeys(analysis.info.function.partition(":")[0] for analysis in Analysis))
"""What the analyses import: all of it needs torch."""
_SILENT = Silent()


def result_type(analysis: Analysis) -> type[AnalysisResult]:
    """The class of an analysis' result."""
    kind: type[AnalysisResult] = resolve_name(analysis.info.result)
    return kind


def analysis_of(result: type[AnalysisResult]) -> Analysis:
    """The analysis with such a result; of several, the one that measures all of it."""
    found = [analysis for analysis in Analysis if result_type(analysis) is result]
    return Analysis.COMPARE if Analysis.COMPARE in found else found[0]


def run(
    spec: RunSpec, progress: Progress = _SILENT, *, loaded: LoadedModel | None = None, **also: Any
) -> AnalysisResult:
    """Measure what `spec.analysis` says.

    Args:
        spec: what to measure; what the analysis does not read plays no part.
        progress: told of each stage, handed what is measured so far; may raise `JobCancelledError` to stop.
        loaded: a model and its input, instead of those that the spec names.
        **also: what only this analysis takes, such as `only` of claims.

    Raises:
        InputError: the spec asks for something that this machine or this model does not have.
        JobCancelledError: from `progress`.
    """
    result: AnalysisResult = import_module("precision.measure.run").run(spec, progress, loaded=loaded, **also)
    return result


def compare(spec: RunSpec, progress: Progress = _SILENT, *, loaded: LoadedModel | None = None) -> CompareResult:
    """The comparison of a spec; as `run` otherwise."""
    result = run(spec.model_copy(update={"analysis": Analysis.COMPARE}), progress, loaded=loaded)
    if not isinstance(result, CompareResult):
        raise TypeError(f"A comparison was asked for, and gave a {type(result).__name__}.")
    return result
