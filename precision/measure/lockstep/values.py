"""Tensors in structures, and what their values are like."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

_MAX_DEPTH = 4
"""How deep operators' arguments and outputs are searched for tensors."""


def tensors_in(structure: object, depth: int = 0) -> Iterator[Tensor]:
    """The tensors in tuples, lists and dicts, in order."""
    if isinstance(structure, Tensor):
        yield structure
    elif isinstance(structure, (tuple, list)) and depth < _MAX_DEPTH:
        for item in structure:
            yield from tensors_in(item, depth + 1)
    elif isinstance(structure, Mapping) and depth < _MAX_DEPTH:
        for item in structure.values():
            yield from tensors_in(item, depth + 1)


class Magnitudes(NamedTuple):
    """What the values of a tensor are like."""

    has_nan: bool
    has_infinity: bool
    smallest: float | None
    """Of the finite ones; None without any."""
    largest: float | None

    @property
    def size(self) -> float | None:
        """Largest magnitude of the finite ones."""
        return None if self.smallest is None or self.largest is None else max(-self.smallest, self.largest)


def magnitudes(tensor: Tensor) -> Magnitudes:
    """Of any dtype; of complex numbers, the real and the imaginary parts."""
    with torch.no_grad():
        values = torch.view_as_real(tensor.detach().resolve_conj()) if tensor.is_complex() else tensor.detach()
        if not values.numel():
            return Magnitudes(False, False, None, None)
        if values.element_size() == 1:
            values = values.float()
        finite = torch.isfinite(values)
        if bool(finite.all()):
            return Magnitudes(False, False, float(values.amin()), float(values.amax()))
        sound = values[finite]
        ends = (float(sound.amin()), float(sound.amax())) if sound.numel() else (None, None)
        return Magnitudes(bool(values.isnan().any()), bool(values.isinf().any()), *ends)


def may_be_nonfinite(tensor: Tensor) -> bool:
    """Whether a tensor may hold an infinity or a NaN; costs one read.

    True is not certain: finite values whose sum overflows give it, and so does every complex tensor. False is certain
    for dense floating-point tensors; sparse and quantized ones give it unread.
    """
    if not tensor.is_floating_point() or tensor.layout is not torch.strided or tensor.is_quantized:
        return tensor.is_complex()
    if tensor.device.type == "meta" or not tensor.numel():
        return False
    with torch.no_grad():
        if tensor.element_size() == 1:
            return not bool(tensor.float().isfinite().all())
        total = tensor.detach().sum(dtype=torch.float64 if tensor.dtype == torch.float64 else torch.float32)
        return not bool(total.isfinite())


def is_finite(tensor: Tensor) -> bool:
    """Whether no value is an infinity or NaN."""
    return not may_be_nonfinite(tensor) or bool(tensor.isfinite().all())


def version_of(tensor: Tensor) -> int | None:
    """How often it was changed in place; None where that is not counted."""
    return None if tensor.is_inference() else int(tensor._version)
