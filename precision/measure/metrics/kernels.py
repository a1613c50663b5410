"""Loops over pairs of float32 arrays, compiled by Numba: everything in one pass while the values are in registers.

Imported where it is first needed, because compiling takes a second or two. Sums are taken in float32 over blocks of
`BLOCK` elements and added up in float64: in a block each lane of a vector register adds a few dozen values, so
rounding stays below 1e-6 even where all its steps go the same way. Reassociation is what lets them be vectors; nothing
is assumed about NaN and infinities. Maxima are taken of the bits of non-negative floats, which order alike.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import overload

from precision.measure.metrics.compiling import Doubles, Floats, bits_of, compiled, float_of, from_bfloat16, from_half

Raw = npt.NDArray[np.float32] | npt.NDArray[np.int16] | npt.NDArray[np.uint16]
Fields = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int32]

BLOCK = 256
LANES, FIELDS = 4, 256
"""Of counts by the exponent field of float32: each lane is added to in turn, because counting twice in one place takes
longer."""

RR, RE, EE, RY, YY, SIGNED, ABS, RELATIVE, SCALED, SMALL_ABS = range(10)
"""Places of the sums: of r·r, r·e, e·e, r·y, y·y, e, |e|, |e|/|r|, |e|/2^floor(log2|r|), and |e| where |r| is small."""
MAX_RELATIVE, MAX_SCALED, MAX_SMALL = 10, 11, 12
"""Places of the maxima, of the same."""
BELOW, EQUAL, SMALL, OUTSIDE = 13, 14, 15, 16
"""Places of the counts: y < r, y = r, |r| small, outside the tolerance."""
FOUND = 17
"""How many numbers there are of a chunk."""
_CERTAIN, _LARGEST = 17, 18
"""Further ones of a block: certainly outside the tolerance, and the largest error."""

_ZERO = np.float32(0)
_EXPONENT = np.int32(0x7F80_0000)
_FIELD = np.int32(23)
"""Bits below the exponent field."""
_RECIPROCAL = np.int32(254 << 23)
"""Less the bits of a power of two from 2^-126 to 2^126, those of its reciprocal."""
_LESS, _MORE = np.float32(1 - 2.0**-20), np.float32(1 + 2.0**-20)
"""More than float32 rounds a tolerance and an error as large as it."""


def widened(raw: Raw, block: Floats, start: int) -> Floats:
    """A block of `raw` in float32: itself, or made in `block`."""
    raise NotImplementedError  # compiled code has what `_overload_widened` says


@overload(widened, inline="always")
def _overload_widened(raw: Any, block: Any, start: Any) -> Any:  # noqa: ARG001 - Numba compares the names
    from_bits = from_half if raw.dtype == types.int16 else from_bfloat16

    def itself(raw: Any, block: Any, start: Any) -> Any:  # noqa: ARG001
        return raw[start : start + BLOCK]

    def widened(raw: Any, block: Any, start: Any) -> Any:
        narrow = raw[start : start + BLOCK]
        for i in range(BLOCK):
            block[i] = from_bits(narrow[i])
        return block

    return itself if raw.dtype == types.float32 else widened


def value_of(raw: Raw, i: int) -> float:
    """One value of `raw` in float32."""
    raise NotImplementedError  # compiled code has what `_overload_value_of` says


@overload(value_of, inline="always")
def _overload_value_of(raw: Any, i: Any) -> Any:  # noqa: ARG001 - Numba compares the names
    from_bits = from_half if raw.dtype == types.int16 else from_bfloat16

    def itself(raw: Any, i: Any) -> Any:
        return raw[i]

    def converted(raw: Any, i: Any) -> Any:
        return from_bits(raw[i])

    return itself if raw.dtype == types.float32 else converted


@compiled
def largest_error(r: Raw, y: Raw) -> float:
    """Of arrays as `measure` takes them, the largest |y - r|: infinity or NaN where not all is finite."""
    wide = np.empty((2, BLOCK), dtype=np.float32)
    largest = np.int32(0)
    for start in range(0, r.shape[0], BLOCK):
        r_block, y_block = widened(r, wide[0], start), widened(y, wide[1], start)
        for i in range(BLOCK):
            bits = bits_of(abs(y_block[i] - r_block[i]))
            largest = bits if bits > largest else largest
    value: float = float_of(largest)
    return value


@compiled
def pairs_above(
    r: Raw, y: Raw, maxima: Floats, limits: tuple[float, float], places: npt.NDArray[np.int64], values: Doubles
) -> int:
    """Pairs with |y - r| > limits[0] and |y - r| >= limits[1], in order; how many there are.

    Args:
        r: as `measure` takes it, as is `y`.
        y: the candidate.
        maxima: of each block, as `measure` gives them.
        limits: none of them negative.
        places: as long as the blocks whose largest error is not below the limits; becomes their places.
        values: `(2, n)`, as long; becomes their r and y.
    """
    wide = np.empty((2, BLOCK), dtype=np.float32)
    above, least = np.float32(limits[0]), np.float32(limits[1])
    count = 0
    for k in range(maxima.shape[0]):
        if maxima[k] > above and maxima[k] >= least:
            r_block, y_block = widened(r, wide[0], k * BLOCK), widened(y, wide[1], k * BLOCK)
            for i in range(BLOCK):
                error = abs(y_block[i] - r_block[i])
                if error > above and error >= least:
                    places[count] = k * BLOCK + i
                    values[0, count], values[1, count] = r_block[i], y_block[i]
                    count += 1
    return count


@compiled
def _measure_block(r: Floats, y: Floats, limits: Floats, found: Doubles, fields: Fields) -> None:
    rtol, atol, normal = limits[0], limits[1], limits[2]
    rr = re = ee = ry = yy = signed = total = relative = scaled = small_total = _ZERO
    below = equal = certain = possible = small = _ZERO
    largest = most_relative = most_scaled = most_small = np.int32(0)
    for i in range(BLOCK):
        x, z = r[i], y[i]
        e = z - x
        a, m = abs(e), abs(x)
        rr += x * x
        re += x * e
        ee += e * e
        ry += x * z
        yy += z * z
        signed += e
        total += a
        bits = bits_of(a)
        largest = bits if bits > largest else largest
        fields[i] = bits >> _FIELD
        below += np.float32(e < _ZERO)
        equal += np.float32(e == _ZERO)
        tolerance = atol + rtol * m
        certain += np.float32(a > tolerance * _MORE)
        possible += np.float32(a > tolerance * _LESS)
        is_small = m < normal
        small += np.float32(is_small)
        small_error = a if is_small else _ZERO
        small_total += small_error
        bits = bits_of(small_error)
        most_small = bits if bits > most_small else most_small
        quotient = a / m  # divided in any case: a branch could not be a vector
        quotient = _ZERO if is_small else quotient
        relative += quotient
        bits = bits_of(quotient)
        most_relative = bits if bits > most_relative else most_relative
        power = float_of(bits_of(x) & _EXPONENT)
        quotient = a * float_of(_RECIPROCAL - bits_of(power if power > normal else normal))
        scaled += quotient
        bits = bits_of(quotient)
        most_scaled = bits if bits > most_scaled else most_scaled
    found[RR], found[RE], found[EE], found[RY], found[YY] = rr, re, ee, ry, yy
    found[SIGNED], found[ABS], found[RELATIVE], found[SCALED], found[SMALL_ABS] = (
        signed,
        total,
        relative,
        scaled,
        small_total,
    )
    found[MAX_RELATIVE], found[MAX_SCALED] = float_of(most_relative), float_of(most_scaled)
    found[MAX_SMALL], found[_LARGEST] = float_of(most_small), float_of(largest)
    found[BELOW], found[EQUAL], found[SMALL] = below, equal, small
    found[OUTSIDE], found[_CERTAIN] = possible, certain


@compiled
def _count_outside(r: Floats, y: Floats, tolerances: Doubles) -> int:
    outside = 0
    for i in range(r.shape[0]):
        x = np.float64(r[i])
        if abs(y[i] - x) > tolerances[0] + tolerances[1] * abs(x):
            outside += 1
    return outside


@compiled
def measure(
    r: Raw,
    y: Raw,
    limits: Floats,
    tolerances: Doubles,
    found: Doubles,
    largest: Doubles,
    octaves: Counts,
    maxima: Floats,
) -> bool:
    """Measure one chunk, a multiple of `BLOCK` elements; False, and nothing of worth, where not all is finite.

    Args:
        r: the reference: float32, or the bits of float16 as int16, or those of bfloat16 as uint16.
        y: the candidate, in any of these.
        limits: relative and absolute tolerance and the smallest normal value, for float32.
        tolerances: absolute and relative, for float64.
        found: `(FOUND,)`, zeros: becomes the sums, maxima and counts.
        largest: -inf and 0: becomes the largest error, exact, and its first place.
        octaves: `(LANES, FIELDS)`, zeros: becomes counts of |y - r| by the exponent field of float32.
        maxima: becomes the largest |y - r| of each `BLOCK` elements.
    """
    wide = np.empty((2, BLOCK), dtype=np.float32)
    block = np.zeros(FOUND + 2)
    fields = np.empty(BLOCK, dtype=np.uint8)
    for start in range(0, r.shape[0], BLOCK):
        r_block, y_block = widened(r, wide[0], start), widened(y, wide[1], start)
        _measure_block(r_block, y_block, limits, block, fields)
        if not block[_LARGEST] < np.inf:
            return False
        if block[_LARGEST] == 0:  # counting again and again in one place takes longer than all the rest
            octaves[0, 0] += BLOCK
        else:
            for i in range(0, BLOCK, LANES):
                for k in range(LANES):
                    octaves[k, fields[i + k]] += 1
        maxima[start // BLOCK] = block[_LARGEST]
        if block[_CERTAIN] != block[OUTSIDE]:  # too close to the tolerance for float32 to tell
            block[OUTSIDE] = _count_outside(r_block, y_block, tolerances)
        for k in range(FOUND):
            if MAX_RELATIVE <= k <= MAX_SMALL:
                found[k] = max(found[k], block[k])
            else:
                found[k] += block[k]
        # Errors that float32 rounds alike may differ, unless they are zero.
        if block[_LARGEST] >= np.float32(largest[0]) and (block[_LARGEST] > 0 or largest[0] < 0):
            for i in range(BLOCK):
                error = abs(np.float64(y_block[i]) - np.float64(r_block[i]))
                if error > largest[0]:
                    largest[0], largest[1] = error, start + i
    return True
