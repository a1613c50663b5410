"""Rounding with shared scales, against the specifications in plain Python fractions."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from precision.errors import InputError
from precision.formats import SCALED_FORMATS, IntegerGrid, ScaledFormat, any_format_named
from precision.formats.scaled import E8M0_EXPONENTS
from precision.measure.rounding import round_to

LARGEST_EXPONENT = {"float8_e4m3fn": 8, "float8_e5m2": 15, "float6_e3m2fn": 4, "float6_e2m3fn": 2, "float4_e2m1fn": 2}
"""Of each element, as OCP MX 1.0 lists them."""
FLOAT32_MAX = float(np.finfo(np.float32).max)

every_scaled = pytest.mark.parametrize("fmt", SCALED_FORMATS, ids=lambda fmt: fmt.name)
MX = [fmt for fmt in SCALED_FORMATS if fmt.scale == "e8m0"]


def scaled(name: str) -> ScaledFormat:
    fmt = any_format_named(name)
    assert isinstance(fmt, ScaledFormat)
    return fmt


def magnitudes(name: str) -> list[float]:
    """Every finite non-negative value, by code."""
    bits = int(name.removeprefix("float")[0])
    values = np.arange(2 ** (bits - 1), dtype=np.uint8).view(getattr(ml_dtypes, name)).astype(np.float64)
    return [float(value) for value in values if np.isfinite(value)]


MAGNITUDES = {name: [Fraction(value) for value in magnitudes(name)] for name in LARGEST_EXPONENT}


def nearest(x: Fraction, ascending: Sequence[Fraction]) -> Fraction:
    """Ties to the even code; saturating."""
    above = min(bisect.bisect_left(ascending, abs(x)), len(ascending) - 1)
    below = max(above - 1, 0)
    down, up = abs(abs(x) - ascending[below]), abs(ascending[above] - abs(x))
    place = below if down < up or (down == up and below % 2 == 0) else above
    return ascending[place] if x >= 0 else -ascending[place]


def float32(x: Fraction) -> float:
    """Rounded once, ties to even, saturating."""
    guess = np.float32(min(max(float(x), -FLOAT32_MAX), FLOAT32_MAX))
    with np.errstate(over="ignore"):
        around = {guess, np.nextafter(guess, np.float32(np.inf)), np.nextafter(guess, np.float32(-np.inf))}
    finite = sorted(float(value) for value in around if np.isfinite(value))
    best = min(abs(x - Fraction(value)) for value in finite)
    ties = [value for value in finite if abs(x - Fraction(value)) == best]
    even = [value for value in ties if not int(np.float32(value).view(np.int32)) & 1]
    return ties[0] if len(ties) == 1 else even[0]


def mx(block: Sequence[float], element: str) -> list[float]:
    exponent = math.frexp(max(map(abs, block)))[1] - 1 if any(block) else -10_000
    scale = Fraction(2) ** min(max(exponent - LARGEST_EXPONENT[element], -127), 127)
    return [float32(nearest(Fraction(x) / scale, MAGNITUDES[element]) * scale) for x in block]


def nvfp4(values: Sequence[float]) -> list[float]:
    whole = Fraction(float32(Fraction(max(map(abs, values))) / (448 * 6)))
    rounded: list[float] = []
    for start in range(0, len(values), 16):
        block = [Fraction(x) for x in values[start : start + 16]]
        scale = (
            nearest(max(map(abs, block)) / (6 * whole), MAGNITUDES["float8_e4m3fn"]) * whole if whole else Fraction(0)
        )
        rounded += [float32(nearest(x / scale, MAGNITUDES["float4_e2m1fn"]) * scale) if scale else 0.0 for x in block]
    return rounded


def integers(values: Sequence[float], bits: int) -> list[float]:
    most = 2 ** (bits - 1) - 1
    scale = Fraction(float32(Fraction(max(map(abs, values))) / most))
    if not scale:
        return [0.0] * len(values)
    return [float32(min(max(round(Fraction(x) / scale), -most), most) * scale) for x in values]


def expected(values: Sequence[float], fmt: ScaledFormat) -> list[float]:
    """Of one row."""
    if not values:
        return []
    if isinstance(fmt.element, IntegerGrid):
        return integers(values, fmt.element.bits)
    if fmt.scale == "e4m3":
        return nvfp4(values)
    return [y for start in range(0, len(values), 32) for y in mx(values[start : start + 32], fmt.element.name)]


def row(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def draws(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, generator=generator) * torch.randn(count, generator=generator).mul(3).exp()


@every_scaled
@pytest.mark.parametrize("size", [1e-37, 1e-4, 1.0, 1e37])
def test_ordinary_values_agree_with_fractions(fmt: ScaledFormat, size: float) -> None:
    x = (draws(100) * size).clamp(-FLOAT32_MAX, FLOAT32_MAX)
    assert round_to(x, fmt).tolist() == expected(x.tolist(), fmt)


ANY_FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@every_scaled
@settings(max_examples=40)
@given(values=st.lists(ANY_FLOAT32 | st.floats(-8, 8, width=32), max_size=40))
def test_any_finite_values_agree_with_fractions(fmt: ScaledFormat, values: list[float]) -> None:
    assert round_to(row(values), fmt).tolist() == expected(values, fmt)


@every_scaled
@settings(max_examples=40)
@given(code=st.integers(0, 255), power=st.integers(-100, 100), largest=st.floats(1, 2, width=32, exclude_max=True))
def test_ties_go_to_the_even_element(fmt: ScaledFormat, code: int, power: int, largest: float) -> None:
    """A halfway point between two elements, beside a value that decides the scale."""
    steps = [Fraction(value) for value in range(128)]
    ascending = steps if isinstance(fmt.element, IntegerGrid) else MAGNITUDES[fmt.element.name]
    place = code % (len(ascending) - 1)
    halfway = float((ascending[place] + ascending[place + 1]) / 2 / 512)
    values = [math.ldexp(largest, power), *(math.ldexp(sign * halfway, power) for sign in (1, -1))]
    x = row(values)
    assert round_to(x, fmt).tolist() == expected(x.tolist(), fmt)


def test_a_worked_mxfp4_block() -> None:
    """Largest 7: scale 2^(2 - 2) = 1; 7 saturates, 2.5 and 5 are ties."""
    assert round_to(row([7, -5, 2.5, 0.24, 0.26, -0.0]), scaled("mxfp4")).tolist() == [6, -4, 2, 0, 0.5, 0]


def test_a_worked_int8_tensor() -> None:
    assert round_to(row([127, -0.5, 1.5, 2.5, -127]), scaled("int8")).tolist() == [127, 0, 2, 2, -127]


def test_a_worked_nvfp4_tensor() -> None:
    """The first block has the largest value, so its e4m3 scale is 448; the second's 2688 / 448 / 6 = 1."""
    x = torch.zeros(32)
    x[0], x[1], x[16], x[17], x[18] = 2688, 448, 6, 2.5, 0.25
    y = round_to(x, scaled("nvfp4"))
    assert y[[0, 1, 16, 17, 18]].tolist() == [2688, 448, 6, 2, 0]


