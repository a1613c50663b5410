"""Exact rounding of tensors to a floating-point format."""

import torch
from torch import Tensor

from precision.errors import InputError
from precision.formats import NumericFormat, format_named
from precision.measure.rounding.dtypes import dtype_name

EXPONENT_MASK = 0x7FF0_0000_0000_0000
"""The exponent field of a float64: with all other bits cleared, a normal number becomes 2^floor(log2|x|)."""
_EXPONENT_MASK_32 = 0x7F80_0000

_CPU_BLOCK_ELEMENTS = 2**16
"""Rounded at a time: the temporaries stay in a processor's cache."""
_ACCELERATOR_BLOCK_ELEMENTS = 2**24
"""Large enough that starting a kernel costs nothing beside it, and small beside an accelerator's memory."""


def powers_of_two_below(x: Tensor, *, smallest: float, largest: float = torch.inf) -> Tensor:
    """2^floor(log2|x|), at least `smallest` and at most `largest`, elementwise, exactly.

    Zero gives `smallest`; infinities and NaN give `largest`.

    Args:
        x: float64 or float32, any shape, contiguous.
        smallest: A power of two, at least half the smallest normal value of x's dtype.
        largest: A power of two.
    """
    bits, mask = (torch.int64, EXPONENT_MASK) if x.dtype == torch.float64 else (torch.int32, _EXPONENT_MASK_32)
    return torch.bitwise_and(x.view(bits), mask).view(x.dtype).clamp_(smallest, largest)


def round_numeric(x: Tensor, fmt: NumericFormat, *, saturate: bool) -> Tensor:
    """`x` rounded to the nearest value of `fmt`; `precision.measure.rounding.round_to` says how.

    Raises:
        InputError: `x` is not of a known floating dtype, or its dtype cannot hold the values of `fmt`.
    """
    source = _format_of(x)
    if fmt.holds(source) and (fmt.specials in {"ieee", source.specials}):
        return x.clone()
    if not source.holds(fmt):
        raise InputError(f"A {source.name} tensor cannot hold {fmt.name} values: pass it as float32.")
    work = _work_dtype(x.dtype, fmt)
    # Through the CPU where the accelerator has no float64, as Apple's has not.
    device = torch.device("cpu") if x.device.type == "mps" and work == torch.float64 else x.device
    step = _CPU_BLOCK_ELEMENTS if device.type == "cpu" else _ACCELERATOR_BLOCK_ELEMENTS
    flat = x.detach().reshape(-1)
    rounded = torch.empty_like(flat)
    for start in range(0, flat.numel(), step):
        part = slice(start, start + step)
        block = flat[part].to(device=device, dtype=work)
        out = rounded[part] if rounded.dtype == work and rounded.device == device else torch.empty_like(block)
        round_block(block, fmt, saturate=saturate, out=out)
        if out.data_ptr() != rounded[part].data_ptr():
            rounded[part] = out
    return rounded.reshape(x.shape)


def _work_dtype(dtype: torch.dtype, fmt: NumericFormat) -> torch.dtype:
    """float32 where all steps of the rounding are exact in it."""
    exact = dtype != torch.float64 and fmt.smallest_normal >= torch.finfo(torch.float32).smallest_normal / 2
    return torch.float32 if exact else torch.float64


def round_block(x: Tensor, fmt: NumericFormat, *, saturate: bool, out: Tensor) -> Tensor:
    """`x` rounded in its own dtype, all at once, into `out`, which is returned and may be `x`.

    `x` is contiguous and float64; or float32 where that holds `fmt` and half its smallest normal value is at least
    2^-127. `out` has its dtype and shape.
    """
    # With an infinite one, infinities would become NaN.
    largest_power = 2.0**1023 if x.dtype == torch.float64 else 2.0**127
    quantum = powers_of_two_below(x, smallest=fmt.smallest_normal, largest=largest_power).mul_(fmt.epsilon)
    torch.div(x, quantum, out=out).round_().mul_(quantum)
    if not fmt.has_negative_zero:
        out += 0.0  # -0 + 0 is 0
    if saturate or fmt.specials == "finite":
        return out.clamp_(-fmt.max, fmt.max)
    low, high = out.aminmax()
    if not (low >= -fmt.max and high <= fmt.max):
        beyond = out.abs() > fmt.max
        overflow = torch.full_like(out, torch.inf if fmt.has_infinities else torch.nan)
        out.copy_(torch.where(beyond, torch.copysign(overflow, out), out))
    return out


def _format_of(x: Tensor) -> NumericFormat:
    name = dtype_name(x.dtype)
    try:
        found = format_named(name)
    except InputError:
        found = None
    if found is None or not found.has_dtype:
        raise InputError(f"Cannot round a {name} tensor: pass a floating one, such as float32.")
    return found
