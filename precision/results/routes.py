"""What every way to cast to one format does to a model: its tensors, its training, its output."""

from __future__ import annotations

from typing import Literal

from precision.results.base import Result
from precision.results.comparison import ErrorMetrics
from precision.results.run import ExecutionLabel, Failure, RunResult
from precision.spec import CastMethod

TensorGroup = Literal[
    "parameter", "floating buffer", "integer or bool buffer", "complex parameter or buffer", "plain attribute"
]
"""By what they were before the cast."""


class DtypeChange(Result):
    """How many tensors of one group went from one dtype to another, or stayed."""

    group: TensorGroup
    before: str
    after: str
    rounded_to: str | None
    """The format that their values were rounded to, where `after` is what merely holds them."""
    tensors: int


class TieFacts(Result):
    """Tensors that shared memory with an earlier one before the cast."""

    kept: int
    split: int
    separate_parameters: int
    """Of those kept, parameters that were one object and are two that share memory: their gradients differ."""


class IslandFacts(Result):
    """Modules that transformers asks to keep in float32 (`_keep_in_fp32_modules` and its strict kin)."""

    names: tuple[str, ...]
    """As the model class lists them."""
    kept: int
    """Of their floating-point parameters, those in float32 after the cast."""
    lost: int
    kept_after_half: int | None
    """Those still in float32 after `.half()` on the cast model; None where that raised, or changes nothing."""
    rounded: int = 0
    """Of those kept, parameters whose values were rounded all the same, to another format that float32 holds."""


class TrainingFacts(Result):
    """What the cast did to gradients, and to an AdamW that was made, and had made a step, before it."""

    parameters: int
    """Tied ones count once, unless the cast split them."""
    same_parameters: int
    """Parameters that are the same objects as before, so that the optimizer still changes the model's."""
    requiring_gradients: int
    """After the cast; all of those that did before, where nothing is frozen by it."""
    required_gradients: int
    """Before it."""
    gradients: tuple[str, ...]
    """Dtypes of the gradients that the parameters still have."""
    gradients_lost: int
    """Parameters that had a gradient, and have none any more."""
    optimizer_state: tuple[str, ...]
    """Dtypes of the optimizer's averages."""
    step_failure: str | None
    """What the optimizer's next step raised; None where it went through."""


class HalfAfterwards(Result):
    """`.half()` called on the model that is already cast."""

    raised: str | None
    """Its refusal, such as that of a quantized model of transformers."""
    unchanged: int
    """Floating-point parameters whose dtype it left as it was, other than float16."""
    forward_failure: str | None
    """What a forward raised afterwards; None where it ran, or was not tried."""


class RouteFacts(Result):
    """One way to cast, on one model. What was not measured is None; why is in `failure`."""

    method: CastMethod
    format: str
    """That of the run; torchao's routes, which it has not, and their simulations have formats of their own."""
    label: ExecutionLabel | None
    explanation: str
    same_object: bool | None = None
    """Whether the call returns the very module that it was called on."""
    dtypes: tuple[DtypeChange, ...] = ()
    ties: TieFacts | None = None
    islands: IslandFacts | None = None
    """None where the model asks for none."""
    imaginary_parts_lost: int | None = None
    """Complex tensors that the cast made real."""
    max_relative_error: float | None = None
    """Of all stored values that the cast rounded."""
    bytes_before: int | None = None
    bytes_after: int | None = None
    estimated_bytes_after: int | None = None
    """What the model would take if the format could be stored; None where it is."""
    warnings: tuple[str, ...] = ()
    """What torch warned of during the cast."""
    said_dtype: str | None = None
    """`model.dtype`, of models of transformers: that of their first floating-point parameter."""
    said_dtype_share: float | None = None
    """Share of the floating-point parameters' elements that are really in it."""
    training: TrainingFacts | None = None
    half_afterwards: HalfAfterwards | None = None
    float32_input: Literal["accepted", "raises", "none taken"] | None = None
    """What a float32 input does, which nobody casts."""
    float32_input_failure: str | None = None
    output_dtypes: tuple[str, ...] = ()
    same_state_as_baseline: bool | None = None
    """Whether the state dict is bit for bit that after the baseline's cast."""
    same_output_as_baseline: bool | None = None
    """Whether the output is, bit for bit and dtype for dtype."""
    errors: ErrorMetrics | None = None
    """Of the output against the reference, over all floating-point outputs."""
    failure: Failure | None = None


class RoutesReport(Result):
    """Every route to one format, in order, and those of torchao, each beside its simulation."""

    baseline: CastMethod | None
    """The route that the others are compared with: the first that ran, `.half()` for float16."""
    routes: tuple[RouteFacts, ...]
    """Those tried so far."""
    of: int
    """How many there are to try."""

    @property
    def is_complete(self) -> bool:
        """Whether every route was tried."""
        return len(self.routes) == self.of

    def route(self, method: CastMethod) -> RouteFacts | None:
        """The facts of one route; None where it is not among them."""
        return next((facts for facts in self.routes if facts.method is method), None)


class RoutesResult(RunResult):
    """One model by every route to one format."""

    report: RoutesReport
