import math
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from precision.formats import format_named
from precision.measure.metrics.chunks import pair_chunks
from precision.measure.metrics.octaves import MAX_OCTAVES, OctaveCounts
from precision.measure.metrics.statistics import domain_of
from precision.results.layers import ErrorOctaves


def counted(errors: Tensor, *, reference: Tensor | None = None) -> ErrorOctaves:
    octaves = OctaveCounts()
    reference = torch.zeros_like(errors) if reference is None else reference
    for chunk in pair_chunks(reference, errors, domain=domain_of(format_named("float16"))):
        octaves.add(chunk)
    return octaves.result()


def expected(errors: Tensor) -> ErrorOctaves:
    finite = [abs(e) for e in errors.double().tolist() if math.isfinite(e)]
    octaves = Counter(max(math.frexp(e)[1] - 1, -1023) for e in finite if e)
    if not octaves:
        return ErrorOctaves(first=0, counts=(), zeros=len(finite))
    last = max(octaves)
    first = max(min(octaves), last + 1 - MAX_OCTAVES)
    return ErrorOctaves(
        first=first,
        counts=tuple(octaves[k] for k in range(first, last + 1)),
        zeros=finite.count(0.0),
        below=sum(count for k, count in octaves.items() if k < first),
    )


def noise(elements: int) -> Tensor:
    return torch.randn(elements, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    "errors",
    [
        noise(20_000),
        noise(20_000).relu(),
        noise(20_000) * 2.0 ** (20 * noise(20_000)),
        noise(40_000) * 1e-3,
        noise(20_000) * 1e-39,
        torch.cat([noise(20_000), torch.tensor([1e-30, math.nan, 1e-44])]),
        torch.zeros(20_000),
        torch.ones(20_000),
    ],
)
def test_counts_are_those_of_a_plain_count(errors: Tensor, dtype: torch.dtype) -> None:
    assert counted(errors.to(dtype)) == expected(errors.to(dtype))


@given(st.lists(st.floats(), max_size=30))
def test_any_float64_is_counted(values: list[float]) -> None:
    errors = torch.tensor(values, dtype=torch.float64)
    assert counted(errors) == expected(errors)


def test_a_difference_beyond_float64_is_in_its_last_octave() -> None:
    big = torch.tensor([1e308, 1.7e308], dtype=torch.float64)
    assert counted(big, reference=-big) == ErrorOctaves(first=1023, counts=(2,), zeros=0)
