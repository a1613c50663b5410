"""Choices that a model makes by its numbers: comparisons, maxima, orders. No gradient tells what another one does."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from precision.measure.casting.forward import tensors_of

MOST_BYTES = 256 * 2**20
"""Of all choices of a run together; what is made after so many is not kept."""


_POOL = "max_pool"
"""Where the largest lay is rarely used, and gradients go through it."""


class Choice(NamedTuple):
    """Whole numbers or truth values that an operator made of floating-point numbers."""

    operator: str
    made: Tensor
    before: int
    """How many layers had been called until then."""


class Choices(TorchDispatchMode):
    """Keeps the choices of the runs inside."""

    def __init__(self, called: Collection[str] = ()) -> None:
        """`called` grows with every layer that is called for the first time."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.made: list[Choice] = []
        self._called, self._bytes = called, 0

    def __torch_dispatch__(
        self, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name
        if not name.endswith("_like") and _POOL not in name and any(map(torch.is_floating_point, tensors_of(args))):
            for tensor in tensors_of(result):
                is_choice = not tensor.is_floating_point() and not tensor.is_complex()
                if is_choice and self._bytes + tensor.nbytes <= MOST_BYTES:
                    self._bytes += tensor.nbytes
                    self.made.append(Choice(name, tensor.clone(), len(self._called)))
        return result


def layers_before_other(reference: Sequence[Choice], candidate: Sequence[Choice]) -> int:
    """How many layers had been called before the last choice that the candidate makes otherwise; 0 without one.

    Compared are those of one operator and one shape, in turn: code that runs in the candidate's format alone may make
    others in between.
    """
    made = defaultdict[tuple[str, torch.Size], deque[Tensor]](deque)
    for choice in candidate:
        made[choice.operator, choice.made.shape].append(choice.made)
    last = 0
    for choice in reference:
        alike = made[choice.operator, choice.made.shape]
        if not alike or not torch.equal(choice.made, alike.popleft()):
            last = choice.before
    return last
