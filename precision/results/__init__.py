"""The results of every analysis: frozen, numbers and words only, JSON both ways, importable without torch.

`None` means not measured. Infinities and NaN are the strings "Infinity", "-Infinity" and "NaN" in JSON,
and read back as the same floats.
"""

from precision.results.autocast import AutocastResult
from precision.results.base import Result
from precision.results.cast import CastAudit, ModuleNode, StoredValues, TensorAudit, TensorKind
from precision.results.claims import ClaimsResult, ClaimText, ClaimWord, Evidence, MeasuredClaim, Scope, Statement
from precision.results.comparison import (
    Comparison,
    ElementPair,
    ErrorDistributions,
    ErrorMetrics,
    Float64Truth,
    Histogram,
    Histogram2D,
    OutputComparison,
    RealKernelCheck,
    RoundingVerdict,
    Verdict,
)
from precision.results.cost import Cost, RunMemory, Timing
from precision.results.decisions import (
    Accuracy,
    ClassDecisions,
    CrossingDecisions,
    Decisions,
    MarginBins,
    NeighbourDecisions,
    SampleMean,
)
from precision.results.device_speed import DeviceSpeedResult, OperatorName, OperatorSpeed
from precision.results.layers import (
    Corners,
    Divergence,
    ErrorOctaves,
    ErrorSize,
    LayerErrors,
    LayerRow,
    LayersReport,
    LayersResult,
    OperatorDtypes,
    OperatorRow,
    TensorPair,
    WorstElement,
)
from precision.results.memory import FormatMemory, MemoryResult, ModelMemory
from precision.results.model import InputChoice, InputDescription, ModelDescription, StoredWeight
from precision.results.origins import NonfiniteKind, NonfiniteOrigin
from precision.results.place import DeviceInfo, Environment
from precision.results.ranges import RangesResult
from precision.results.regimes import RegimesResult
from precision.results.remedies import Remedies, Remedy
from precision.results.routes import (
    DtypeChange,
    HalfAfterwards,
    IslandFacts,
    RouteFacts,
    RoutesReport,
    RoutesResult,
    TieFacts,
    TrainingFacts,
)
from precision.results.run import AnalysisResult, CompareResult, Execution, Failure, RunResult, Score
from precision.results.samples import Picture, ReadToken, ShownSample
from precision.results.sensitivity import (
    Contribution,
    LayerSensitivity,
    SensitivityReport,
    SensitivityResult,
    UniformCheck,
)
from precision.results.sweep import SkippedRun, SweepResult, SweepRow
from precision.results.training import TrainingResult
