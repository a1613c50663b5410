"""Operators by which a forward picks by its numbers: routes, orders, positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from precision.measure.casting.forward import tensors_of

_PICK: Mapping[str, str] = {
    **{name: name for name in ("topk", "sort", "argsort", "argmax", "argmin", "max", "min", "kthvalue")},
    **{name: name for name in ("searchsorted", "bucketize", "multinomial")},
    "_to_copy": "conversion to whole numbers",
}
"""Their names at torch's dispatcher, and in words; only where they give whole numbers for floating-point ones."""


class Picks(TorchDispatchMode):
    """Notes the operators by which the runs inside pick."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._names: dict[str, None] = {}

    @property
    def text(self) -> str:
        """What they mean for a comparison of outputs, and where they are counted; empty without any."""
        if not self._names:
            return ""
        return (
            f"The model picks by its numbers ({', '.join(self._names)}). Where the two pick otherwise, what follows "
            "differs by more than rounding: the comparison layer by layer (Propagation, layers) counts such results."
        )

    def __torch_dispatch__(
        self, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = _PICK.get(func.overloadpacket.__name__)
        if name and any(map(Tensor.is_floating_point, tensors_of(args))) and any(map(_is_whole, tensors_of(result))):
            self._names[name] = None
        return result


def _is_whole(tensor: Tensor) -> bool:
    return not (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype.itemsize == 1)
