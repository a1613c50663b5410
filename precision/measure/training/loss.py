"""A scalar loss that any model with a differentiable output has."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from precision.errors import ForwardError, UnsupportedError
from precision.measure.sensitivity.layers import floating_tensors

CROSS_ENTROPY = "cross-entropy of the first output with the true labels, mean over the batch"
MEAN_SQUARE = "mean of the squares of (output - target), over all floating-point outputs; the targets are seeded random"


@dataclass(frozen=True, kw_only=True, eq=False)
class Loss:
    """Of a model's output, computed in float32 as mixed-precision training does, whatever the format.

    With true labels: cross-entropy. Otherwise the mean square of output minus target over the elements of all
    floating-point outputs that have a gradient, the targets drawn from N(0, 1). Elements that are not finite in the
    float32 model, such as masked scores, have no target and are left out of every mean.
    """

    words: str
    labels: Tensor | None
    targets: tuple[Tensor | None, ...]
    """One for each floating-point output, NaN where there is none; None for an output without a gradient."""
    dtype: torch.dtype = torch.float32
    """In which it is computed: float64 only for the model in float64."""

    @property
    def left_out(self) -> int:
        """Elements without a target, because they are not finite in float32."""
        return sum(int(target.isnan().sum()) for target in self.targets if target is not None)

    def __call__(self, output: object) -> Tensor:
        """The scalar loss of one output, a tensor of `dtype` without dimensions.

        Raises:
            ForwardError: the output is not shaped as that of float32.
        """
        outputs = floating_tensors(output)
        if self.labels is not None:
            return functional.cross_entropy(outputs[0].to(self.dtype), self.labels)
        shapes = [None if target is None else target.shape for target in self.targets]
        if len(outputs) != len(shapes) or any(
            shape is not None and shape != each.shape for each, shape in zip(outputs, shapes, strict=True)
        ):
            raise ForwardError("The outputs have other shapes than in float32, so the two losses cannot be compared.")
        pairs = [(each, target) for each, target in zip(outputs, self.targets, strict=True) if target is not None]
        wanted = [(each.to(self.dtype), target, ~target.isnan()) for each, target in pairs]
        total = torch.stack([torch.where(has, each - target, 0.0).square().sum() for each, target, has in wanted]).sum()
        return total / sum(int(has.sum()) for _, _, has in wanted)


def loss_for(output: object, labels: Tensor | None, *, seed: int) -> Loss:
    """The loss of a model, from the output of its float32 run with its graph, and true classes `(B,)` if there are any.

    Raises:
        UnsupportedError: no floating-point output has a gradient, or none of its elements is finite.
    """
    outputs = floating_tensors(output)
    if not any(each.requires_grad for each in outputs):
        raise UnsupportedError(
            "This model cannot be trained: none of its floating-point outputs has a gradient with respect to a "
            "parameter. Choose a model whose output depends on weights through differentiable operators."
        )
    if labels is not None and outputs[0].requires_grad and _fits(outputs[0], labels):
        return Loss(words=CROSS_ENTROPY, labels=labels.to(outputs[0].device), targets=())
    targets = tuple(_targets(outputs, torch.Generator().manual_seed(seed)))
    if not any(target is not None and bool(target.isfinite().any()) for target in targets):
        raise UnsupportedError("This model cannot be trained here: no element of its output is finite in float32.")
    return Loss(words=MEAN_SQUARE, labels=None, targets=targets)


def _fits(scores: Tensor, labels: Tensor) -> bool:
    if scores.dim() != 2 or not len(scores) == len(labels) > 0:
        return False
    return bool((labels >= 0).all() and (labels < scores.shape[1]).all())


def _targets(outputs: Sequence[Tensor], generator: torch.Generator) -> list[Tensor | None]:
    targets: list[Tensor | None] = []
    for output in outputs:
        drawn = torch.randn(output.shape, generator=generator).to(output.device)
        finite = torch.isfinite(output.detach())
        targets.append(drawn.masked_fill_(~finite, torch.nan) if output.requires_grad else None)
    return targets
