"""The parts that every analysis' result has, and the result of a comparison."""

from typing import Literal

from pydantic import AwareDatetime

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
    of_reference: bool = False
    """Whether the reference itself raised, so that no format is to blame."""


class AnalysisResult(Result):
    """The part of a result that every analysis has; measurements are None where it stopped early (see `failure`)."""

    spec: RunSpec
    device: DeviceInfo
    environment: Environment
    failure: Failure | None
    warnings: tuple[str, ...]
    elapsed_s: float
    measured_at: AwareDatetime
    """When the run began, in UTC."""
    content: str | None = None
    """Tells what the files of an `hf:` checkpoint held; see `measure.models.content`. None for other models."""


class RunResult(AnalysisResult):
    """The part of a result that every analysis of a model has."""

    model: ModelDescription
    input: InputDescription | None
    execution: Execution


class Score(Result):
    """The values of a caller's own function for both models, such as an accuracy."""

    reference: float
    candidate: float

    @property
    def difference(self) -> float:
        """The candidate's minus the reference's."""
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
    """With the default yardsticks; None where nothing was compared."""
    score: Score | None = None
    """None without such a function."""

    @property
    def candidate_name(self) -> str:
        """The candidate's formats, with "(simulated)" where its arithmetic is not real."""
        return f"{self.spec.candidate} (simulated)" if self.execution.label == "simulated" else self.spec.candidate
