"""Exact rounding of tensors to every format, and the dtypes that hold the results."""

from torch import Tensor

from precision.formats import AnyFormat, ScaledFormat
from precision.measure.rounding.dtypes import dtype_name, holding_dtype, storage_dtype
from precision.measure.rounding.numeric import EXPONENT_MASK, powers_of_two_below, round_numeric
from precision.measure.rounding.scaled import round_scaled

__all__ = ["EXPONENT_MASK", "dtype_name", "holding_dtype", "powers_of_two_below", "round_to", "storage_dtype"]


def round_to(x: Tensor, fmt: AnyFormat, *, saturate: bool = True, axis: int = -1) -> Tensor:
    """`x` rounded to the nearest value of `fmt`, ties to even, subnormals included; dtype and shape kept.

    **Floating-point formats.** NaN stays NaN, also in formats that have no code for it, and zeros keep their sign,
    except in `fnuz` formats, which have no -0. What exceeds the format's largest value after rounding, infinities
    included, becomes that value with `saturate` (as in OFP8's saturating conversion and torch's CPU cast to
    float8_e4m3fn); without, it becomes infinite as in IEEE 754, or NaN where the format has no infinities. Formats
    with neither always saturate. One rounding only, whatever the source dtype.

    y = q · round_half_even(x / q) with q = 2^(max(floor(log2|x|), min_exponent) - mantissa_bits); division and
    product are exact.

    **Scaled formats.** y = scale · round(x / scale), rounded to an element, saturating; the product is exact before
    it is rounded to x's dtype. Let A be the largest magnitude of the values that share the scale:

    - MX: scale = 2^(floor(log2 A) - largest exponent of the element), kept between 2^-127 and 2^127.
    - NVFP4: t = float32(A of the whole tensor / (448 · 6)); scale = t · e4m3(A of the block / (6 t)).
    - Integers: scale = float32(A / (2^(bits - 1) - 1)); there is no -0.

    Where A is zero, or so small that the scale rounds to zero, all values become zero. An infinity or a NaN has no
    scale: all values that share it become NaN. An incomplete last block has its own scale.

    Empty tensors stay empty.

    Source: IEEE 754-2019, sections 4.3.1 and 7.4; OCP 8-bit Floating Point Specification 1.0, section 5.2; OCP
    Microscaling Formats 1.0, section 6.3; NVIDIA, "Pretraining Large Language Models with NVFP4" (2025), section 2.

    Args:
        x: Floating tensor of any shape, on any device; float32 or float64 for scaled formats.
        fmt: The format to round to.
        saturate: What to do on overflow.
        axis: Of scaled formats: the dimension along which blocks run, or all of whose values share a channel's scale.

    Raises:
        InputError: `x` is not of a known floating dtype, or its dtype cannot hold the values of `fmt`.
    """
    if isinstance(fmt, ScaledFormat):
        return round_scaled(x, fmt, axis=axis)
    return round_numeric(x, fmt, saturate=saturate)