def test_e8m0_scales_are_those_of_ml_dtypes() -> None:
    codes = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
    low, high = E8M0_EXPONENTS
    assert codes[:-1].tolist() == [2.0**power for power in range(low, high + 1)]
    assert np.isnan(codes[-1])


@pytest.mark.parametrize("fmt", MX, ids=lambda fmt: fmt.name)
def test_the_least_scale_holds_where_values_are_tiny(fmt: ScaledFormat) -> None:
    assert not isinstance(fmt.element, IntegerGrid)
    step = 2.0**-127 * fmt.element.smallest_subnormal
    x = row([2.0**-149, 2.0**-140, 2.0**-127, step])
    assert round_to(x, fmt).tolist() == expected(x.tolist(), fmt)


@every_scaled
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_shares_its_scale_with_no_number_is_nan(fmt: ScaledFormat, bad: float) -> None:
    x = draws(3 * 64).reshape(3, 64)
    x[1, 40] = bad
    struck = torch.zeros(3, 64, dtype=torch.bool)
    if fmt.scale == "e8m0":
        struck[1, 32:] = True
    elif fmt.granularity == "channel":
        struck[1] = True
    else:
        struck[:] = True
    y = round_to(x, fmt)
    assert torch.equal(y.isnan(), struck)
    if fmt.scale == "e8m0":
        assert y[0].tolist() == expected(x[0].tolist(), fmt)


@every_scaled
def test_zeros_stay_zeros(fmt: ScaledFormat) -> None:
    y = round_to(row([0.0, -0.0]), fmt)
    assert y.tolist() == [0, 0]
    assert y.signbit().tolist() == [False, not isinstance(fmt.element, IntegerGrid)]


@every_scaled
def test_a_scale_that_underflows_gives_zeros(fmt: ScaledFormat) -> None:
    y = round_to(row([1e-45, -1e-45]), fmt)
    assert y.tolist() == expected([1e-45, -1e-45], fmt)
    if fmt.scale != "e8m0":
        assert not y.any()


@every_scaled
def test_the_largest_float32_stays_finite(fmt: ScaledFormat) -> None:
    x = row([FLOAT32_MAX, -FLOAT32_MAX, 1.0])
    assert round_to(x, fmt).isfinite().all()
    assert round_to(x, fmt).tolist() == expected(x.tolist(), fmt)


@every_scaled
@pytest.mark.parametrize("shape", [(0,), (0, 5), (5, 0)])
def test_empty_tensors_stay_empty(fmt: ScaledFormat, shape: tuple[int, ...]) -> None:
    assert round_to(torch.empty(shape), fmt).shape == shape


@every_scaled
def test_one_number_is_a_tensor_too(fmt: ScaledFormat) -> None:
    y = round_to(torch.tensor(3.7), fmt)
    assert y.shape == ()
    assert [y.item()] == expected([row([3.7]).item()], fmt)


def by_rows(x: Tensor, fmt: ScaledFormat) -> Tensor:
    """With scales shared along the last dimension only."""
    rows = [round_to(one, fmt) for one in x.reshape(-1, x.shape[-1])]
    return torch.stack(rows).reshape(x.shape)


