"""Counts by exponent against numpy's frexp."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from precision.errors import InputError
from precision.measure.ranges.exponents import ExponentCounts
from precision.results.ranges import ExponentHistogram
from tests.measure.ranges.histograms import exponent_histogram


def expected(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> ExponentHistogram:
    """By numpy, in float64, element by element where that is what it takes."""
    flat = np.abs(values.astype(np.float64).ravel())
    finite = flat[np.isfinite(flat)]
    sized = finite[finite > 0]
    exponents = Counter((np.frexp(sized)[1] - 1).tolist())
    first, last = (min(exponents), max(exponents)) if exponents else (0, -1)
    return ExponentHistogram(
        elements=flat.size,
        zeros=int((flat == 0).sum()),
        infinite=int(np.isinf(flat).sum()),
        nan=int(np.isnan(flat).sum()),
        first_exponent=first,
        counts=tuple(exponents[exponent] for exponent in range(first, last + 1)),
        largest=float(sized.max()) if sized.size else None,
        smallest=float(sized.min()) if sized.size else None,
        norm=float(math.hypot(*sized.tolist())) if sized.size else None,
        mantissa_bits=max((_mantissa_bits(value) for value in set(sized.tolist())), default=0),
    )


def _mantissa_bits(value: float) -> int:
    numerator = value.as_integer_ratio()[0]
    return (numerator // (numerator & -numerator)).bit_length() - 1


def check(values: Tensor, *, chunk_elements: int | None = None) -> None:
    counts = ExponentCounts()
    counts.add(values, chunk_elements=chunk_elements)
    found, wanted = counts.result(), expected(values.to(torch.float64).numpy())
    assert found.model_copy(update={"norm": None}) == wanted.model_copy(update={"norm": None})
    if wanted.norm is None:
        assert found.norm is None
    else:
        assert found.norm == pytest.approx(wanted.norm, rel=1e-5)
    assert found.elements == found.zeros + found.infinite + found.nan + found.nonzero


def patterns(count: int, seed: int) -> Tensor:
    """float32 numbers of random bits: every exponent, subnormal numbers, infinities and NaNs."""
    bits = np.random.default_rng(seed).integers(0, 2**32, size=count, dtype=np.uint32)
    special = np.array([0, 1 << 31, 0x7F800000, 0xFF800000, 0x7FC00000, 1, 0x80000001, 0x7FFFFF], dtype=np.uint32)
    return torch.from_numpy(np.concatenate([bits, special]).view(np.float32))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_every_pattern_of_the_16_bit_formats(dtype: torch.dtype) -> None:
    values = torch.arange(2**16, dtype=torch.int32).to(torch.uint16).view(dtype)
    check(values)
    assert exponent_histogram(values).mantissa_bits == {torch.float16: 10, torch.bfloat16: 7}[dtype]


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz])
def test_every_pattern_of_the_8_bit_formats(dtype: torch.dtype) -> None:
    check(torch.arange(256, dtype=torch.int32).to(torch.uint8).view(dtype))


def test_random_float32_patterns() -> None:
    check(patterns(20_000, 1), chunk_elements=1001)


def test_subnormal_numbers_alone() -> None:
    check(torch.arange(1, 3000, dtype=torch.int32).view(torch.float32))
    check(torch.arange(1, 3000, dtype=torch.int64).view(torch.float64))


def test_float64_reaches_beyond_float32() -> None:
    check(torch.tensor([5e-324, -1e-310, 1e-300, 1e300, 1.7e308, 0.0, math.inf, 1 / 3], dtype=torch.float64))


def test_a_norm_beyond_float64_is_infinite() -> None:
    assert exponent_histogram(torch.full((9,), 1e308, dtype=torch.float64)).norm == math.inf


@pytest.mark.parametrize("scale", [1e-45, 1e-38, 1e-20, 1.0, 1e19, 1e38])
def test_sums_of_squares_neither_overflow_nor_vanish(scale: float) -> None:
    check(torch.randn(500) * scale)


@settings(max_examples=60)
@given(st.lists(st.floats(width=32), max_size=40), st.integers(1, 7))
def test_any_values_in_any_pieces(values: list[float], chunk_elements: int) -> None:
    check(torch.tensor(values, dtype=torch.float32), chunk_elements=chunk_elements)
    check(torch.tensor(values, dtype=torch.float64), chunk_elements=chunk_elements)


@pytest.mark.parametrize("chunk_elements", [1, 13, 1000, 10_000])
def test_pieces_and_order_do_not_matter(chunk_elements: int) -> None:
    values = torch.cat([torch.randn(700), torch.zeros(5), patterns(300, 2)])
    whole = exponent_histogram(values)
    pieces, merged = ExponentCounts(), ExponentCounts()
    pieces.add(values, chunk_elements=chunk_elements)
    for piece in torch.split(values.flip(0), chunk_elements):
        part = ExponentCounts()
        part.add(piece)
        merged.merge(part)
    for found in (pieces.result(), merged.result()):
        assert found.norm == pytest.approx(whole.norm, rel=1e-6)
        assert found.model_copy(update={"norm": whole.norm}) == whole


def test_only_the_bits_in_use_count_as_mantissa() -> None:
    assert exponent_histogram(torch.tensor([1.0, -0.25, 1024.0])).mantissa_bits == 0
    assert exponent_histogram(torch.tensor([1.0, 1.5])).mantissa_bits == 1
    assert exponent_histogram(torch.randn(1000).bfloat16().float()).mantissa_bits == 7
    assert exponent_histogram(torch.tensor([2.0**-149, 3 * 2.0**-149])).mantissa_bits == 1


def test_strides_do_not_matter() -> None:
    values = torch.randn(6, 5, 4)
    whole = exponent_histogram(values)
    assert exponent_histogram(values.permute(2, 0, 1)) == whole
    assert exponent_histogram(values[:, ::2]) == exponent_histogram(values[:, ::2].clone())
    assert exponent_histogram(values[0, 0, 0].expand(3)).counts == (3,)
    assert exponent_histogram(torch.tensor(2.0)).counts == (1,)


def test_complex_values_count_as_their_two_parts() -> None:
    values = torch.tensor([3 + 4j, 0 - 2j], dtype=torch.complex64)
    counted = exponent_histogram(values)
    assert (counted.elements, counted.zeros, counted.first_exponent, counted.counts) == (4, 1, 1, (2, 1))
    assert exponent_histogram(values.conj()) == counted
    assert exponent_histogram(values.conj().imag) == exponent_histogram(values.imag)


def test_nothing_to_count() -> None:
    for values in (torch.empty(0), torch.empty(0, 3), torch.zeros(4), torch.tensor([math.nan, math.inf])):
        counted = exponent_histogram(values)
        assert counted.counts == ()
        assert (counted.nonzero, counted.largest, counted.smallest, counted.norm) == (0, None, None, None)
        assert counted.last_exponent == counted.first_exponent - 1


def test_gradients_are_not_followed() -> None:
    assert exponent_histogram(torch.ones(3, requires_grad=True)).counts == (3,)


def test_values_are_not_changed() -> None:
    values = patterns(100, 3)
    before = values.clone()
    exponent_histogram(values)
    assert torch.equal(values.view(torch.int32), before.view(torch.int32))


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool])
def test_integers_have_no_exponents(dtype: torch.dtype) -> None:
    with pytest.raises(InputError, match=r"(int64|bool) tensor has no exponents to count"):
        exponent_histogram(torch.ones(3, dtype=dtype))


def test_a_merge_with_nothing_changes_nothing() -> None:
    counts = ExponentCounts()
    counts.add(torch.randn(10))
    before = counts.result()
    counts.merge(ExponentCounts())
    assert counts.result() == before
