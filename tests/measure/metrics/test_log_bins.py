import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from precision.measure.metrics.log_bins import BINNED, UNDER, ZERO, LogAxis, SizeCounts, drawn, sizes_of

MAGNITUDE = st.one_of(
    st.floats(min_value=0, allow_nan=False), st.floats(1e-6, 10), st.sampled_from([0.0, 5e-324, 1.0, 2.0, math.inf])
)


def counted(values: list[float]) -> SizeCounts:
    counts = SizeCounts()
    for start in range(0, len(values), 7):
        sizes = sizes_of(np.array(values[start : start + 7], dtype=np.float64))
        counts.add(sizes, np.ones_like(sizes))
    return counts


def expected_counts(values: list[float], edges: tuple[float, ...]) -> list[int]:
    """By comparison with the edges: lower edge in, upper edge out, all beyond the last edge in the last bin."""
    nonzero = [value for value in values if value]
    places = np.searchsorted(np.array(edges), nonzero, side="right") - 1
    return [int(count) for count in np.bincount(np.clip(places, 0, len(edges) - 2), minlength=len(edges) - 1)]


@pytest.mark.slow
@given(st.lists(MAGNITUDE, max_size=40), st.sampled_from([1, 5, 64, 200]))
def test_counts_are_exact_and_all_are_counted(values: list[float], max_bins: int) -> None:
    histogram = counted(values).histogram(max_bins)
    assert histogram.log
    assert histogram.zeros == values.count(0.0)
    assert sum(histogram.counts) + histogram.zeros == len(values)
    assert len(histogram.counts) <= max_bins
    if histogram.counts:
        assert len(histogram.edges) == len(histogram.counts) + 1
        assert list(histogram.edges) == sorted(set(histogram.edges))
        assert all(0 < edge < math.inf for edge in histogram.edges)
        assert list(histogram.counts) == expected_counts(values, histogram.edges)
        assert histogram.counts[0] > 0
        assert histogram.counts[-1] > 0


@pytest.mark.slow
@given(st.lists(MAGNITUDE, min_size=1, max_size=40))
def test_places_agree_with_the_edges(values: list[float]) -> None:
    axis = counted(values).axis(64)
    places = (axis.places(drawn(sizes_of(np.array(values, dtype=np.float64)))) - ZERO).tolist()
    for value, place in zip(values, places, strict=True):
        if value:
            assert axis.edges[place - 1] <= value
            assert value < axis.edges[place] or place == axis.bins
        else:
            assert place == 0


def test_powers_of_two_begin_a_bin() -> None:
    histogram = counted([2.0**k for k in range(-20, 5)]).histogram(200)
    assert histogram.edges[0] == 2.0**-20
    occupied = [edge for edge, count in zip(histogram.edges, histogram.counts, strict=False) if count]
    assert occupied == [2.0**k for k in range(-20, 5)]


@pytest.mark.parametrize(("octaves", "per_octave"), [(20, 8), (40, 4), (90, 2), (150, 1), (300, 0.5), (1000, 0.125)])
def test_bins_are_as_fine_as_their_number_allows_and_evenly_wide(octaves: int, per_octave: float) -> None:
    edges = counted([2.0**-octaves, 1.0]).histogram(200).edges
    widths = np.diff(np.log2(edges))
    assert widths == pytest.approx(1 / per_octave, rel=0.02)


def test_nothing_and_zeros_only() -> None:
    for values in ([], [0.0, 0.0]):
        histogram = counted(values).histogram(200)
        assert (histogram.edges, histogram.counts, histogram.zeros) == ((), (), len(values))
    assert LogAxis(None, 5).edges == ()
    assert LogAxis(None, 5).places(np.zeros(2, dtype=np.int64)).tolist() == [ZERO, ZERO]


def test_a_long_thin_tail_is_counted_under_the_axis() -> None:
    values = [2.0 ** (k / 500) for k in range(5000)] + [1e-30, 1e-25, 1e-20]
    counts = counted([*values, 0.0])
    histogram = counts.histogram(200)
    assert (histogram.below, histogram.zeros) == (3, 1)
    assert histogram.edges[0] == 1.0
    assert sum(histogram.counts) == 5000
    axis = counts.axis(200)
    places = axis.places(sizes_of(np.array([1e-30, 0.0, 1.0, 1023.0])))
    assert places.tolist() == [UNDER, ZERO, BINNED, BINNED + axis.bins - 1]


@pytest.mark.parametrize(
    ("tail", "below"),
    [([2.0**-9] * 5, 5), ([2.0**-9] * 6, 0), ([1e-30] * 6, 6), ([1e-30] * 50, 50), ([1e-30] * 51, 0)],
)
def test_a_thousandth_is_under_the_axis_and_a_hundredth_where_it_is_far_lower(tail: list[float], below: int) -> None:
    crowd = [2.0 ** (k / 500) for k in range(5000 - len(tail))]
    histogram = counted([*crowd, *tail]).histogram(200)
    assert histogram.below == below
    assert sum(histogram.counts) == 5000 - below
    assert (histogram.edges[0] <= min(tail)) == (below == 0)
