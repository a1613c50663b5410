"""Loops over pairs of float32 arrays, compiled by Numba: everything in one pass while the values are in registers.

Imported where it is first needed, because compiling takes a second or two. Sums are taken in float32 over blocks of
`BLOCK` elements and added up in float64: in a block each lane of a vector register adds a few dozen values, so
rounding stays below 1e-6 even where all its steps go the same way. Reassociation is what lets them be vectors; nothing
is assumed about NaN and infinities. Maxima are taken of the bits of non-negative floats, which order alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Function = TypeVar("Function", bound=Callable[..., object])

BLOCK = 256

RR, RE, EE, RY, YY, ABS, RELATIVE, SCALED, SMALL_ABS = range(9)
"""Places of the sums: of r·r, r·e, e·e, r·y, y·y, |e|, |e|/|r|, |e|/2^floor(log2|r|), and |e| where |r| is small."""
MAX_RELATIVE, MAX_SCALED, MAX_SMALL = 9, 10, 11
"""Places of the maxima, of the same."""
BELOW, EQUAL, SMALL, OUTSIDE = 12, 13, 14, 15
"""Places of the counts: y < r, y = r, |r| small, outside the tolerance."""
FOUND = 16
"""How many numbers there are of a chunk."""
_CERTAIN, _LARGEST = 16, 17
"""Further ones of a block: certainly outside the tolerance, and the largest error."""

_FAST_MATH = {"reassoc", "nsz", "contract"}
_ZERO = np.float32(0)
_EXPONENT = np.int32(0x7F80_0000)
_LESS, _MORE = np.float32(1 - 2.0**-20), np.float32(1 + 2.0**-20)
"""More than float32 rounds a tolerance and an error as large as it."""


def _compiled(function: Function) -> Function:
    try:
        compiled = numba.njit(cache=True, fastmath=_FAST_MATH, error_model="numpy", nogil=True)(function)
    except RuntimeError:  # nowhere to keep what was compiled, as on a read-only disk
        compiled = numba.njit(fastmath=_FAST_MATH, error_model="numpy", nogil=True)(function)
    return cast(Function, compiled)


def _generate_bits_of(_context: Any, _x: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), generate


def _generate_float_of(_context: Any, _bits: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), generate


_bits_of: Any = intrinsic(_generate_bits_of)
_float_of: Any = intrinsic(_generate_float_of)


@_compiled
def largest_error(r: Floats, y: Floats) -> float:
    """The largest |y - r|; infinity or NaN where an element or a difference is not finite."""
    largest = np.int32(0)
    for i in range(r.shape[0]):
        bits = _bits_of(abs(y[i] - r[i]))
        largest = bits if bits > largest else largest
    value: float = _float_of(largest)
    return value


@_compiled
def block_maxima(r: Floats, y: Floats, maxima: Floats) -> None:
    """The largest |y - r| of each `BLOCK` elements, into `maxima`; all differences are finite."""
    for k in range(maxima.shape[0]):
        maxima[k] = largest_error(r[k * BLOCK : (k + 1) * BLOCK], y[k * BLOCK : (k + 1) * BLOCK])


@_compiled
def places_above(
    r: Floats, y: Floats, maxima: Floats, limits: tuple[float, float], places: npt.NDArray[np.int64]
) -> int:
    """Where |y - r| > limits[0] and |y - r| >= limits[1], ascending, into `places`; how many there are."""
    above, least = np.float32(limits[0]), np.float32(limits[1])
    count = 0
    for k in range(maxima.shape[0]):
        if maxima[k] > above and maxima[k] >= least:
            for i in range(k * BLOCK, min((k + 1) * BLOCK, r.shape[0])):
                error = abs(y[i] - r[i])
                if error > above and error >= least:
                    places[count] = i
                    count += 1
    return count


@_compiled
def count_octaves(r: Floats, y: Floats, counts: npt.NDArray[Any]) -> int:
    """Count |y - r| by the exponent field of float32; how many of them are zero.

    Args:
        r: a multiple of four elements.
        y: as many.
        counts: `(4, 256)`; each is added to in turn, because counting twice in one place takes longer.
    """
    for i in range(0, r.shape[0], 4):
        for k in range(4):
            counts[k, _bits_of(abs(y[i + k] - r[i + k])) >> 23] += 1
    zeros = 0
    for i in range(r.shape[0]):
        zeros += int(y[i] == r[i])
    return zeros


@_compiled
def _measure_block(r: Floats, y: Floats, limits: Floats, found: Doubles) -> None:
    rtol, atol, normal = limits[0], limits[1], limits[2]
    rr = re = ee = ry = yy = total = relative = scaled = small_total = _ZERO
    below = equal = certain = possible = small = _ZERO
    largest = most_relative = most_scaled = most_small = np.int32(0)
    for i in range(r.shape[0]):
        x, z = r[i], y[i]
        e = z - x
        a, m = abs(e), abs(x)
        rr += x * x
        re += x * e
        ee += e * e
        ry += x * z
        yy += z * z
        total += a
        bits = _bits_of(a)
        largest = bits if bits > largest else largest
        below += np.float32(e < _ZERO)
        equal += np.float32(e == _ZERO)
        tolerance = atol + rtol * m
        certain += np.float32(a > tolerance * _MORE)
        possible += np.float32(a > tolerance * _LESS)
        is_small = m < normal
        small += np.float32(is_small)
        small_error = a if is_small else _ZERO
        small_total += small_error
        bits = _bits_of(small_error)
        most_small = bits if bits > most_small else most_small
        quotient = a / m  # divided in any case: a branch could not be a vector
        quotient = _ZERO if is_small else quotient
        relative += quotient
        bits = _bits_of(quotient)
        most_relative = bits if bits > most_relative else most_relative
        power = _float_of(_bits_of(x) & _EXPONENT)
        quotient = a / (power if power > normal else normal)
        scaled += quotient
        bits = _bits_of(quotient)
        most_scaled = bits if bits > most_scaled else most_scaled
    found[RR], found[RE], found[EE], found[RY], found[YY] = rr, re, ee, ry, yy
    found[ABS], found[RELATIVE], found[SCALED], found[SMALL_ABS] = total, relative, scaled, small_total
    found[MAX_RELATIVE], found[MAX_SCALED] = _float_of(most_relative), _float_of(most_scaled)
    found[MAX_SMALL], found[_LARGEST] = _float_of(most_small), _float_of(largest)
    found[BELOW], found[EQUAL], found[SMALL] = below, equal, small
    found[OUTSIDE], found[_CERTAIN] = possible, certain


@_compiled
def _count_outside(r: Floats, y: Floats, tolerances: Doubles) -> int:
    outside = 0
    for i in range(r.shape[0]):
        x = np.float64(r[i])
        if abs(y[i] - x) > tolerances[0] + tolerances[1] * abs(x):
            outside += 1
    return outside


@_compiled
def measure(r: Floats, y: Floats, limits: Floats, tolerances: Doubles, found: Doubles, largest: Doubles) -> None:
    """Add up all of a chunk.

    Args:
        r: the reference; all elements and differences are finite.
        y: the candidate.
        limits: relative and absolute tolerance and the smallest normal value, for float32.
        tolerances: absolute and relative, for float64.
        found: `(FOUND,)`, zeros; sums, maxima and counts are added to it.
        largest: the largest error so far, exact, and its place, which counts from the chunk's first element. Both are
            changed where the chunk has a larger one.
    """
    block = np.zeros(FOUND + 2)
    for start in range(0, r.shape[0], BLOCK):
        r_block, y_block = r[start : start + BLOCK], y[start : start + BLOCK]
        _measure_block(r_block, y_block, limits, block)
        if block[_CERTAIN] != block[OUTSIDE]:  # too close to the tolerance for float32 to tell
            block[OUTSIDE] = _count_outside(r_block, y_block, tolerances)
        for k in range(FOUND):
            if MAX_RELATIVE <= k <= MAX_SMALL:
                found[k] = max(found[k], block[k])
            else:
                found[k] += block[k]
        # Errors that float32 rounds alike may differ.
        if block[_LARGEST] >= np.float32(largest[0]):
            for i in range(r_block.shape[0]):
                error = abs(np.float64(y_block[i]) - np.float64(r_block[i]))
                if error > largest[0]:
                    largest[0], largest[1] = error, start + i
