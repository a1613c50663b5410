"""Loops compiled by Numba, and the operations on bits that they share.

Imported where there is first much to do, because compiling takes a second or two.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped]
from llvmlite.binding import get_host_cpu_features  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Function = TypeVar("Function", bound=Callable[..., object])

_CONVERTS_HALF = bool(get_host_cpu_features().get("f16c"))
"""Whether the processor has an instruction for it; x86 ones of the last ten years do."""
_FAST_MATH = {"reassoc", "nsz", "contract"}


def compiled(function: Function) -> Function:
    """`function`, compiled when it is first called, and kept on disk where that is possible; needs no GIL.

    Sums may be reassociated, which is what lets them be vectors; nothing is assumed about NaN and infinities.
    """
    try:
        made = numba.njit(cache=True, fastmath=_FAST_MATH, error_model="numpy", nogil=True)(function)
    except RuntimeError:  # nowhere to keep what was compiled, as on a read-only disk
        made = numba.njit(fastmath=_FAST_MATH, error_model="numpy", nogil=True)(function)
    return cast(Function, made)


def _generate_bits_of(_context: Any, _x: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), generate


def _generate_float_of(_context: Any, _bits: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), generate


bits_of: Any = intrinsic(_generate_bits_of)
float_of: Any = intrinsic(_generate_float_of)


def _generate_from_half(_context: Any, _bits: Any) -> Any:
    """Of the bits of a float16 the float32."""
    word = ir.IntType(32)

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        if _CONVERTS_HALF:
            return builder.fpext(builder.bitcast(args[0], ir.HalfType()), ir.FloatType())
        half = builder.zext(args[0], word)
        magnitude = builder.shl(builder.and_(half, word(0x7FFF)), word(13))
        exponent = builder.and_(magnitude, word(0x0F80_0000))
        normal = builder.add(magnitude, word(112 << 23))
        nonfinite = builder.add(normal, word(112 << 23))
        above = builder.bitcast(builder.add(normal, word(1 << 23)), ir.FloatType())
        subnormal = builder.bitcast(builder.fsub(above, ir.FloatType()(2.0**-14)), word)
        bits = builder.select(builder.icmp_unsigned("==", exponent, word(0)), subnormal, normal)
        bits = builder.select(builder.icmp_unsigned("==", exponent, word(0x0F80_0000)), nonfinite, bits)
        sign = builder.shl(builder.and_(half, word(0x8000)), word(16))
        return builder.bitcast(builder.or_(bits, sign), ir.FloatType())

    return types.float32(types.int16), generate


def _generate_from_bfloat16(_context: Any, _bits: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        word = ir.IntType(32)
        return builder.bitcast(builder.shl(builder.zext(args[0], word), word(16)), ir.FloatType())

    return types.float32(types.uint16), generate


from_half: Any = intrinsic(_generate_from_half)
from_bfloat16: Any = intrinsic(_generate_from_bfloat16)
