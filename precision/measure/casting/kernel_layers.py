"""A simulated model whose linear layers run on a real kernel."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from precision.formats import format_named
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.forward import seeded, shortened
from precision.measure.casting.frames import is_apart
from precision.measure.casting.held_weights import input_first
from precision.measure.casting.mixins import require_forward
from precision.measure.casting.real_kernels import RealKernel
from precision.measure.metrics.statistics import ErrorStatistics
from precision.text.units import count_text

BUDGET_S = 5.0
"""Of all products of one run: a kernel without the right hardware can be thousands of times slower than float32's."""

_FLOAT32 = format_named("float32")
Forward = Callable[..., Tensor]


@dataclass(frozen=True, kw_only=True)
class KernelRun:
    """What a model gave whose linear layers ran on a real kernel where they could."""

    output: object
    on_kernel: int
    """Linear layers of which every call ran on the kernel."""
    linear_layers: int
    """Linear layers of the model that are cast at all."""
    stayed_simulated: tuple[str, ...]
    """Why the others did not, in sentences."""
    layer_difference: float | None
    """The largest normalized L2 of a layer's output on the kernel against its simulated one, on the same input."""


def run_on_kernel(
    model: CastModel,
    kernel: RealKernel,
    args: tuple[object, ...] = (),
    kwargs: Mapping[str, object] | None = None,
    *,
    on_module: Callable[[str], None] | None = None,
) -> KernelRun:
    """One forward pass of a simulated model with the products of its linear layers computed by `kernel`.

    Those are `nn.Linear` and the linear layers of GPT-2. All else is as in the simulation: inputs, weights and outputs
    are rounded where it rounds them, and biases are added in float32. A layer stays simulated where an operand is not
    one that the kernel takes, where the kernel raises, or where it would take longer than `BUDGET_S` allows. `model`
    is not changed.

    Raises:
        ForwardError: the model raised.
        MemoryError: memory ran out (`torch.OutOfMemoryError` on an accelerator).
    """
    with seeded(model.device):
        run = model.prepared(args, kwargs)
        layers = _KernelLayers(run.module, kernel)
        return layers.run(run.explained(on_module))


def linear_layers(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """fqn and module of each linear layer that is not kept in the reference's precision."""
    for fqn, child in module.named_modules():
        if is_apart(child):
            continue
        if input_first(child) or (isinstance(child, nn.Linear) and type(child).forward is nn.Linear.forward):
            yield fqn, child


class _KernelLayers:
    """The linear layers of one copy of a model, and what became of each."""

    def __init__(self, module: nn.Module, kernel: RealKernel) -> None:
        self._kernel = kernel
        self._layers = dict(linear_layers(module))
        self._ran: set[str] = set()
        self._left: dict[str, str] = {}
        self._differences: list[float] = []
        self._seconds, self._products = kernel.seconds_per_product, 1
        for fqn, layer in self._layers.items():
            vars(layer)["forward"] = partial(self._forward, fqn, layer, layer.forward)
            require_forward(layer)

    def run(self, output: object) -> KernelRun:
        """What the pass that gave `output` made of the layers."""
        uncalled = self._layers.keys() - self._ran - self._left.keys()
        reasons = Counter(self._left.values())
        if uncalled:
            reasons["never called as a module"] = len(uncalled)
        return KernelRun(
            output=output,
            layer_difference=max(self._differences, default=None),
            on_kernel=len(self._ran - self._left.keys()),
            linear_layers=len(self._layers),
            stayed_simulated=tuple(
                f"{count_text(count, 'layer')} stayed simulated: {reason}." for reason, count in reasons.items()
            ),
        )

    def _forward(self, fqn: str, layer: Any, simulated: Forward, /, *args: Tensor, **kwargs: Tensor) -> Tensor:
        (x,) = (*args, *kwargs.values())
        weight, bias = layer.weight, layer.bias
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        product = self._product(fqn, rows, weight.mT if input_first(layer) else weight)
        expected = simulated(*args, **kwargs)
        if product is None:
            return expected
        output = product.reshape(expected.shape) if bias is None else product.reshape(expected.shape) + bias
        self._ran.add(fqn)
        statistics = ErrorStatistics(_FLOAT32, None)
        statistics.add(expected.detach(), output.detach())
        difference = statistics.result().normalized_l2
        self._differences += [] if difference is None else [difference]
        return output

    def _product(self, fqn: str, x: Tensor, weight: Tensor) -> Tensor | None:
        """By the kernel; None, with the reason noted, where it does not give one."""
        products = x.numel() * weight.shape[0]
        if self._seconds * (1 + products / self._products) > BUDGET_S:
            self._left[fqn] = f"with {self._kernel.name} the run would take longer than {BUDGET_S:g} s here"
            return None
        started = time.perf_counter()
        try:
            product = self._kernel(x, weight)
        except RuntimeError as error:
            self._left[fqn] = f"{self._kernel.name}: {shortened(str(error)).rstrip('.')}"
            return None
        self._seconds, self._products = self._seconds + time.perf_counter() - started, self._products + products
        if product is None:
            self._left[fqn] = "inputs or weights that are not values of the format"
        return product
