"""The first step of an optimizer, parameter by parameter, against the same step in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from precision.formats import AnyFormat
from precision.metrics.statistics import ErrorStatistics
from precision.results.training import OptimizerName, OptimizerStep
from precision.rounding import dtype_name
from precision.training.backward import Gradients

_OPTIMIZERS: Mapping[OptimizerName, Callable[[list[nn.Parameter]], torch.optim.Optimizer]] = {
    "SGD": torch.optim.SGD,
    "AdamW": torch.optim.AdamW,
}
"""With torch's own settings: a learning rate of 0.001, and of AdamW a weight decay of 0.01 and an epsilon of 1e-8."""
Weights = Mapping[str, Tensor]


def optimizer_steps(
    reference: Weights,
    reference_gradients: Gradients,
    weights: Weights,
    gradients: Gradients,
    *,
    fmt: AnyFormat,
    on_parameter: Callable[[str], None],
) -> Iterator[OptimizerStep]:
    """One step of each optimizer.

    These optimizers treat every element on its own, so that parameters are stepped one by one, and only one is in
    memory twice.

    Args:
        reference: float32 weights.
        reference_gradients: float32's.
        weights: those that are stepped, in the dtype in which they are kept.
        gradients: those that the step is made with.
        fmt: the candidate's format.
        on_parameter: told the fqn of each parameter before it is stepped; may raise to stop.
    """
    for name in _OPTIMIZERS:
        yield _step(name, reference, reference_gradients, weights, gradients, fmt, on_parameter)


def no_steps(weights: str, missing: str) -> Iterator[OptimizerStep]:
    """Steps that could not be made, with the reason."""
    for name in _OPTIMIZERS:
        yield OptimizerStep(
            optimizer=name, weights=weights, elements=0, moved_reference=0, unmoved=0, rounded_away=0, nonfinite=0,
            normalized_l2=None, cosine_similarity=None, missing=missing,
        )  # fmt: skip


def _step(
    optimizer: OptimizerName,
    reference: Weights,
    reference_gradients: Gradients,
    weights: Weights,
    gradients: Gradients,
    fmt: AnyFormat,
    on_parameter: Callable[[str], None],
) -> OptimizerStep:
    statistics = ErrorStatistics(fmt, None)
    moved = unmoved = rounded_away = nonfinite = elements = 0
    kept = ""
    for name, gradient in reference_gradients.items():
        on_parameter(name)
        weight = weights[name].detach()
        kept = dtype_name(weight.dtype)
        given = gradients[name] if name in gradients else torch.zeros_like(weight)
        expected = _stepped(optimizer, reference[name], gradient)
        found = _stepped(optimizer, weight, given)
        moves = expected != reference[name]
        still = moves & (found == weight)
        wanted = _stepped(optimizer, weight[still].double(), given[still])
        elements += weight.numel()
        moved += int(moves.sum())
        unmoved += int(still.sum())
        rounded_away += int((wanted != weight[still]).sum())
        nonfinite += int((expected.isfinite() & ~found.isfinite()).sum())
        statistics.add(_difference(expected, reference[name]), _difference(found, weight))
    errors = statistics.result()
    return OptimizerStep(
        optimizer=optimizer,
        weights=kept,
        elements=elements,
        moved_reference=moved,
        unmoved=unmoved,
        rounded_away=rounded_away,
        nonfinite=nonfinite,
        normalized_l2=errors.normalized_l2,
        cosine_similarity=errors.cosine_similarity,
    )


def _stepped(optimizer: OptimizerName, weight: Tensor, gradient: Tensor) -> Tensor:
    """`weight` after the first step, in its own dtype."""
    parameter = nn.Parameter(weight.detach().clone())
    parameter.grad = gradient.to(weight.dtype)
    _OPTIMIZERS[optimizer]([parameter]).step()
    return parameter.detach()


def _difference(after: Tensor, before: Tensor) -> Tensor:
    return (after.double() - before.detach().double()).float()
