"""Sensitivity by running the model: one layer lowered, or all but one."""

import copy
import dataclasses
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from precision.errors import PrecisionError
from precision.measure.casting.cast_model import CastModel, PreparedRun
from precision.measure.casting.forward import seeded
from precision.measure.sensitivity.layers import floating_tensors
from precision.measure.sensitivity.outputs import mean_squared_error


def measured_squared_error(
    reference: CastModel,
    candidate: CastModel,
    layers: Collection[str],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    *,
    expected: tuple[Tensor, ...],
) -> float | None:
    """Mean squared error of the output where these layers are those of the candidate, and all else the reference's.

    In `candidate`, each layer casts its own inputs and outputs. `layers` holds one fqn for a layer's sensitivity, all
    but one for the reverse.

    Returns:
        None where the output is not finite where the reference's is, or the model raises.
    """
    run = reference.prepared(args, kwargs)
    lowered = candidate.prepared().module
    memo: dict[int, object] = {id(parameter): parameter for parameter in run.module.parameters()}
    # Copied as the lowered ones, under all of their names.
    memo |= {id(run.module.get_submodule(fqn)): lowered.get_submodule(fqn) for fqn in layers}
    mixed: nn.Module = copy.deepcopy(run.module, memo)
    return run_squared_error(dataclasses.replace(run, module=mixed), expected=expected)


def run_squared_error(run: PreparedRun, *, expected: tuple[Tensor, ...]) -> float | None:
    """Mean squared error of a run's output against the reference's; None as in `measured_squared_error`."""
    try:
        with seeded(run.model.device):
            return mean_squared_error(expected, floating_tensors(run()))
    except (PrecisionError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception:  # noqa: BLE001 - a format without a kernel, or one that the model's own code does not take
        return None
