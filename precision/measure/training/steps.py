"""The first step of an optimizer, parameter by parameter, against the same step in float32."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from precision.formats import AnyFormat
from precision.measure.metrics.statistics import ErrorStatistics
from precision.measure.rounding import dtype_name
from precision.measure.training.backward import Gradients
from precision.results.training import OptimizerName, OptimizerStep

_OPTIMIZERS: Mapping[OptimizerName, Callable[[list[nn.Parameter]], torch.optim.Optimizer]] = {
    "SGD": torch.optim.SGD,
    "AdamW": torch.optim.AdamW,
}
"""With torch's own settings: a learning rate of 0.001, and of AdamW a weight decay of 0.01 and an epsilon of 1e-8."""
PART_ELEMENTS = 2**18
"""1 MiB of float32: a dozen of them stay in a CPU's caches, and their memory is used again."""
ACCELERATOR_PART_ELEMENTS = 2**24
Weights = Mapping[str, Tensor]


def optimizer_steps(
    reference: Weights,
    reference_gradients: Gradients,
    weights: Weights,
    gradients: Gradients,
    *,
    fmt: AnyFormat,
    on_parameter: Callable[[str, float], None],
) -> Iterator[OptimizerStep]:
    """One step of each optimizer: of float32's weights with float32's gradients, and of `weights` with `gradients`.

    These optimizers treat every element on its own, so that parameters are stepped part by part, and only a part is in
    memory twice.

    `on_parameter` is told the fqn of each parameter before a part of it is stepped, and what share of all elements is
    done; it may raise to stop.
    """
    elements = sum(gradient.numel() for gradient in reference_gradients.values())
    for at, name in enumerate(_OPTIMIZERS):

        def on_elements(fqn: str, done: int, steps: int = at) -> None:
            on_parameter(fqn, (steps + done / elements) / len(_OPTIMIZERS) if elements else 1.0)

        yield _step(name, reference, reference_gradients, weights, gradients, fmt, on_elements)


def no_steps(weights: str, missing: str) -> Iterator[OptimizerStep]:
    """Steps that could not be made, with the reason."""
    for name in _OPTIMIZERS:
        yield OptimizerStep(
            optimizer=name, weights=weights, elements=0, moved_reference=0, unmoved=0, rounded_away=0, nonfinite=0,
            divided_by_zero=0, normalized_l2=None, cosine_similarity=None, missing=missing,
        )  # fmt: skip


def _step(
    optimizer: OptimizerName,
    reference: Weights,
    reference_gradients: Gradients,
    weights: Weights,
    gradients: Gradients,
    fmt: AnyFormat,
    on_parameter: Callable[[str, int], None],
) -> OptimizerStep:
    statistics = ErrorStatistics(fmt, None)
    moved = unmoved = rounded_away = nonfinite = divided_by_zero = elements = 0
    kept = ""
    for name, gradient in reference_gradients.items():
        kept = dtype_name(weights[name].dtype)
        given = gradients[name] if name in gradients else torch.zeros_like(weights[name])
        for before, slope, weight, part in _parts(reference[name], gradient, weights[name], given):
            on_parameter(name, elements)
            expected = _stepped(optimizer, before, slope).weight
            found, has_zero_divisor = _stepped(optimizer, weight, part)
            broken = expected.isfinite() & ~found.isfinite()
            moves = expected.isfinite() & (expected != before) & ~broken
            still = moves & (found == weight)
            wanted = _stepped(optimizer, weight[still].double(), part[still]).weight
            elements += weight.numel()
            moved += int(moves.sum())
            unmoved += int(still.sum())
            rounded_away += int((wanted != weight[still]).sum())
            nonfinite += int(broken.sum())
            divided_by_zero += int((broken & has_zero_divisor).sum())
            statistics.add(_difference(expected, before), _difference(found, weight))
    errors = None if nonfinite else statistics.result()
    return OptimizerStep(
        optimizer=optimizer,
        weights=kept,
        elements=elements,
        moved_reference=moved,
        unmoved=unmoved,
        rounded_away=rounded_away,
        nonfinite=nonfinite,
        divided_by_zero=divided_by_zero,
        normalized_l2=errors and errors.normalized_l2,
        cosine_similarity=errors and errors.cosine_similarity,
    )


def _parts(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Tensors of one shape, cut alike into flat pieces."""
    flat = [tensor.detach().reshape(-1) for tensor in tensors]
    size = PART_ELEMENTS if flat[0].device.type == "cpu" else ACCELERATOR_PART_ELEMENTS
    for start in range(0, flat[0].numel(), size):
        yield tuple(each[start : start + size] for each in flat)


class _Stepped(NamedTuple):
    weight: Tensor
    """After the first step, in its own dtype."""
    has_zero_divisor: Tensor
    """Where AdamW divides by zero."""


def _stepped(optimizer: OptimizerName, weight: Tensor, gradient: Tensor) -> _Stepped:
    parameter = nn.Parameter(weight.detach().clone())
    parameter.grad = gradient.to(weight.dtype)
    stepping = _OPTIMIZERS[optimizer]([parameter])
    stepping.step()
    squares = stepping.state[parameter].get("exp_avg_sq")
    if squares is None:
        return _Stepped(parameter.detach(), torch.zeros_like(weight, dtype=torch.bool))
    epsilon = torch.tensor(stepping.defaults["eps"], dtype=squares.dtype)
    return _Stepped(parameter.detach(), (squares == 0) & bool(epsilon == 0))


def _difference(after: Tensor, before: Tensor) -> Tensor:
    return after.float() - before.detach().float()
