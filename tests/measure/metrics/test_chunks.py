import math

import pytest
import torch

from precision.formats import format_named
from precision.measure.metrics.chunks import pair_chunks


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2])
def test_every_16_bit_value_is_widened_exactly(dtype: torch.dtype) -> None:
    codes = torch.arange(-(2**15), 2**15, dtype=torch.int16)
    candidate = codes.view(torch.float16).float().to(dtype)
    seen = []
    for chunk in pair_chunks(torch.zeros(2**16), candidate, chunk_elements=1000):
        values = torch.full((chunk.elements,), torch.nan, dtype=torch.float64)
        values[slice(None) if chunk.positions is None else chunk.positions] = chunk.candidate
        if chunk.nonfinite is not None:
            values[chunk.nonfinite.positions] = chunk.nonfinite.candidate
        seen.append(values)
    expected = candidate.to(torch.float64)
    assert torch.equal(torch.cat(seen).nan_to_num(nan=1e300), expected.nan_to_num(nan=1e300))


def test_pairs_that_are_not_finite_are_set_apart_with_their_places() -> None:
    reference = torch.tensor([1.0, math.nan, 3.0, 4.0])
    first, second = (
        (chunk.start, chunk.error.tolist(), [chunk.index_of(i) for i in range(chunk.error.numel())], chunk.nonfinite)
        for chunk in pair_chunks(reference, torch.tensor([1.5, 2.0, math.inf, 4.0]), chunk_elements=3)
    )
    assert first[:3] == (0, [0.5], [0])
    assert first[3] is not None
    assert first[3].positions.tolist() == [1, 2]
    assert second == (3, [0.0], [3], None)


def test_a_chunk_without_finite_pairs() -> None:
    (chunk,) = pair_chunks(torch.tensor([math.nan]), torch.tensor([1.0]))
    assert (chunk.error.numel(), chunk.elements, chunk.max_abs_error) == (0, 1, -math.inf)


def test_a_difference_beyond_float64_is_still_a_finite_pair() -> None:
    big = torch.tensor([1e308], dtype=torch.float64)
    (chunk,) = pair_chunks(big, -big)
    assert (chunk.nonfinite, chunk.max_abs_error) == (None, math.inf)


def test_a_format_as_candidate_rounds_the_reference() -> None:
    reference = torch.tensor([1.0 + 2.0**-12, 70000.0])
    (chunk,) = pair_chunks(reference, format_named("float16"))
    assert chunk.candidate.tolist() == [1.0]
    assert chunk.nonfinite is not None
    assert chunk.nonfinite.candidate.tolist() == [math.inf]


def test_empty_tensors_give_no_chunk() -> None:
    assert list(pair_chunks(torch.empty(3, 0), torch.empty(3, 0))) == []
