"""Exact rounding of tensors to any row of the table of formats."""

from __future__ import annotations

import torch
from torch import Tensor

from precision.errors import InputError
from precision.formats import NumericFormat, format_named

EXPONENT_MASK = 0x7FF0_0000_0000_0000
"""The exponent field of a float64: with all other bits cleared, a normal number becomes 2^floor(log2|x|)."""

_BLOCK_ELEMENTS = 2**20
"""Rounded at a time: bounds the float64 temporaries to a few times 8 MiB whatever the tensor's size."""


def storage_dtype(fmt: NumericFormat) -> torch.dtype:
    """The torch dtype that stores values of `fmt`.

    Raises:
        InputError: torch has none of that name.
    """
    dtype = getattr(torch, fmt.name, None)
    if not isinstance(dtype, torch.dtype):
        raise InputError(f"torch has no dtype for {fmt.name}: its values can be simulated, not stored.")
    return dtype


def dtype_name(dtype: torch.dtype) -> str:
    """The dtype's name without the leading `torch.`."""
    return str(dtype).removeprefix("torch.")


def powers_of_two_below(x: Tensor, *, smallest: float) -> Tensor:
    """max(2^floor(log2|x|), smallest), elementwise, exactly.

    Zero gives `smallest`; infinities and NaN give inf.

    Args:
        x: float64, any shape, contiguous.
        smallest: A normal power of two.
    """
    return torch.bitwise_and(x.view(torch.int64), EXPONENT_MASK).view(torch.float64).clamp_(min=smallest)


def round_to(x: Tensor, fmt: NumericFormat, *, saturate: bool = True) -> Tensor:
    """`x` rounded to the nearest value of `fmt`, ties to even, subnormals included; dtype and shape kept.

    NaN stays NaN and zeros keep their sign. What exceeds the format's largest value after rounding, infinities
    included, becomes that value with `saturate` (as in OFP8's saturating conversion and torch's CPU cast to
    float8_e4m3fn); without, it becomes infinite as in IEEE 754, or NaN where the format has no infinities.
    Empty tensors stay empty. One rounding only, whatever the source dtype.

    y = q · round_half_even(x / q) with q = 2^(max(floor(log2|x|), min_exponent) - mantissa_bits); division and
    product are exact in float64.

    Source: IEEE 754-2019, sections 4.3.1 and 7.4; OCP 8-bit Floating Point Specification 1.0, section 5.2.

    Args:
        x: Floating tensor of any shape, on any device.
        fmt: The format to round to.
        saturate: What to do on overflow.

    Raises:
        InputError: `x` is not of a known floating dtype, or its dtype cannot hold the values of `fmt`.
    """
    source = _format_of(x)
    if _holds(fmt, source):
        return x.clone()
    if not _holds(source, fmt):
        raise InputError(f"A {source.name} tensor cannot hold {fmt.name} values: pass it as float32.")
    flat = x.detach().reshape(-1)
    rounded = torch.empty_like(flat)
    for start in range(0, flat.numel(), _BLOCK_ELEMENTS):
        block = flat[start : start + _BLOCK_ELEMENTS]
        # Through the CPU, because not every accelerator has float64 (Apple's has not).
        exact = _round_float64(block.cpu().to(torch.float64), fmt, saturate=saturate)
        rounded[start : start + _BLOCK_ELEMENTS] = exact.to(x.dtype)
    return rounded.reshape(x.shape)


def _round_float64(x: Tensor, fmt: NumericFormat, *, saturate: bool) -> Tensor:
    binade = powers_of_two_below(x, smallest=fmt.smallest_normal)
    # An infinite binade (of inf and NaN) would turn inf into inf / inf.
    quantum = binade.clamp_(max=2.0**1023).mul_(fmt.epsilon)
    rounded = torch.div(x, quantum).round_().mul_(quantum)
    if saturate:
        return rounded.clamp_(min=-fmt.max, max=fmt.max)
    beyond = rounded.abs() > fmt.max
    if fmt.has_infinities:
        return torch.where(beyond, torch.copysign(torch.full_like(rounded, torch.inf), rounded), rounded)
    return rounded.masked_fill_(beyond, torch.nan)


def _format_of(x: Tensor) -> NumericFormat:
    name = dtype_name(x.dtype)
    try:
        return format_named(name)
    except InputError:
        raise InputError(f"Cannot round a {name} tensor: pass a floating one, such as float32.") from None


def _holds(wide: NumericFormat, narrow: NumericFormat) -> bool:
    """Whether every finite value of `narrow` is one of `wide`."""
    return (
        wide.mantissa_bits >= narrow.mantissa_bits
        and wide.max >= narrow.max
        and wide.smallest_subnormal <= narrow.smallest_subnormal
        and wide.smallest_normal <= narrow.smallest_normal
    )
