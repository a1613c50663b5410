"""The table of formats against the constants of torch and of ml_dtypes."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

from precision.errors import InputError
from precision.formats import (
    ALL_FORMATS,
    FORMATS,
    SCALED_FORMATS,
    AnyFormat,
    NumericFormat,
    any_format_named,
    format_named,
    ulp_format,
)

every_format = pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
stored_format = pytest.mark.parametrize("row", [row for row in FORMATS if row.has_dtype], ids=lambda row: row.name)
narrow_format = pytest.mark.parametrize(
    "row", [row for row in FORMATS if row.bits <= 8 and row.oracle == "ml_dtypes"], ids=lambda row: row.name
)


@stored_format
def test_constants_equal_torch_finfo(row: NumericFormat) -> None:
    info = torch.finfo(getattr(torch, row.name))
    assert (row.bits, row.max, row.smallest_normal) == (info.bits, info.max, info.tiny)
    if row.name != "float8_e5m2fnuz":  # whose eps torch gives as 0.125, though 1.25 follows 1
        assert row.epsilon == info.eps


@narrow_format
def test_constants_equal_ml_dtypes_finfo(row: NumericFormat) -> None:
    info: Any = ml_dtypes.finfo(getattr(ml_dtypes, row.name))  # type: ignore[no-untyped-call]
    ours = (row.bits, row.max, row.smallest_normal, row.smallest_subnormal, row.epsilon, row.min_exponent)
    theirs = (info.max, info.smallest_normal, info.smallest_subnormal, info.eps, info.minexp)
    assert ours == (info.bits, *map(float, theirs))


@narrow_format
def test_specials_are_those_of_ml_dtypes(row: NumericFormat) -> None:
    codes = np.arange(2**row.bits, dtype=np.uint8).view(getattr(ml_dtypes, row.name)).astype(np.float64)
    assert np.isinf(codes).any() == row.has_infinities
    assert np.isnan(codes).any() == row.has_nan
    assert bool(((codes == 0) & np.signbit(codes)).any()) == row.has_negative_zero
    assert np.isfinite(codes).sum() == 2 * (row.max_code + 1) - (not row.has_negative_zero)
    assert np.nanmax(np.where(np.isfinite(codes), codes, 0)) == row.max


def test_tf32_has_float32s_range_and_float16s_precision() -> None:
    tf32, float32, float16 = (format_named(name) for name in ("tf32", "float32", "float16"))
    assert (tf32.smallest_normal, tf32.max_exponent) == (float32.smallest_normal, float32.max_exponent)
    assert tf32.epsilon == float16.epsilon
    assert (tf32.bits, tf32.stored_bytes(3)) == (19, 12)


def test_stored_bytes_are_packed() -> None:
    assert format_named("float16").stored_bytes(3) == 6
    assert [format_named("fp6_e3m2").stored_bytes(elements) for elements in (0, 1, 4, 5)] == [0, 1, 3, 4]
    assert format_named("fp4").stored_bytes(3) == 2


@stored_format
def test_smallest_subnormal_is_the_smallest_positive_value_torch_stores(row: NumericFormat) -> None:
    dtype = getattr(torch, row.name)
    stored = torch.tensor(row.smallest_subnormal, dtype=torch.float64).to(dtype).to(torch.float64).item()
    assert stored == row.smallest_subnormal
    half = torch.tensor(row.smallest_subnormal / 2, dtype=torch.float64).to(dtype).to(torch.float64).item()
    assert half == 0


@stored_format
def test_infinities_as_torch_stores_them(row: NumericFormat) -> None:
    dtype = getattr(torch, row.name)
    codes = torch.arange(256, dtype=torch.uint8).view(dtype) if row.bits == 8 else None
    if codes is not None:
        assert bool(codes.float().isinf().any()) is row.has_infinities
    else:
        assert torch.tensor(float("inf"), dtype=dtype).isinf().item() is row.has_infinities


@pytest.mark.parametrize("row", ALL_FORMATS, ids=lambda row: row.name)
def test_found_by_name_alias_and_torch_name(row: AnyFormat) -> None:
    names = (row.name, f"torch.{row.name}", row.name.upper(), *row.aliases)
    assert all(any_format_named(name) is row for name in names)
    assert ulp_format(row) is (row if isinstance(row, NumericFormat) else None)


def test_the_widest_come_first() -> None:
    for rows in ([row.stored_bits or row.bits for row in FORMATS], [row.element.bits for row in SCALED_FORMATS]):
        assert rows == sorted(rows, reverse=True)


def test_a_scaled_format_is_no_numeric_one() -> None:
    with pytest.raises(InputError, match="int8 has scales that depend on the values"):
        format_named("int8")


@every_format
def test_tolerances_are_those_of_torch_testing(row: NumericFormat) -> None:
    if row.relative_tolerance is None or row.absolute_tolerance is None:
        assert not row.computes
        return
    dtype = getattr(torch, row.name)
    one = torch.ones((), dtype=torch.float64)
    limit = row.absolute_tolerance + row.relative_tolerance
    kwargs = torch.testing._comparison.default_tolerances(dtype)
    assert kwargs == (row.relative_tolerance, row.absolute_tolerance)
    assert one + limit > one


@every_format
def test_the_oracle_has_the_format(row: NumericFormat) -> None:
    has_it = [name for name, package in (("numpy", np), ("ml_dtypes", ml_dtypes)) if hasattr(package, row.name)]
    assert row.oracle in (has_it or ["fractions"])


def test_names_and_aliases_are_unique() -> None:
    names = [name for row in ALL_FORMATS for name in (row.name, *row.aliases)]
    assert len(names) == len(set(names))


def test_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(
        InputError, match=r"Unknown format 'float13'. Choose one of: float64, .*int4; or type one, such"
    ):
        format_named("float13")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("float16", f"{torch.finfo(torch.float16).max:,.0f}"),
        ("float8_e4m3fn", f"{torch.finfo(torch.float8_e4m3fn).max:.0f}"),
        ("float8_e4m3fnuz", f"{torch.finfo(torch.float8_e4m3fnuz).max:.0f}"),
        ("float6_e3m2fn", f"{float(ml_dtypes.finfo(ml_dtypes.float6_e3m2fn).max):g}"),  # type: ignore[no-untyped-call]
        ("float6_e2m3fn", f"{float(ml_dtypes.finfo(ml_dtypes.float6_e2m3fn).max):g}"),  # type: ignore[no-untyped-call]
        ("float4_e2m1fn", f"from 0 to {float(ml_dtypes.finfo(ml_dtypes.float4_e2m1fn).max):g}"),  # type: ignore[no-untyped-call]
        ("int8", f"±{torch.iinfo(torch.int8).max}"),
    ],
)
def test_numbers_in_a_line_of_use_are_those_of_the_format(name: str, said: str) -> None:
    assert said in any_format_named(name).use


@pytest.mark.parametrize("row", ALL_FORMATS, ids=lambda row: row.name)
def test_a_line_of_use_is_one_short_sentence(row: AnyFormat) -> None:
    if row.use:  # a row may leave it out
        assert row.use.endswith(".")
        assert len(row.use) <= 100
