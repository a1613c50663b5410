"""Counting values by their distance below the largest of those that share a scale with them: streamed, in one pass."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from precision.formats import GROUPINGS, Grouping
from precision.measure.ranges.exponents import CHUNK_ELEMENTS, CHUNK_ELEMENTS_ELSEWHERE, LAYOUTS
from precision.results.ranges import DISTANCE_OCTAVES, FINE_STEPS, NOISE_PARTS, GroupDistances

_Counts = npt.NDArray[np.int64]
_Doubles = npt.NDArray[np.float64]

_STEPS = FINE_STEPS
"""In each octave here: two bits of the mantissa."""
_BINS = DISTANCE_OCTAVES * _STEPS + 1
"""The last takes in all that is farther, and zeros."""
_MUCH = 2**16
"""Elements from which on compiling a loop for them pays."""


class GroupCounts:
    """What `GroupDistances` tells, of all `GROUPINGS`, gathered tensor by tensor; pieces must hold whole rows."""

    def __init__(self) -> None:
        self._distances = {grouping: _Distances({}, {}) for grouping in GROUPINGS}

    def add(self, values: Tensor, *, axis: int = -1) -> None:
        """Count the elements of one tensor.

        Infinities and NaNs count as zeros, and zeros do not count. Values share scales along `axis`: groups run along
        it, and an incomplete last block is a group too. Of a complex tensor, the real parts and the imaginary ones are
        groups of their own. An empty tensor adds nothing. Any shape, any device.
        """
        if not values.numel():
            return
        moved = _real(values.detach().reshape(values.shape or (1,)).movedim(axis, -1))
        if moved.device.type == "mps":  # no float64 there
            moved = moved.cpu()
        on_cpu = moved.device.type == "cpu"
        pieces = _rows(moved, CHUNK_ELEMENTS if on_cpu else CHUNK_ELEMENTS_ELSEWHERE)
        compiled = on_cpu and moved.dtype == torch.float32 and moved.numel() >= _MUCH
        for grouping, found in _compiled(pieces) if compiled else _by_operators(pieces):
            self._distances[grouping].take_in(found)

    def merge(self, other: GroupCounts) -> None:
        """Count what `other` has counted, too."""
        for grouping, distances in self._distances.items():
            distances.merge(other._distances[grouping])

    def result(self, norm: float | None) -> tuple[GroupDistances, ...]:
        """What was counted so far, of values of that norm; nothing without values other than zero."""
        if not norm:
            return ()
        return tuple(distances.result(grouping, norm) for grouping, distances in self._distances.items())


def groups_of(values: Tensor, *, axis: int = -1) -> GroupCounts:
    """One tensor's values counted; see `GroupCounts.add`."""
    counts = GroupCounts()
    counts.add(values, axis=axis)
    return counts


@dataclass(frozen=True)
class _Found:
    """Of one piece; a row for each quarter of an octave in which a group's largest value may be."""

    first: int
    """The first row's quarter, counted from that which begins at 1."""
    counts: _Counts
    """`(rows, _BINS)`."""
    totals: _Doubles
    """`(2, rows)`: non-zero values, and their R^2 in units of the power of two below."""


