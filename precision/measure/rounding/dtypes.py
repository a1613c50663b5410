"""Which torch dtype stores the values of a format, and in which they are simulated."""

import torch

from precision.errors import InputError
from precision.formats import AnyFormat, NumericFormat, format_named


def storage_dtype(fmt: AnyFormat) -> torch.dtype:
    """The torch dtype that stores values of `fmt`.

    Raises:
        InputError: torch has none of that name.
    """
    dtype = getattr(torch, fmt.name, None) if fmt.has_dtype else None
    if not isinstance(dtype, torch.dtype):
        raise InputError(f"torch has no dtype for {fmt.name}: its values can be simulated, not stored.")
    return dtype


def holding_dtype(fmt: AnyFormat) -> torch.dtype:
    """float32 where it holds every value of `fmt`, else float64: the dtype in which `fmt` is simulated."""
    if isinstance(fmt, NumericFormat) and not format_named("float32").holds(fmt):
        return torch.float64
    return torch.float32


def dtype_name(dtype: torch.dtype) -> str:
    """The dtype's name without the leading `torch.`."""
    return str(dtype).removeprefix("torch.")