@pytest.mark.parametrize("fmt", [*MX, scaled("int8_per_channel"), scaled("int4_per_channel")], ids=lambda fmt: fmt.name)
@pytest.mark.parametrize("columns", [1, 31, 32, 33, 70])
def test_rows_do_not_mix_and_a_last_block_may_be_short(fmt: ScaledFormat, columns: int) -> None:
    x = draws(2 * 3 * columns).reshape(2, 3, columns)
    y = round_to(x, fmt)
    assert y.untyped_storage().nbytes() == y.nbytes
    assert torch.equal(y, by_rows(x, fmt))
    assert y[1, 2].tolist() == expected(x[1, 2].tolist(), fmt)


@pytest.mark.parametrize("name", ["int8", "int4"])
def test_one_scale_for_the_whole_tensor(name: str) -> None:
    x = draws(60).reshape(3, 4, 5)
    assert round_to(x, scaled(name)).flatten().tolist() == expected(x.flatten().tolist(), scaled(name))


def test_nvfp4_blocks_share_the_tensors_scale_and_no_block_spans_rows() -> None:
    x = draws(3 * 20).reshape(3, 20)
    padded = torch.zeros(3, 32)
    padded[:, :20] = x
    assert round_to(x, scaled("nvfp4")).flatten().tolist() == [
        y for start in (0, 32, 64) for y in nvfp4(padded.flatten().tolist())[start : start + 20]
    ]


@every_scaled
@pytest.mark.parametrize("axis", [0, 1, -2])
def test_the_axis_is_that_of_a_transposed_tensor(fmt: ScaledFormat, axis: int) -> None:
    x = draws(3 * 40 * 5).reshape(40, 3, 5)
    assert torch.equal(round_to(x, fmt, axis=axis), round_to(x.movedim(axis, -1), fmt).movedim(-1, axis))


@every_scaled
def test_memory_order_and_parts_do_not_matter(fmt: ScaledFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    x = draws(6 * 70).reshape(6, 70)
    whole = round_to(x, fmt)
    assert torch.equal(round_to(x.t().contiguous().t(), fmt), whole)
    assert torch.equal(round_to(x.repeat_interleave(2, dim=1)[:, ::2], fmt), whole)
    monkeypatch.setattr("precision.measure.rounding.scaled._BLOCK_ELEMENTS", 7)
    assert torch.equal(round_to(x, fmt), whole)


@every_scaled
def test_the_callers_tensor_is_never_changed(fmt: ScaledFormat) -> None:
    for x in (draws(64), draws(64).double()):
        before = x.clone()
        y = round_to(x, fmt)
        assert torch.equal(x, before)
        assert y.data_ptr() != x.data_ptr()


@every_scaled
def test_float64_holds_the_same_values_before_the_last_rounding(fmt: ScaledFormat) -> None:
    x = draws(300)
    assert torch.equal(round_to(x.double(), fmt).float(), round_to(x, fmt))


@pytest.mark.parametrize("fmt", MX, ids=lambda fmt: fmt.name)
@settings(max_examples=40)
@given(values=st.lists(ANY_FLOAT32, min_size=1, max_size=40))
def test_mx_rounding_is_idempotent(fmt: ScaledFormat, values: list[float]) -> None:
    once = round_to(row(values), fmt)
    assert torch.equal(round_to(once, fmt), once)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int8])
def test_narrow_tensors_are_refused(dtype: torch.dtype) -> None:
    with pytest.raises(InputError, match="tensor cannot hold nvfp4 values: pass it as float32"):
        round_to(torch.ones(3, dtype=dtype), scaled("nvfp4"))


def test_integers_with_powers_of_two_are_refused() -> None:
    odd = ScaledFormat(name="odd", element=IntegerGrid(bits=8), scale="e8m0", granularity="block", block_size=32)
    with pytest.raises(InputError, match="odd: integers have float32 scales"):
        round_to(torch.ones(3), odd)


Quantize = Callable[[Tensor], Tensor]


@pytest.mark.parametrize("fmt", MX, ids=lambda fmt: fmt.name)
def test_mx_agrees_with_torchao(fmt: ScaledFormat) -> None:
    quantize = _torchao_mx(fmt)
    x = draws(64 * 96, seed=3).reshape(64, 96)
    assert torch.equal(round_to(x, fmt), quantize(x))


def _torchao_mx(fmt: ScaledFormat) -> Quantize:
    mx_tensor = pytest.importorskip(
        "torchao.prototype.mx_formats.mx_tensor",
        reason="torchao, the second oracle of the MX formats, is not installed",
    )
    name = fmt.element.name
    kind = {"float6_e3m2fn": "fp6_e3m2", "float6_e2m3fn": "fp6_e2m3", "float4_e2m1fn": torch.float4_e2m1fn_x2}
    element = kind[name] if name in kind else getattr(torch, name)

    def quantize(x: Tensor) -> Tensor:
        made = mx_tensor.MXTensor.to_mx(x, element, 32)
        back: Tensor = made.dequantize(torch.float32)
        return back

    return quantize
