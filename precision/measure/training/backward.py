"""One forward and one backward pass of a cast model, with the gradients of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from precision.errors import ForwardError, PrecisionError
from precision.measure.casting.cast_model import CastModel, PreparedRun
from precision.measure.casting.forward import error_text, full_float32, raised_in, seeded, watched
from precision.measure.training.loss import Loss
from precision.text.names import plain

Gradients = Mapping[str, Tensor]
"""By fqn of the parameter, in the dtype of the parameter."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Backward:
    """What one pass gave."""

    loss: float
    """Not scaled."""
    by: Loss
    """What computed it."""
    gradients: Gradients
    """Of the parameters that the loss depends on."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trainee:
    """A cast model, whose parameters get gradients, and the input it is trained on.

    It runs in eval mode: dropout is off and batch norms keep their statistics, so that every pass is the same.
    """

    model: CastModel
    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    on_module: Callable[[str], None]

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """By fqn; a tied parameter under its first name."""
        return dict(self.model.stored.named_parameters())

    def backward(
        self, loss_of: Callable[[object], Loss], *, scaled: Callable[[Tensor], Tensor] | None = None
    ) -> Backward:
        """One forward and one backward pass from `scaled(loss)`, or the loss itself; `loss_of` gives it for an output.

        Raises:
            ForwardError: either pass raised; the message names the module.
            MemoryError: memory ran out (`torch.OutOfMemoryError` on an accelerator).
        """
        parameters = self.parameters
        for parameter in parameters.values():
            parameter.grad = None
        run = self.model.prepared(self.args, self.kwargs)
        try:
            by, loss = self._loss(run, loss_of)
            torch.autograd.backward(scaled(loss) if scaled else loss)
        except (PrecisionError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            if "can't allocate memory" in str(error):
                raise MemoryError(str(error)) from error
            where = raised_in(error, run.module)
            place = plain(where) if where else "the model itself"
            raise ForwardError(f"Forward or backward failed in {place}: {error_text(error)}", where=where) from error
        found = {name: each.grad for name, each in parameters.items()}
        dense = {name: grad.to_dense() if grad.is_sparse else grad for name, grad in found.items() if grad is not None}
        return Backward(loss=float(loss.detach()), by=by, gradients=dense)

    def _loss(self, run: PreparedRun, loss_of: Callable[[object], Loss]) -> tuple[Loss, Tensor]:
        device, dtype = self.model.device, self.model.autocast_dtype
        with (
            seeded(device),
            full_float32(device),
            torch.enable_grad(),
            watched(run.module, self.on_module),
        ):
            with torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None):
                output = run.module(*run.args, **run.kwargs)
            by = loss_of(output)
            return by, by(output)
