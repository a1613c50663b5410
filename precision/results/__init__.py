"""The results of every analysis: frozen, numbers and words only, JSON both ways, importable without torch.

`None` means not measured. Infinities and NaN are the strings "Infinity", "-Infinity" and "NaN" in JSON,
and read back as the same floats.
"""

from precision.results.base import Result
from precision.results.cast import CastAudit, ModuleNode, StoredValues, TensorAudit, TensorKind
from precision.results.comparison import (
    Comparison,
    Ecdf,
    ElementPair,
    ErrorDistributions,
    ErrorMetrics,
    Histogram,
    Histogram2D,
    OutputComparison,
)
from precision.results.cost import Cost, Timing
from precision.results.model import InputChoice, InputDescription, ModelDescription, Provenance
from precision.results.place import DeviceInfo, Environment
from precision.results.run import CompareResult, Execution, ExecutionLabel, Failure, RunResult

__all__ = [
    "CastAudit",
    "CompareResult",
    "Comparison",
    "Cost",
    "DeviceInfo",
    "Ecdf",
    "ElementPair",
    "Environment",
    "ErrorDistributions",
    "ErrorMetrics",
    "Execution",
    "ExecutionLabel",
    "Failure",
    "Histogram",
    "Histogram2D",
    "InputChoice",
    "InputDescription",
    "ModelDescription",
    "ModuleNode",
    "OutputComparison",
    "Provenance",
    "Result",
    "RunResult",
    "StoredValues",
    "TensorAudit",
    "TensorKind",
    "Timing",
]
