"""Loops that count float32 pairs and pick from them, compiled by Numba; see `kernels` for the arrays they take."""

from typing import Any

import numpy as np
import numpy.typing as npt

from precision.measure.metrics.compiling import Doubles, bits_of, compiled
from precision.measure.metrics.kernels import BLOCK, Raw, value_of, widened
from precision.measure.metrics.log_bins import EIGHTHS, SINGLE_STARTS

SINGLE_SIZES = EIGHTHS * (1 + 149 + 128)
"""Sizes of float32's magnitudes: zero, and eighths of the octaves from that of 2^-149 to that of 2^127."""

BIN_LANES = 4
"""Of counts by bin: each lane is added to in turn, because counting twice in one place takes longer."""

_SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH, _SEVENTH, _EIGHTH = (np.int32(start) for start in SINGLE_STARTS[1:])
_MANTISSA, _FIELD = np.int32(0x7F_FFFF), np.int32(23)
_NORMAL = np.int32(0x80_0000)
_ABOVE = np.int32(EIGHTHS * 23)
"""Octaves from that of 2^-149 to that before float32's normal numbers."""
_TO_NORMAL, _BACK = np.float32(2.0**64), np.int32(EIGHTHS * 64)
_EIGHTHS, _SIZES, _ZERO = np.int32(EIGHTHS), np.int32(SINGLE_SIZES), np.int32(0)
_UNSURE = np.float32(1e-4)
"""Of a bin: more than float32 rounds its place, of some hundreds."""
_ONE, _MAX = np.uint32(1), np.uint32(2**32 - 1)


@compiled
def _size(bits: Any) -> Any:
    """Of zero or a normal number, whose bits these are."""
    mantissa = bits & _MANTISSA
    eighth = np.int32(mantissa >= _SECOND) + np.int32(mantissa >= _THIRD) + np.int32(mantissa >= _FOURTH)
    eighth += np.int32(mantissa >= _FIFTH) + np.int32(mantissa >= _SIXTH) + np.int32(mantissa >= _SEVENTH)
    eighth += np.int32(mantissa >= _EIGHTH)
    size = (bits >> _FIELD) * _EIGHTHS + eighth + _ABOVE
    return size if bits > _ZERO else _ZERO


@compiled
def _size_of_any(value: Any) -> Any:
    bits = bits_of(value)
    return _size(bits) if bits >= _NORMAL or bits == _ZERO else _size(bits_of(value * _TO_NORMAL)) - _BACK


@compiled
def _block_cells(r: Any, y: Any, cells: Any, ends: Any) -> None:
    most_e = most_r = _ZERO
    least_e = least_r = _MAX
    for i in range(BLOCK):
        e, m = bits_of(abs(y[i] - r[i])), bits_of(abs(r[i]))
        most_e = e if e > most_e else most_e
        most_r = m if m > most_r else most_r
        less = np.uint32(np.uint32(e) - _ONE)  # zeros become the largest
        least_e = less if less < least_e else least_e
        less = np.uint32(np.uint32(m) - _ONE)
        least_r = less if less < least_r else least_r
        cells[i] = _size(e) * _SIZES + _size(m)
    if least_e < _NORMAL - 1 or least_r < _NORMAL - 1:
        for i in range(BLOCK):
            cells[i] = _size_of_any(abs(y[i] - r[i])) * _SIZES + _size_of_any(abs(r[i]))
    ends[0, 0], ends[0, 1] = min(ends[0, 0], np.int64(least_e) + 1), max(ends[0, 1], most_e)
    ends[1, 0], ends[1, 1] = min(ends[1, 0], np.int64(least_r) + 1), max(ends[1, 1], most_r)


