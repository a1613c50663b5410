"""The mean squared error of a run's outputs."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from precision.errors import PrecisionError
from precision.measure.casting.cast_model import PreparedRun
from precision.measure.casting.forward import seeded

Reads = Callable[[object], tuple[Tensor, ...]]
"""Finds the tensors whose errors count in what a model returned."""


def run_squared_error(run: PreparedRun, *, expected: tuple[Tensor, ...], read: Reads) -> float | None:
    """Mean squared error of the tensors that `read` finds in a run's output, against those of the reference.

    None where the output is not finite where the reference's is, or the model raises.
    """
    try:
        with seeded(run.model.device):
            return mean_squared_error(expected, read(run()))
    except (PrecisionError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception:  # noqa: BLE001 - a format without a kernel, or one that the model's own code does not take
        return None


def finite_elements(outputs: Sequence[Tensor]) -> int:
    """Elements that are finite: those over which squared errors are averaged."""
    return sum(int(torch.isfinite(output).sum()) for output in outputs)


def mean_square(outputs: Sequence[Tensor]) -> float:
    """Of the finite elements; 0 where there are none."""
    total = sum(float(output.nan_to_num(0, 0, 0).double().square().sum()) for output in outputs)
    return total / max(finite_elements(outputs), 1)


def mean_squared_error(reference: Sequence[Tensor], candidate: Sequence[Tensor]) -> float | None:
    """Over the elements that are finite in the reference, in float64; 0 where there are none.

    None where the candidate is infinite or NaN at one of these, or its outputs have other shapes.
    """
    if [output.shape for output in reference] != [output.shape for output in candidate]:
        return None
    total = 0.0
    for r, y in zip(reference, candidate, strict=True):
        error = torch.where(torch.isfinite(r), y.double() - r.double(), 0.0)
        total += float(error.square().sum())
    squared = total / max(finite_elements(reference), 1)
    return squared if squared < float("inf") else None