@dataclass(frozen=True)
class _Distances:
    """Of one grouping, by the quarter of an octave in which the groups' largest values are."""

    counts: dict[int, _Counts]
    totals: dict[int, _Doubles]

    def take_in(self, found: _Found) -> None:
        for row in np.flatnonzero(found.totals[0]).tolist():
            self._add(found.first + row, found.counts[row], found.totals[:, row])

    def merge(self, other: _Distances) -> None:
        for quarter, counts in other.counts.items():
            self._add(quarter, counts, other.totals[quarter])

    def _add(self, quarter: int, counts: _Counts, totals: _Doubles) -> None:
        held = quarter in self.counts
        self.counts[quarter] = self.counts[quarter] + counts if held else counts
        self.totals[quarter] = self.totals[quarter] + totals if held else totals

    def result(self, grouping: Grouping, norm: float) -> GroupDistances:
        first, last = min(self.counts) // _STEPS, max(self.counts) // _STEPS
        by_largest = [0] * (last + 1 - first)
        by_step, noise = np.zeros(_BINS, dtype=np.int64), np.zeros(_BINS)
        for quarter, counts in self.counts.items():
            values, squares = self.totals[quarter].tolist()
            by_largest[quarter // _STEPS - first] += int(values)
            square = math.ldexp(squares / values, 2 * (quarter // _STEPS - last))
            by_step += counts
            noise += square * counts
        octaves = by_step[:-1].reshape(DISTANCE_OCTAVES, _STEPS).sum(axis=1)
        largest = 0.0 if grouping.power_of_two else float(noise[:_STEPS].sum())
        others = noise[:-1] if grouping.power_of_two else noise[_STEPS:-1]
        signal = math.ldexp(norm, -last) ** 2
        return GroupDistances(
            block_size=grouping.block_size,
            power_of_two=grouping.power_of_two,
            first_exponent=first,
            by_largest=tuple(by_largest),
            counts=tuple(np.trim_zeros(octaves, "b").tolist()),
            largest_gain=_rounded(largest / signal),
            noise_gain=_rounded(float(others.sum()) / signal),
            noise_shares=_shares(others),
        )


def _shares(by_step: _Doubles) -> tuple[int, ...]:
    """The first octave in steps, the others whole, without those at the end that do not count."""
    kept = np.concatenate([by_step[:_STEPS], by_step[_STEPS:].reshape(-1, _STEPS).sum(axis=1)])
    total = float(kept.sum())
    parts = np.rint(NOISE_PARTS * kept / total).astype(np.int64) if total else np.zeros(1, dtype=np.int64)
    return tuple(np.trim_zeros(parts, "b").tolist())


def _rounded(gain: float) -> float:
    return float(f"{gain:.6g}")


def _real(moved: Tensor) -> Tensor:
    """Of complex numbers their parts one after the other; negated views resolved."""
    return torch.view_as_real(moved.resolve_conj()).movedim(-1, 0) if moved.is_complex() else moved.resolve_neg()


def _rows(values: Tensor, elements: int) -> Iterator[Tensor]:
    """Pieces of about so many elements, `(n, length)`, contiguous, of a dtype whose fields are known."""
    if values.dim() <= 2 or values.is_contiguous():
        pieces = torch.split(values.reshape(-1, values.shape[-1]), max(1, elements // values.shape[-1]))
    elif values[0].numel() > elements:
        for part in values:
            yield from _rows(part, elements)
        return
    else:
        pieces = torch.split(values, max(1, elements // values[0].numel()))
    for piece in pieces:
        known = piece if piece.dtype in LAYOUTS else piece.float()
        yield known.reshape(-1, values.shape[-1]).contiguous()


def _count(rows: Tensor, grouping: Grouping) -> _Found:
    layout = LAYOUTS[rows.dtype]
    block = min(grouping.block_size or rows.shape[-1], rows.shape[-1])
    missing = -rows.shape[-1] % block
    groups = (functional.pad(rows, (0, missing)) if missing else rows).reshape(-1, block)
    groups = groups.abs().nan_to_num_(0.0, 0.0, 0.0)
    largest, nonzero = groups.amax(dim=-1, keepdim=True), groups.count_nonzero(dim=-1).double()
    quarters = largest.view(layout.integer) >> (layout.mantissa_bits - 2)
    powers = (quarters >> 2 << layout.mantissa_bits).clamp_min_(layout.smallest_normal // 2).view(rows.dtype)
    units = powers if grouping.power_of_two else torch.where(largest == 0, powers, largest)
    below_two = (layout.bias + 1 << layout.mantissa_bits) - 1  # all bits below the top one: less something is xor
    steps = groups.div_(units).view(layout.integer).bitwise_xor_(below_two) >> (layout.mantissa_bits - 2)
    lowest, highest = (int(end) for end in quarters.aminmax())
    places = (quarters - lowest) * _BINS + steps.clamp_max_(_BINS - 1)
    squares = (units / powers).double().square_().reshape(-1)
    flat, size = (quarters - lowest).reshape(-1), highest - lowest + 1
    totals = [torch.bincount(flat, weights=weights, minlength=size) for weights in (nonzero, nonzero * squares)]
    return _Found(
        lowest - _STEPS * layout.bias,
        torch.bincount(places.reshape(-1), minlength=size * _BINS).reshape(size, _BINS).cpu().numpy(),
        torch.stack(totals).cpu().numpy(),
    )


def _by_operators(pieces: Iterable[Tensor]) -> Iterator[tuple[Grouping, _Found]]:
    """By torch's operators, of any dtype, on any device."""
    for rows in pieces:
        for grouping in GROUPINGS:
            yield grouping, _count(rows, grouping)


def _compiled(pieces: Iterable[Tensor]) -> Iterator[tuple[Grouping, _Found]]:
    """The same of float32 values on the CPU, several times as fast."""
    from precision.measure.ranges import kernels  # only where there is much to count: it takes a second to compile

    layout = LAYOUTS[torch.float32]
    counts = np.zeros((len(GROUPINGS), kernels.WAYS, _STEPS * layout.fields, _BINS), dtype=np.int64)
    totals = np.zeros((len(GROUPINGS), 2, _STEPS * layout.fields))
    for rows in pieces:
        for at, grouping in enumerate(GROUPINGS):
            block = min(grouping.block_size or rows.shape[-1], rows.shape[-1])
            kernels.count_distances(rows.numpy(), block, grouping.power_of_two, counts[at], totals[at])
    for at, grouping in enumerate(GROUPINGS):
        occupied = np.flatnonzero(totals[at, 0])
        if occupied.size:
            part = slice(int(occupied[0]), int(occupied[-1]) + 1)
            of_all_ways = counts[at, :, part].sum(axis=0)
            # copied, as a view would keep the whole table in memory
            yield grouping, _Found(part.start - _STEPS * layout.bias, of_all_ways, totals[at, :, part].copy())
