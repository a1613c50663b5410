"""What claims are tried on: a model, its input and its device. Facts that several claims rest on are found once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch

from precision.measure.claims.facts.running import RunFacts, run_facts
from precision.measure.claims.facts.storage import StorageFacts, storage_facts
from precision.measure.compare.compare import compare
from precision.measure.models.loading import LoadedModel
from precision.measure.preparation import Task
from precision.results import AnalysisResult, CompareResult
from precision.spec import Analysis, CastMethod, RunSpec


@dataclass(frozen=True, eq=False)
class Subject:
    """One model on one device; every fact is found the first time it is asked for, on copies of the model."""

    spec: RunSpec
    loaded: LoadedModel
    device: torch.device
    on_step: Callable[[float, str], None]
    """Told the share of the current claim that is done, and at what; may raise to stop."""

    @cached_property
    def storage(self) -> StorageFacts:
        """Stored tensors before and after either call."""
        return storage_facts(self.loaded.module)

    @cached_property
    def runs(self) -> RunFacts:
        """Runs in float32 and after either call."""
        return run_facts(self.loaded, self.device)

    @cached_property
    def compared(self) -> CompareResult:
        """The whole comparison of `half()` with float32, timed."""
        spec = self.spec.model_copy(
            update={"analysis": Analysis.COMPARE, "dtype": "float16", "method": CastMethod.HALF}
        )
        return compare(Task.of(spec, self, given=self.loaded))

    def on_share(self, done: float) -> None:
        """Tell the share of the current claim that is done."""
        self.on_step(done, "")

    def step(self, stage: str, fraction: float, detail: str = "") -> None:
        """Progress of a run inside the current claim."""
        self.on_step(fraction, f"{stage} {detail}".strip())

    def partial(self, result: AnalysisResult) -> None:
        """Do nothing: the claim's own result follows."""
