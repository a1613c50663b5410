"""What a model does when it runs after either call."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from precision.errors import ForwardError, UnsupportedError
from precision.formats import format_named
from precision.measure.casting import methods as casting
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.forward import seeded, shortened
from precision.measure.casting.wrapped_tensors import same_bits
from precision.measure.claims.shown.attempt import raised
from precision.measure.claims.shown.watching import Operators, activations
from precision.measure.metrics.outputs import flatten
from precision.measure.models.loading import LoadedModel
from precision.spec import CastMethod

FLOAT16, FLOAT32 = format_named("float16"), format_named("float32")


@dataclass(frozen=True, kw_only=True)
class RunSeen:
    """One run of the model."""

    failure: str | None
    outputs: tuple[str, ...] = ()
    """dtypes of the floating-point tensors that it returned."""
    activations: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """How many floating-point outputs of layers had each dtype."""
    operators: tuple[str, ...] = ()
    """Every operator with the dtypes of its tensors, in order."""


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """The model run in float32 and after either call."""

    reference: RunSeen
    half: RunSeen
    to: RunSeen
    same_outputs: bool | None
    """Whether both calls give the same bits; None where one of them does not run."""
    between_calls: float | None = None
    """The largest absolute difference between floating-point outputs after one call and after the other."""


@dataclass(frozen=True, kw_only=True)
class Float32Inputs:
    """What happens to inputs that nobody cast."""

    own: bool
    """Whether the model itself was tried; a linear layer where it has no floating-point input."""
    half: str | None
    """What it raised after `half()`; None where it ran."""
    to: str | None


def run_facts(loaded: LoadedModel, device: torch.device) -> RunFacts:
    """Run the model in float32, after `half()` and after `to(torch.float16)`, inputs cast for it."""
    (reference, _), (half, one), (to, other) = (
        _observed(model, loaded)
        for model in (
            casting.reference(loaded.module, FLOAT32, device=device),
            *(_cast(loaded.module, method, device) for method in (CastMethod.HALF, CastMethod.TO)),
        )
    )
    same, between = None, None
    if half.failure is None and to.failure is None:
        same = len(one) == len(other) and all(map(same_bits, one, other))
        between = _largest_difference(one, other)
    return RunFacts(reference=reference, half=half, to=to, same_outputs=same, between_calls=between)


def _largest_difference(ones: list[Tensor], others: list[Tensor]) -> float | None:
    """NaN where a difference is; None without floating-point outputs of equal shapes."""
    pairs = zip(ones, others, strict=False)
    differences = [
        (one.double() - other.double()).abs().max().item()
        for one, other in pairs
        if one.is_floating_point() and other.is_floating_point() and one.shape == other.shape and one.numel()
    ]
    return math.nan if any(map(math.isnan, differences)) else max(differences, default=None)


def float32_inputs(loaded: LoadedModel, device: torch.device) -> Float32Inputs:
    """Hand float32 inputs to the model after either call."""
    own = any(leaf.kind == "floating" for leaf in flatten((loaded.args, dict(loaded.kwargs))).leaves)
    if not own:
        layer, features = nn.Linear(2, 2).float().eval(), torch.zeros(1, 2, dtype=torch.float32)
        loaded = dataclasses.replace(loaded, module=layer, args=(features,), kwargs={})
    said = {}
    for method in (CastMethod.HALF, CastMethod.TO):
        model = dataclasses.replace(_cast(loaded.module, method, device), input_dtype=torch.float32)
        with seeded(device):
            message = raised(model.prepared(loaded.args, loaded.kwargs))
        said[method] = message and shortened(message)
    return Float32Inputs(own=own, half=said[CastMethod.HALF], to=said[CastMethod.TO])


def _cast(module: nn.Module, method: CastMethod, device: torch.device) -> CastModel:
    return casting.cast(module, FLOAT16, method=method, device=device)


def _observed(model: CastModel, loaded: LoadedModel) -> tuple[RunSeen, list[Tensor]]:
    """What a run did, and its output tensors; a forward that raises is an observation too."""
    run = model.prepared(loaded.args, loaded.kwargs)
    try:
        with seeded(model.device), activations(run.module) as counts, Operators() as operators:
            output = run.explained()
    except (ForwardError, UnsupportedError) as error:
        return RunSeen(failure=str(error)), []
    leaves = flatten(output).leaves
    seen = RunSeen(
        failure=None,
        outputs=tuple(leaf.dtype for leaf in leaves if leaf.kind == "floating"),
        activations=dict(counts),
        operators=tuple(operators.seen),
    )
    return seen, [leaf.tensor for leaf in leaves]
