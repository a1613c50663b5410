"""What every way to cast to one format does to a model: to its tensors, its training and its output."""

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
    """The format that their values were rounded to, where `after` is only the dtype that holds them."""
    tensors: int


class TieFacts(Result):
    """Tensors that shared memory with an earlier one before the cast."""

    kept: int
    split: int
    separate_parameters: int
    """Of those kept, parameters that were one object and now are two objects with shared memory and own gradients."""


class IslandFacts(Result):
    """Modules that transformers keeps in float32 (`_keep_in_fp32_modules` and its strict variant)."""

    names: tuple[str, ...]
    """As the model class lists them."""
    kept: int
    """Of their floating-point parameters, those in float32 after the cast."""
    lost: int
    kept_after_half: int | None
    """Those still in float32 after `.half()` on the cast model; None where that raised, or changes nothing."""
    rounded: int = 0
    """Of those kept, parameters whose values were nevertheless rounded to another format."""


class TrainingFacts(Result):
    """What the cast did to gradients, and to an AdamW that had made a step before the cast."""

    parameters: int
    """Tied ones count once, unless the cast split them."""
    same_parameters: int
    """Parameters that are the same objects as before, so that the optimizer still changes the model's."""
    requiring_gradients: int
    """Parameters that require gradients after the cast; fewer than before where it froze some."""
    required_gradients: int
    """Before the cast."""
    gradients: tuple[str, ...]
    """Dtypes of the gradients that the parameters still have."""
    gradients_lost: int
    """Parameters that had a gradient and no longer have one."""
    optimizer_state: tuple[str, ...]
    """Dtypes of the optimizer's averages."""
    step_failure: str | None
    """What the optimizer's next step raised; None where it went through."""


class HalfAfterwards(Result):
    """`.half()` called on the model that is already cast."""

    raised: str | None
    """Its error, such as that of a quantized transformers model."""
    unchanged: int
    """Floating-point parameters, not in float16, whose dtype it did not change."""
    forward_failure: str | None
    """What a forward raised afterwards; None where it ran, or was not tried."""


class RouteFacts(Result):
    """One way to cast, on one model. None where not measured; the reason is in `failure`."""

    method: CastMethod
    format: str
    """The run's format; torchao's routes and their simulations have their own formats."""
    label: ExecutionLabel | None
    explanation: str
    same_object: bool | None = None
    """Whether the call returns the same module object."""
    dtypes: tuple[DtypeChange, ...] = ()
    ties: TieFacts | None = None
    islands: IslandFacts | None = None
    """None where the model has none."""
    imaginary_parts_lost: int | None = None
    """Complex tensors that the cast made real."""
    max_relative_error: float | None = None
    """Of all stored values that the cast rounded."""
    bytes_before: int | None = None
    bytes_after: int | None = None
    estimated_bytes_after: int | None = None
    """Bytes of the model if the format could be stored; None where it is stored."""
    warnings: tuple[str, ...] = ()
    """Warnings of torch during the cast."""
    said_dtype: str | None = None
    """`model.dtype`, of models of transformers: that of their first floating-point parameter."""
    said_dtype_share: float | None = None
    """Share of the floating-point parameters' elements that are really in it."""
    training: TrainingFacts | None = None
    half_afterwards: HalfAfterwards | None = None
    float32_input: Literal["accepted", "raises", "none taken"] | None = None
    """What happens to a float32 input that is not cast."""
    float32_input_failure: str | None = None
    output_dtypes: tuple[str, ...] = ()
    same_state_as_baseline: bool | None = None
    """Whether the state dict equals that after the baseline's cast, bit for bit."""
    same_output_as_baseline: bool | None = None
    """Whether the output equals the baseline's, in every bit and dtype."""
    errors: ErrorMetrics | None = None
    """Of the output against the reference, over all floating-point outputs."""
    failure: Failure | None = None


class RoutesReport(Result):
    """Every route to one format, in order, and torchao's routes with their simulations."""

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


class RoutesResult(RunResult):
    """One model by every route to one format."""

    report: RoutesReport