@compiled
def count_sizes(r: Raw, y: Raw, counts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> None:
    """Count a chunk, a multiple of `BLOCK` finite pairs, by the sizes of |e| and |r|.

    Args:
        r: the reference.
        y: the candidate.
        counts: `(SINGLE_SIZES, SINGLE_SIZES)`, of |e| and |r|: is added to.
        ends: `(2, 2)`: the bits of the smallest that is not zero and of the largest |e|, and of |r|: is widened.
    """
    wide, cells = np.empty((2, BLOCK), dtype=np.float32), np.empty(BLOCK, dtype=np.int32)
    flat = counts.reshape(-1)
    for start in range(0, r.shape[0], BLOCK):
        _block_cells(widened(r, wide[0], start), widened(y, wide[1], start), cells, ends)
        for i in range(BLOCK):
            flat[cells[i]] += 1


@compiled
def _block_bins(r: Any, y: Any, half_width: Any, number: Any, bins: Any) -> bool:
    """The bin of each error of one block; False where some are so close to an edge that the edges must decide."""
    half = np.float32(number) * np.float32(0.5)
    scale = half / half_width
    unsure = np.float32(0)
    for i in range(BLOCK):
        guess = (y[i] - r[i]) * scale + half
        bin_ = np.int32(guess)
        within = guess - np.float32(bin_)
        unsure += np.float32(within < _UNSURE) + np.float32(within > np.float32(1) - _UNSURE)
        bins[i] = bin_
    is_sure: bool = unsure == np.float32(0)
    return is_sure


@compiled
def _exact_bin(e: Any, edges: Any) -> Any:
    """Of bins that contain their lower edge, the last both."""
    last = edges.size - 2
    guess = min(max(np.int64((e - edges[0]) / (edges[last + 1] - edges[0]) * (last + 1)), 0), last)
    while guess > 0 and e < edges[guess]:
        guess -= 1
    while guess < last and e >= edges[guess + 1]:
        guess += 1
    return guess


@compiled
def count_signed(r: Raw, y: Raw, edges: Doubles, counts: npt.NDArray[np.int64]) -> None:
    """Count a chunk, a multiple of `BLOCK` finite pairs, by e.

    Args:
        r: the reference.
        y: the candidate.
        edges: of equal bins, the first the negative of the last, which is no smaller than any error and not so small
            or large that float32 could not divide by it.
        counts: `(BIN_LANES, bins)`: is added to.
    """
    wide, bins = np.empty((2, BLOCK), dtype=np.float32), np.empty(BLOCK, dtype=np.int32)
    half_width = np.float32(edges[-1])
    for start in range(0, r.shape[0], BLOCK):
        r_block, y_block = widened(r, wide[0], start), widened(y, wide[1], start)
        if not _block_bins(r_block, y_block, half_width, edges.size - 1, bins):
            for i in range(BLOCK):
                bins[i] = _exact_bin(np.float64(y_block[i]) - np.float64(r_block[i]), edges)
        for i in range(0, BLOCK, BIN_LANES):
            for k in range(BIN_LANES):
                counts[k, bins[i + k]] += 1


@compiled
def take_errors(r: Raw, y: Raw, first: int, stride: int, out: Doubles) -> None:
    """|e| of every `stride`-th pair from `first` on; `out` is as long as there are."""
    if stride == 1:
        r, y = r[first : first + out.size], y[first : first + out.size]
        for i in range(out.size):
            out[i] = abs(value_of(y, i) - value_of(r, i))
        return
    for i in range(out.size):
        out[i] = abs(value_of(y, first + i * stride) - value_of(r, first + i * stride))


@compiled
def count_leading(values: Doubles, counts: npt.NDArray[np.int64]) -> None:
    """Count non-negative values by their leading 16 bits, of which there are `(2**15,)`."""
    bits = values.view(np.int64)
    for i in range(bits.shape[0]):
        counts[bits[i] >> 48] += 1


@compiled
def take_leading(values: Doubles, leading: int, out: Doubles) -> None:
    """The values of these leading 16 bits; `out` is longer by one than there are."""
    bits = values.view(np.int64)
    count = 0
    for i in range(bits.shape[0]):
        out[count] = values[i]
        count += (bits[i] >> 48) == leading


@compiled
def sum_rows(r: Raw, y: Raw, sums: Doubles) -> None:
    """Of each row of pairs, over those that are finite: how many there are, and the sums of e, r e and r².

    Args:
        r: all rows of the reference, one after the other.
        y: those of the candidate.
        sums: `(rows, 4)`: becomes the sums.
    """
    width = r.shape[0] // sums.shape[0]
    for row in range(sums.shape[0]):
        count = error = product = square = 0.0
        r_row, y_row = r[row * width : (row + 1) * width], y[row * width : (row + 1) * width]
        for i in range(width):
            x = np.float64(value_of(r_row, i))
            e = np.float64(value_of(y_row, i)) - x
            is_pair = abs(e) < np.inf
            e, x = e if is_pair else np.float64(0), x if is_pair else np.float64(0)
            count += 1.0 if is_pair else 0.0
            error += e
            product += x * e
            square += x * x
        sums[row, 0], sums[row, 1], sums[row, 2], sums[row, 3] = count, error, product, square
