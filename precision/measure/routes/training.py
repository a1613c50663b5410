"""What a cast does to a model during training: to its gradients, and to an optimizer that exists already."""

import warnings

import torch
from torch import Tensor, nn

from precision.formats import AnyFormat
from precision.measure.casting.bringing import bring
from precision.measure.casting.forward import QUOTED_CHARACTERS, shortened
from precision.measure.casting.methods import copied
from precision.measure.rounding import dtype_name
from precision.results.routes import TrainingFacts
from precision.spec import CastMethod

MAX_PARAMETER_BYTES = 2**30
"""Gradients and an optimizer's averages take three times as much beside a copy of the model."""


def cast_in_training(
    module: nn.Module, fmt: AnyFormat, *, method: CastMethod, device: torch.device
) -> tuple[bool, TrainingFacts | None]:
    """Cast a copy of `module` that has gradients and an optimizer.

    Gradients are zeros and the learning rate is zero: only dtypes and objects are looked at. Tells whether the cast
    returned the object that it was given; and what became of the training, None for models of more than
    `MAX_PARAMETER_BYTES`, and for copies that no optimizer takes (TorchScript).

    Raises:
        UnsupportedError: as `bring`; whatever else torch raises is passed on.
    """
    model = copied(module).to(device)
    parameters = list(model.parameters())
    trains = 0 < sum(parameter.nbytes for parameter in parameters) <= MAX_PARAMETER_BYTES
    trains = trains and all(parameter.is_leaf for parameter in parameters)
    optimizer = _stepped(parameters) if trains else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cast = bring(model, fmt, method)
    return cast is model, _facts(parameters, cast, optimizer) if optimizer is not None else None


def _stepped(parameters: list[nn.Parameter]) -> torch.optim.AdamW:
    """An optimizer of `parameters` that has made a step and changed nothing."""
    for parameter in parameters:
        if parameter.requires_grad:
            parameter.grad = torch.zeros_like(parameter)
    optimizer = torch.optim.AdamW(parameters, lr=0.0, weight_decay=0.0)
    optimizer.step()
    return optimizer


def _facts(before: list[nn.Parameter], cast: nn.Module, optimizer: torch.optim.AdamW) -> TrainingFacts:
    after, known = list(cast.parameters()), {id(parameter) for parameter in before}
    had = sum(parameter.requires_grad for parameter in before)
    gradients = [parameter.grad for parameter in after if parameter.grad is not None]
    averages = [
        value
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, Tensor) and value.dim()
    ]
    return TrainingFacts(
        parameters=len(after),
        same_parameters=sum(id(parameter) in known for parameter in after),
        requiring_gradients=sum(parameter.requires_grad for parameter in after),
        required_gradients=had,
        gradients=_dtypes(gradients),
        gradients_lost=had - len(gradients),
        optimizer_state=_dtypes(averages),
        step_failure=_step_failure(optimizer),
    )


def _dtypes(tensors: list[Tensor]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(dtype_name(tensor.dtype) for tensor in tensors))


def _step_failure(optimizer: torch.optim.AdamW) -> str | None:
    try:
        optimizer.step()
    except (RuntimeError, TypeError, NotImplementedError) as error:
        return shortened(str(error), QUOTED_CHARACTERS)
    return None
