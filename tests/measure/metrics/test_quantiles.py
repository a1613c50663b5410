import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from precision.measure.metrics.chunks import pair_chunks
from precision.measure.metrics.quantiles import QuantileSample


def sampled(errors: list[float], *, chunk_elements: int, limit: int = 2**24) -> QuantileSample:
    candidate = torch.tensor(errors, dtype=torch.float64)
    sample = QuantileSample(len(errors), limit=limit)
    for chunk in pair_chunks(torch.zeros_like(candidate), candidate, chunk_elements=chunk_elements):
        sample.add(chunk)
    return sample


@given(
    st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=50),
    st.lists(st.floats(0, 1), max_size=5),
    st.sampled_from([1, 7, 1024]),
)
def test_quantiles_are_numpys(errors: list[float], probabilities: list[float], size: int) -> None:
    found = sampled(errors, chunk_elements=size).quantiles(probabilities)
    expected = tuple(float(np.quantile(np.abs(errors), p)) for p in probabilities)
    assert found == pytest.approx(expected, rel=1e-12, abs=5e-324)


@pytest.mark.parametrize("size", [1, 3, 7, 1024])
def test_a_sample_is_even_and_independent_of_the_chunks(size: int) -> None:
    errors = [float(i) for i in range(100)]
    errors[30] = math.nan
    errors[31] = math.inf
    sample = sampled(errors, chunk_elements=size, limit=11)
    kept = [float(i) for i in range(0, 100, 10) if i != 30]  # stride ceil(100 / 11) = 10
    assert sample.size == len(kept) == 9
    assert sample.quantiles([i / 8 for i in range(9)]) == tuple(kept)


def test_all_are_kept_up_to_the_limit() -> None:
    assert sampled([1.0] * 11, chunk_elements=4, limit=11).size == 11
    assert sampled([1.0] * 12, chunk_elements=4, limit=11).size == 6


def test_adding_after_reading_is_seen() -> None:
    sample = QuantileSample(4)
    for value in (3.0, 1.0, 2.0, 0.0):
        (chunk,) = pair_chunks(torch.tensor([0.0]), torch.tensor([value]))
        sample.add(chunk)
        assert sample.quantiles([1.0]) == (3.0,)
    assert sample.quantiles([0.0, 0.5]) == (0.0, 1.5)


def test_no_values_no_quantiles() -> None:
    assert sampled([], chunk_elements=3).quantiles([0.5, 1.0]) == (None, None)
    assert sampled([math.nan], chunk_elements=3).quantiles([0.5]) == (None,)
