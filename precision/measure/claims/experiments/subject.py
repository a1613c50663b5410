"""What claims are tried on: a model, its input and its device. Facts that several claims rest on are found once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from precision.measure.casting.methods import copied
from precision.measure.claims.experiments import islands, modules, operators, providers, running, several, speed
from precision.measure.claims.experiments.storage import StorageFacts, storage_facts
from precision.measure.compare.compare import compare
from precision.measure.models.loading import LoadedModel, load
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
    def buffered(self) -> StorageFacts:
        """The same of a BatchNorm, for models without buffers."""
        return storage_facts(nn.BatchNorm1d(2))

    @cached_property
    def runs(self) -> running.RunFacts:
        """Runs in float32 and after either call."""
        return running.run_facts(self.loaded, self.device)

    @cached_property
    def bert_runs(self) -> running.RunFacts | None:
        """The same of a small BERT, where the model is none of Transformers'."""
        if any(kind.__name__ == "PreTrainedModel" for kind in type(self.loaded.module).__mro__):
            return None
        return running.run_facts(load(RunSpec(model="bert-tiny")), self.device)

    @cached_property
    def float32_inputs(self) -> running.Float32Inputs:
        """What becomes of inputs that nobody cast."""
        return running.float32_inputs(self.loaded, self.device)

    @cached_property
    def islands(self) -> islands.IslandFacts:
        """What the model wants kept in float32."""
        return islands.island_facts(self.loaded.module, self.storage)

    @cached_property
    def compared(self) -> CompareResult:
        """The whole comparison of `half()` with float32, timed."""
        spec = self.spec.model_copy(
            update={"analysis": Analysis.COMPARE, "dtype": "float16", "method": CastMethod.HALF}
        )
        return compare(Task.of(spec, _Inside(self.on_step), given=self.loaded))

    @cached_property
    def twins(self) -> speed.TwinTimes:
        """Times after either call."""
        return speed.twin_times(self.loaded, self.device, lambda done: self.on_step(done, ""))

    @cached_property
    def matrix(self) -> speed.MatrixTimes | None:
        """Times of a large product."""
        return speed.matrix_times(self.device, lambda done: self.on_step(done, ""))

    @cached_property
    def modules(self) -> modules.ModuleFacts:
        """Modules of torch.nn after either call."""
        return modules.module_facts(self.device)

    @cached_property
    def several(self) -> tuple[several.Decided, ...]:
        """What models of several kinds decide after `half()`."""
        return several.decided(self.device, lambda done: self.on_step(done, ""))

    @cached_property
    def cpu_operators(self) -> operators.OperatorFacts:
        """Operators in float16 on the CPU."""
        return operators.operator_facts(torch.device("cpu"))

    def cast_by_to(self) -> providers.AnyModuleFacts:
        """Modules of torch.nn, and the model, after `to(torch.float16)`."""
        return providers.any_module_facts("to", model=copied(self.loaded.module))


class _Inside:
    """Progress of a run inside a claim."""

    def __init__(self, on_step: Callable[[float, str], None]) -> None:
        self._on_step = on_step

    def step(self, stage: str, fraction: float, detail: str = "") -> None:
        self._on_step(fraction, f"{stage} {detail}".strip())

    def partial(self, result: AnalysisResult) -> None:
        """Do nothing: the claim's own result follows."""
