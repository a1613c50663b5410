"""One analysis from start to end: what every result of one says, and the comparison's."""

from __future__ import annotations

from typing import Literal

from precision.results.base import Result
from precision.results.cast import CastAudit
from precision.results.comparison import Comparison, RealKernelCheck, Verdict
from precision.results.cost import Cost, RunMemory
from precision.results.model import InputDescription, ModelDescription
from precision.results.place import DeviceInfo, Environment
from precision.spec import RunSpec

ExecutionLabel = Literal["native", "upcast", "simulated", "unsupported"]


class Execution(Result):
    """How the candidate really computed."""

    label: ExecutionLabel
    explanation: str


class Failure(Result):
    """Why a run stopped; what was measured before it is in the same result."""

    stage: str
    where: str | None
    """fqn of the module."""
    message: str


class AnalysisResult(Result):
    """What every analysis says of itself; what it measured is None where it stopped early (see `failure`)."""

    spec: RunSpec
    device: DeviceInfo
    environment: Environment
    failure: Failure | None
    warnings: tuple[str, ...]
    elapsed_s: float


class RunResult(AnalysisResult):
    """What an analysis says that runs a model."""

    model: ModelDescription
    input: InputDescription | None
    execution: Execution


class Score(Result):
    """What a caller's own function says of both models, such as an accuracy."""

    reference: float
    candidate: float

    @property
    def difference(self) -> float:
        """Candidate's less reference's."""
        return self.candidate - self.reference


class CompareResult(RunResult):
    """Everything one comparison measured."""

    audit: CastAudit | None
    comparison: Comparison | None
    cost: Cost | None
    memory: RunMemory | None = None
    """None where nothing ran."""
    real_kernels: RealKernelCheck | None = None
    """Of simulated candidates without a plan only."""
    verdict: Verdict | None = None
    """By the usual yardsticks; None where nothing was to be compared."""
    score: Score | None = None
    """None where the caller has none."""

    @property
    def candidate_name(self) -> str:
        """The candidate's formats, with the word that its times need where its arithmetic is not real."""
        return f"{self.spec.candidate} (simulated)" if self.execution.label == "simulated" else self.spec.candidate
