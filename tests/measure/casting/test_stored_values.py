"""What a cast did to stored values, against numpy and ml_dtypes in float64."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from precision.formats import format_named
from precision.measure.casting.stored_values import stored_values
from precision.results import StoredValues

NARROW = ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]


def cast_to(values: Tensor, name: str) -> StoredValues:
    return stored_values(values, values.to(getattr(torch, name)))


def expected(before: Tensor, after: Tensor, name: str) -> StoredValues:
    """The same in numpy, element by element, all in float64."""
    fmt = format_named(name)
    source = np.finfo(before.numpy().dtype)
    x, y = before.double().numpy().ravel(), after.double().numpy().ravel()
    finite, stays = np.isfinite(x), np.isfinite(y)
    measured = finite & stays & (x != 0)
    relative = np.abs(y[measured] - x[measured]) / np.abs(x[measured])
    half_above = fmt.max + (fmt.max - _below(fmt.max, name)) / 2
    beyond = np.abs(x) > half_above if name == "float8_e4m3fn" else np.abs(x) >= half_above
    subnormal = (y != 0) & (np.abs(y) < fmt.smallest_normal) & (np.abs(x) >= float(source.smallest_normal))
    return StoredValues(
        elements=x.size,
        became_nonfinite=int((finite & ~stays).sum()),
        saturated=int((beyond & (np.abs(y) == fmt.max)).sum()),
        became_zero=int(((x != 0) & (y == 0)).sum()),
        became_subnormal=int(subnormal.sum()),
        nonfinite_before=int((~finite).sum()),
        max_relative_error=float(relative.max()) if relative.size else None,
        rms_relative_error=float(np.sqrt(np.mean(relative**2))) if relative.size else None,
        max_absolute_value=float(np.abs(x[finite]).max()) if finite.any() else None,
    )


def _below(value: float, name: str) -> float:
    dtype = np.dtype(getattr(ml_dtypes, name)) if hasattr(ml_dtypes, name) else np.dtype(name)
    return float(np.nextafter(np.array(value, dtype), np.array(0, dtype)))


def agree(got: StoredValues, want: StoredValues) -> bool:
    exact = {"max_relative_error", "rms_relative_error"}
    return got.model_dump(exclude=exact) == want.model_dump(exclude=exact) and all(
        (a is None and b is None) or (a is not None and b is not None and math.isclose(a, b, rel_tol=1e-6))
        for a, b in (
            (got.max_relative_error, want.max_relative_error),
            (got.rms_relative_error, want.rms_relative_error),
        )
    )


SPECIAL = [0.0, -0.0, 1e6, -1e6, 65504, 65519, 65520, -65520, 448, 463.9, 464, 464.1, -480, 57344, 61439, 61440]
SPECIAL += [1e-9, -1e-9, 2.9e-8, 3e-8, 6e-5, 1e-40, 1e-45, 3.39e38, 3.4e38, math.inf, -math.inf, math.nan, 1.0, 1 / 3]


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("source", [torch.float32, torch.float64])
def test_special_values(name: str, source: torch.dtype) -> None:
    values = torch.tensor(SPECIAL, dtype=source)
    after = values.to(getattr(torch, name))
    got, want = stored_values(values, after), expected(values, after, name)
    assert agree(got, want), (got, want)


@pytest.mark.parametrize("name", NARROW)
@given(values=st.lists(st.floats(width=32), max_size=40))
def test_any_values(name: str, values: list[float]) -> None:
    before = torch.tensor(values, dtype=torch.float32)
    after = before.to(getattr(torch, name))
    got, want = stored_values(before, after), expected(before, after, name)
    assert agree(got, want), (got, want)


@pytest.mark.parametrize("name", NARROW)
def test_many_values_over_several_blocks(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    before = torch.randn(300, 500, generator=generator) * torch.logspace(-12, 8, 500)
    before[7] = 0
    after = before.to(getattr(torch, name))
    got, want = stored_values(before, after), expected(before, after, name)
    assert agree(got, want), (got, want)


def test_a_strided_tensor_is_read_in_order() -> None:
    before = torch.arange(1, 13).reshape(3, 4).float().t() / 3
    assert agree(cast_to(before, "float16"), expected(before, before.half(), "float16"))


def test_overflow_on_both_sides_becomes_infinite() -> None:
    got = cast_to(torch.tensor([1e6, -1e6, 1.0]), "float16")
    assert (got.became_nonfinite, got.saturated, got.max_absolute_value) == (2, 0, 1e6)


def test_a_saturated_value_counts_as_such() -> None:
    before = torch.tensor([1e6, -500.0, 464.0, 449.0, 448.0, math.inf])
    after = torch.tensor([448.0, -448.0, 448.0, 448.0, 448.0, 448.0]).to(torch.float8_e4m3fn)
    got = stored_values(before, after)
    assert (got.saturated, got.became_nonfinite, got.nonfinite_before) == (3, 0, 1)


def test_a_true_zero_is_no_underflow() -> None:
    got = cast_to(torch.tensor([0.0, -0.0, 1e-9, -1e-9, 1e-6]), "float16")
    assert (got.became_zero, got.became_subnormal) == (2, 1)


def test_what_was_subnormal_before_did_not_become_it() -> None:
    got = cast_to(torch.tensor([1e-39, 1e-39, 1.0]), "bfloat16")
    assert got.became_subnormal == 0


def test_an_exact_cast_has_no_error() -> None:
    got = cast_to(torch.tensor([1.0, 0.5, -2.0]), "float16")
    assert (got.max_relative_error, got.rms_relative_error) == (0, 0)


def test_widening_changes_nothing() -> None:
    got = cast_to(torch.randn(9).half(), "float32")
    assert (got.max_relative_error, got.became_zero, got.became_nonfinite, got.saturated) == (0, 0, 0, 0)


@pytest.mark.parametrize("values", [torch.empty(0), torch.zeros(3), torch.full((2,), math.nan)])
def test_nothing_to_measure_is_none(values: Tensor) -> None:
    got = cast_to(values, "float16")
    assert got.elements == values.numel()
    assert got.max_relative_error is None
    assert got.rms_relative_error is None
    assert got.max_absolute_value == (0.0 if values.numel() == 3 else None)


@pytest.mark.filterwarnings("ignore:Casting complex")
def test_a_lost_imaginary_part_is_an_error() -> None:
    got = cast_to(torch.tensor([3 + 4j, 2 + 0j, 0j]), "float16")
    assert got.max_relative_error == pytest.approx(4 / 5)
    assert got.rms_relative_error == pytest.approx(math.sqrt((0.8**2 + 0) / 2))
    assert got.max_absolute_value == 5
