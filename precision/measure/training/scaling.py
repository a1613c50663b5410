"""Loss scaling by torch's own GradScaler: which scale it ends up with, and the gradients of that step."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from precision.measure.training.backward import Backward, Gradients, Trainee
from precision.measure.training.loss import Loss

INITIAL_SCALE = 2.0**16
"""torch's default."""
MAX_ATTEMPTS = 24
"""Steps until the search for a scale is given up; the last scale is below 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ScaledBackward:
    """The step that the scaler did not skip, or else the last one that it skipped."""

    loss: float
    scales: tuple[float, ...]
    """Those tried, in order."""
    made: Gradients
    """From the backward pass, times the last scale."""
    unscaled: Gradients | None
    """In float32; None where every step was skipped."""


def scaled_backward(trainee: Trainee, loss: Loss, *, on_attempt: Callable[[int], None]) -> ScaledBackward:
    """Steps with `torch.amp.GradScaler` until one is not skipped.

    Gradients go to float32 copies of the weights, whose optimizer the scaler guards: it unscales them, skips
    the step where one is infinite or NaN, and halves its scale. With weights in float32, as under autocast, that is
    the usual loop; with weights in a 16-bit format, it is that with float32 master weights. Every attempt is a forward
    and a backward pass on the same weights and input.

    `on_attempt` is told the number of skipped steps before every attempt, and may raise to stop.
    """
    masters = {name: nn.Parameter(each.detach().float().clone()) for name, each in trainee.parameters.items()}
    optimizer = torch.optim.SGD(masters.values())
    scaler = torch.amp.GradScaler(trainee.model.device.type, init_scale=INITIAL_SCALE)
    scales: list[float] = []
    while True:
        on_attempt(len(scales))
        scales.append(scaler.get_scale())
        found = trainee.backward(lambda _: loss, scaled=scaler.scale)
        unscaled = _unscaled(found, masters, scaler, optimizer)
        made = scaler.get_scale() == scales[-1]
        if made or len(scales) == MAX_ATTEMPTS or not math.isfinite(found.loss):
            return ScaledBackward(
                loss=found.loss, scales=tuple(scales), made=found.gradients, unscaled=unscaled if made else None
            )


def _unscaled(
    found: Backward, masters: dict[str, nn.Parameter], scaler: torch.amp.GradScaler, optimizer: torch.optim.Optimizer
) -> Gradients:
    """The gradients as the scaler leaves them to the optimizer, after its step and its update of the scale."""
    for name, gradient in found.gradients.items():
        masters[name].grad = gradient.to(torch.float32, copy=True)
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    return {name: grad for name in found.gradients if (grad := masters[name].grad) is not None}


def unscaled_in_place(made: Gradients, weights: dict[str, nn.Parameter], *, scale: float) -> Gradients:
    """What the scaler makes of scaled gradients that weights of the same dtype hold themselves.

    Raises:
        ValueError: torch refuses, as it does for float16.
    """
    held = {name: nn.Parameter(weights[name].detach()) for name in made}
    for name, gradient in made.items():
        held[name].grad = gradient.clone()
    scaler = torch.amp.GradScaler(next(iter(made.values())).device.type, init_scale=scale)
    scaler.scale(torch.zeros((), device=next(iter(made.values())).device))
    scaler.unscale_(torch.optim.SGD(held.values()))
    return {name: grad for name, each in held.items() if (grad := each.grad) is not None}
