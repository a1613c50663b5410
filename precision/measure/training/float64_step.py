"""The same backward pass in float64: how much of float32's own gradients is rounding."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import torch

from precision.errors import ForwardError, UnsupportedError
from precision.formats import format_named
from precision.measure.casting import methods as casting
from precision.measure.compare.float64_truth import too_costly
from precision.measure.models.loading import LoadedModel
from precision.measure.preparation import module_progress
from precision.measure.training.backward import Backward, Trainee
from precision.measure.training.gradients import own_errors
from precision.progress import Progress

MAX_FLOAT32_S = 20.0
"""A float64 step takes twice as long on a CPU, and sixty times on graphics cards without units for it."""


class OwnErrors(NamedTuple):
    """Of float32's gradients."""

    by_fqn: Mapping[str, float | None]
    """Normalized L2 against float64's; empty where there is none."""
    missing: str
    """Why there is none."""


def float32_own_errors(
    loaded: LoadedModel,
    backward: Backward,
    *,
    device: torch.device,
    float32_s: float,
    progress: Progress,
    start: float,
    end: float,
) -> OwnErrors:
    """Repeat the step in float64 and measure float32's gradients against it; or say why not.

    The float32 step took `float32_s` seconds. `start` and `end` are the shares of the whole done before and after.
    """
    what, took = "step in float64", "in float32 it took"
    reason = too_costly(loaded.module, float32_s, limit_s=MAX_FLOAT32_S, what=what, took=took)
    if reason:
        return OwnErrors({}, reason)
    stage = "One training step in float64"
    progress.step(stage, start)
    try:
        model = casting.reference(loaded.module, format_named("float64"), device=device)
        on_module = module_progress(progress, model, stage=stage, start=start, end=end)
        trainee = Trainee(model=model, args=loaded.args, kwargs=loaded.kwargs, on_module=on_module)
        loss = dataclasses.replace(backward.by, dtype=torch.float64)
        exact = trainee.backward(lambda _: loss)
    except (ForwardError, UnsupportedError) as error:
        return OwnErrors({}, f"The step fails in float64: {error}")
    except (MemoryError, torch.OutOfMemoryError):
        return OwnErrors({}, "Not enough memory for a step in float64.")
    return OwnErrors(own_errors(exact.gradients, backward.gradients), "")
