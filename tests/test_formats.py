"""The table of formats against torch's own constants."""

import pytest
import torch

from precision.errors import InputError
from precision.formats import FORMATS, NumericFormat, format_named

every_format = pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)


@every_format
def test_constants_equal_torch_finfo(row: NumericFormat) -> None:
    info = torch.finfo(getattr(torch, row.name))
    assert (row.bits, row.max, row.smallest_normal, row.epsilon) == (info.bits, info.max, info.tiny, info.eps)


@every_format
def test_smallest_subnormal_is_the_smallest_positive_value_torch_stores(row: NumericFormat) -> None:
    dtype = getattr(torch, row.name)
    stored = torch.tensor(row.smallest_subnormal, dtype=torch.float64).to(dtype).to(torch.float64).item()
    assert stored == row.smallest_subnormal
    half = torch.tensor(row.smallest_subnormal / 2, dtype=torch.float64).to(dtype).to(torch.float64).item()
    assert half == 0


@every_format
def test_infinities_as_torch_stores_them(row: NumericFormat) -> None:
    dtype = getattr(torch, row.name)
    codes = torch.arange(256, dtype=torch.uint8).view(dtype) if row.bits == 8 else None
    if codes is not None:
        assert bool(codes.float().isinf().any()) is row.has_infinities
    else:
        assert torch.tensor(float("inf"), dtype=dtype).isinf().item() is row.has_infinities


@every_format
def test_found_by_name_alias_and_torch_name(row: NumericFormat) -> None:
    assert all(format_named(name) is row for name in (row.name, f"torch.{row.name}", *row.aliases))


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


def test_names_and_aliases_are_unique() -> None:
    names = [name for row in FORMATS for name in (row.name, *row.aliases)]
    assert len(names) == len(set(names))


def test_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"Unknown format 'float13'. Choose one of: float64, .*float8_e5m2"):
        format_named("float13")
