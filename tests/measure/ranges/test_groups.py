"""Counts by distance below the largest of a group, against counting value by value in numpy."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from precision.formats import GROUPINGS, Grouping
from precision.measure.ranges import groups
from precision.measure.ranges.counts import ValueCounts, counts_of
from precision.results.ranges import DISTANCE_OCTAVES, FINE_STEPS, NOISE_PARTS, ExponentHistogram, GroupDistances
from tests.measure.ranges.histograms import value_histogram


def expected(values: Tensor, grouping: Grouping, *, axis: int = -1) -> tuple[Counter[int], Counter[int], list[float]]:
    """By exponent of the group's largest, by octave, and the gains: of the largest where they are R, of all others."""
    by_largest, by_octave = Counter[int](), Counter[int]()
    largest_gain = noise_gain = signal = 0.0
    rows = values.reshape(values.shape or (1,)).movedim(axis, -1).double().abs().nan_to_num(0, 0, 0).numpy()
    rows = rows.reshape(-1, rows.shape[-1]) if rows.size else rows.reshape(0, 1)
    step = grouping.block_size or rows.shape[-1]
    for row in rows:
        for start in range(0, row.size, step):
            group = row[start : start + step]
            if not (largest := float(group.max(initial=0.0))):
                continue
            exponent = math.frexp(largest)[1] - 1
            unit = 2.0**exponent if grouping.power_of_two else largest
            for value in group[group > 0].tolist():
                by_largest[exponent] += 1
                by_octave[1 - math.frexp(value / unit)[1]] += 1
                signal += value**2
                if value == unit and not grouping.power_of_two:
                    largest_gain += unit**2
                else:
                    noise_gain += unit**2
    return by_largest, by_octave, [largest_gain / signal, noise_gain / signal] if signal else [0.0, 0.0]


def of(histogram: ExponentHistogram, grouping: Grouping) -> GroupDistances:
    return next(each for each in histogram.groups if each.grouping == grouping)


def check(values: Tensor, *, axis: int = -1) -> None:
    histogram = value_histogram(values, axis=axis)
    for grouping in GROUPINGS:
        by_largest, by_octave, gains = expected(values, grouping, axis=axis)
        if not by_largest:
            assert histogram.groups == ()
            continue
        found = of(histogram, grouping)
        assert {at: n for at, n in enumerate(found.by_largest, found.first_exponent) if n} == by_largest
        near = {at: n for at, n in by_octave.items() if at < DISTANCE_OCTAVES}
        assert {at: n for at, n in enumerate(found.counts) if n} == near
        assert sum(found.by_largest) == histogram.nonzero
        if len(near) == len(by_octave):
            assert found.largest_gain + found.noise_gain == pytest.approx(sum(gains), rel=1e-3)
            # in each, R^2 is the mean of those in a quarter of an octave
            assert (found.largest_gain, found.noise_gain) == pytest.approx(tuple(gains), rel=0.3)
            assert sum(found.noise_shares) == pytest.approx(NOISE_PARTS if gains[1] else 0, abs=20)


@pytest.fixture(autouse=True)
def _same_values() -> None:
    torch.manual_seed(5)


