"""Inside an operator that is made of several kernels: the one that made the first value that is not finite."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from precision.measure.casting.forward import map_tensors
from precision.measure.lockstep.alignment import aligned
from precision.measure.lockstep.operator_calls import Inside
from precision.measure.lockstep.values import is_finite, tensors_in

_WIDE = torch.float32
_MAX_KERNELS = 200
"""Operators of more kernels are not looked into: their inputs and outputs would all be kept at once."""

Arguments = tuple[tuple[object, ...], dict[str, object]]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Kernel:
    name: str
    given: tuple[Tensor, ...]
    output: Tensor


def first_inside(func: Callable[..., object], given: Arguments) -> Inside | None:
    """The first kernel of `func` whose output is not finite where its inputs are, and where wide arithmetic is.

    Runs `func` twice: on its inputs as they are, and on the same inputs in float32 (float64 stays). None where there
    is no such kernel, where it writes to its inputs, and where it cannot run again.
    """
    low = _kernels(func, given)
    wide = _kernels(func, map_tensors(given, _widened))
    for r, c in aligned([kernel.name for kernel in wide], [kernel.name for kernel in low]):
        if c is None or is_finite(low[c].output):
            continue
        if not all(map(is_finite, low[c].given)) or r is None or not is_finite(wide[r].output):
            return None
        return Inside(
            name=low[c].name,
            low_given=low[c].given,
            wide_given=wide[r].given,
            low_output=low[c].output,
            wide_output=wide[r].output,
        )
    return None


def _widened(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.promote_types(tensor.dtype, _WIDE)) if tensor.is_floating_point() else tensor


def _kernels(func: Callable[..., object], given: Arguments) -> list[_Kernel]:
    seen = _Seen()
    with suppress(Exception), torch.no_grad(), torch.random.fork_rng(), seen:
        func(*given[0], **given[1])
    return seen.kernels


class _Seen(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernels: list[_Kernel] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[object, ...] = (), kwargs: Mapping[str, object] | None = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        output = next(tensors_in(result), None)
        if len(self.kernels) < _MAX_KERNELS and not func.is_view and output is not None and output.is_floating_point():
            inputs = tuple(tensor for tensor in tensors_in((args, kwargs or {})) if tensor.is_floating_point())
            name = func._schema.name.rpartition("::")[2]
            self.kernels.append(_Kernel(name=name, given=inputs, output=output))
        return result
