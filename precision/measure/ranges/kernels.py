"""The loop that counts neighbours, compiled by Numba; imported where there is much to count, as it takes a second."""

from typing import Any

import numpy as np
import numpy.typing as npt

from precision.measure.metrics.compiling import Doubles, Floats, bits_of, compiled, float_of

WAYS = 4
"""Tables that take turns, because counting twice in one place takes longer."""

_MAGNITUDE = np.int32(0x7FFF_FFFF)
_INFINITE = np.int32(0x7F80_0000)
_BELOW_TWO = np.int32(0x3FFF_FFFF)
_BELOW_NORMAL = np.int32(0x0040_0000)
"""2^-127, half the smallest normal value."""


@compiled
def count_distances(rows: Floats, block: int, from_power: bool, counts: npt.NDArray[Any], totals: Doubles) -> None:
    """Count values by how far they are below the largest of their group; `precision.measure.ranges.groups` says how.

    Args:
        rows: `(n, length)`, contiguous. Infinities and NaNs count as zeros.
        block: how many consecutive values of a row are a group; the last may have fewer.
        from_power: what the distance is measured from: the power of two below the largest value, or that value.
        counts: `(WAYS, 1024, bins)`, added to: by the exponent field and the upper two mantissa bits of the largest
            value, and by distance in quarters of an octave. The last takes in all that is farther, and zeros.
        totals: `(2, 1024)`, added to: by the same of the largest value, how many values are not zero; and for each of
            these the square of what its distance is measured from, in units of the power of two.
    """
    last = np.uint32(counts.shape[2] - 1)
    places = np.empty(min(block, rows.shape[1]), dtype=np.uint32)
    for row in range(rows.shape[0]):
        for start in range(0, rows.shape[1], block):
            group = rows[row, start : start + block]
            top, nonzero = _largest(group)
            if top == 0:
                continue
            kind = top >> 21
            power = top & _INFINITE
            power = power if power else _BELOW_NORMAL
            unit = float_of(power if from_power else top)
            ratio = np.float64(unit) / np.float64(float_of(power))
            totals[0, kind] += nonzero
            totals[1, kind] += nonzero * ratio * ratio
            for i in range(group.shape[0]):
                place = np.uint32((_BELOW_TWO - (bits_of(group[i] / unit) & _MAGNITUDE)) >> 21)
                places[i] = place if place < last else last
            for i in range(group.shape[0]):
                counts[i & (WAYS - 1), kind, places[i]] += 1


@compiled
def _largest(group: Floats) -> tuple[np.int32, np.int32]:
    """The bits of the largest finite magnitude, and how many are finite and not zero."""
    top = np.int32(0)
    nonzero = np.int32(0)
    for i in range(group.shape[0]):
        bits = bits_of(group[i]) & _MAGNITUDE
        bits = bits if bits < _INFINITE else np.int32(0)
        top = bits if bits > top else top
        nonzero += np.int32(bits != 0)
    return top, nonzero