@pytest.mark.parametrize(
    "shape", [(64,), (7, 64), (5, 77), (3, 1), (2, 3, 40), (1, 1), (), (0,), (0, 4), (4, 0), (2, 3, 5, 7)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_every_value_counts_once_at_its_distance(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    check((torch.randn(shape, dtype=torch.float64) ** 3).to(dtype))


@settings(max_examples=40)
@given(st.lists(st.floats(-(2.0**60), 2.0**60, width=32, allow_subnormal=False), max_size=40), st.integers(1, 3))
def test_any_values(values: list[float], rows: int) -> None:
    sized = [value for value in values if abs(value) > 2.0**-60 or value == 0]  # squares within float64
    check(torch.tensor(sized * rows, dtype=torch.float32).reshape(rows, len(sized)))


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_groups_run_along_the_axis(axis: int) -> None:
    values = torch.randn(3, 4, 5, 37)
    assert value_histogram(values, axis=axis).groups == value_histogram(values.movedim(axis, -1).clone()).groups
    check(values, axis=axis)


def test_strides_do_not_matter() -> None:
    values = torch.randn(50, 60)
    assert value_histogram(values.mT).groups == value_histogram(values.mT.clone()).groups
    assert value_histogram(values[:, ::2]).groups == value_histogram(values[:, ::2].clone()).groups
    assert value_histogram(torch.tensor(2.0).expand(4, 5)).groups == value_histogram(torch.full((4, 5), 2.0)).groups


def edge_cases() -> Tensor:
    values = torch.randn(700, 131) * torch.logspace(-30, 10, 700).unsqueeze(1)
    values[0], values[1], values[2] = 0, 1e-42, -3.0
    values[3, 5], values[4, :40] = torch.inf, torch.nan
    values[5], values[6] = torch.finfo(torch.float32).tiny, torch.finfo(torch.float32).max
    values[7, ::2] = 1e-40
    return values


def test_the_compiled_loop_counts_as_torch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    values = edge_cases()
    assert values.numel() >= groups._MUCH
    compiled = counts_of(values).groups
    monkeypatch.setattr(groups, "_MUCH", 2**40)
    for grouping, distances in counts_of(values).groups._distances.items():
        other = compiled._distances[grouping]
        assert distances.counts.keys() == other.counts.keys()
        for at, counts in distances.counts.items():
            assert np.array_equal(counts[:-1], other.counts[at][:-1])
            assert distances.totals[at] == pytest.approx(other.totals[at], rel=1e-12)


@pytest.mark.parametrize("rows", [1, 13, 300, 1000])
def test_pieces_of_whole_rows_and_their_order_do_not_matter(rows: int) -> None:
    values = torch.randn(700, 131)
    whole, merged = counts_of(values), ValueCounts()
    for piece in torch.split(values.flip(0), rows):
        merged.merge(counts_of(piece))
    for found, wanted in zip(merged.result().groups, whole.result().groups, strict=True):
        assert (found.by_largest, found.counts) == (wanted.by_largest, wanted.counts)
        assert found.noise_shares == pytest.approx(wanted.noise_shares, abs=1)
        assert (found.noise_gain, found.largest_gain) == pytest.approx((wanted.noise_gain, wanted.largest_gain), 2e-4)


@pytest.mark.parametrize("layout", ["rows", "images", "one large image"])
def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    shape = {"rows": (90, 40), "images": (40, 8, 3, 5), "one large image": (2, 8, 30, 40)}[layout]
    values = torch.randn(shape)
    axis = 1 if len(shape) == 4 else -1
    whole = value_histogram(values, axis=axis).groups
    monkeypatch.setattr(groups, "CHUNK_ELEMENTS", 300)
    assert value_histogram(values, axis=axis).groups == whole


def test_the_parts_of_complex_values_are_groups_apart() -> None:
    values = torch.randn(3, 20, dtype=torch.complex64)
    parts = torch.stack([values.real, values.imag])
    assert value_histogram(values).groups == value_histogram(parts).groups
    assert value_histogram(values.conj()).groups == value_histogram(parts).groups
    assert value_histogram(torch.tensor(1 + 2j)).groups[0].by_largest == (1, 1)


def test_what_is_not_finite_does_not_hide_its_neighbours() -> None:
    values = torch.tensor([[1.0, 0.5, torch.inf, torch.nan, 0.0]])
    found = value_histogram(values)
    assert of(found, Grouping(None, power_of_two=False)).counts == (1, 1)
    assert value_histogram(torch.tensor([torch.nan, 0.0])).groups == ()


def test_constant_groups_are_their_own_largest_values() -> None:
    found = of(value_histogram(torch.tensor([[3.0] * 40, [0.1] * 40])), Grouping(None, power_of_two=False))
    assert (found.counts, found.largest_gain, found.noise_gain, found.noise_shares) == ((80,), 1.0, 0.0, ())


def test_the_first_octave_is_told_in_steps() -> None:
    found = of(value_histogram(torch.tensor([[1.0, 1.3, 1.6, 1.8, 0.7, 0.1]])), Grouping(32, power_of_two=True))
    assert len(found.noise_shares) == FINE_STEPS + 4
    assert found.noise_shares == (1667, 1667, 1667, 1667, 1667, 0, 0, 1667)


def test_a_norm_beyond_float64_loses_the_gains_only() -> None:
    found = value_histogram(torch.full((9,), 1e308, dtype=torch.float64))
    assert [(each.noise_gain, each.largest_gain) for each in found.groups] == [(0.0, 0.0)] * len(GROUPINGS)
