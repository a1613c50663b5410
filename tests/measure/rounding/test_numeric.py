import bisect
import itertools
import math
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from precision.errors import InputError
from precision.formats import ALL_FORMATS, FORMATS, NumericFormat, any_format_named, format_named
from precision.measure.rounding import dtype_name, holding_dtype, round_to, storage_dtype

FLOAT32, FLOAT64 = format_named("float32"), format_named("float64")
TF32 = format_named("tf32")
SMALL_FORMATS = [row for row in FORMATS if row.bits <= 16 and row.oracle != "fractions"]
NARROW_FORMATS = [row for row in SMALL_FORMATS if row.bits <= 8]
STORED_FORMATS = [row for row in FORMATS if row.has_dtype]
CUSTOM_FORMATS = [
    format_named(name) for name in ("e5m7", "e3m4", "e2m5fnuz", "e4m0fn", "e1m3finite", "e8m7fn", "e8m3fnuz", "e11m3")
]  # fmt: skip
WITHOUT_ORACLE = [*(row for row in FORMATS if row.oracle == "fractions"), *CUSTOM_FORMATS]


def same_bits(x: Tensor, y: Tensor) -> bool:
    """Equal including the sign of zeros; NaNs equal each other whatever their payload."""
    both_nan = x.isnan() & y.isnan()
    return bool((both_nan | ((x == y) & (x.signbit() == y.signbit()))).all())


def all_values(fmt: NumericFormat) -> Tensor:
    """Every code point of a format of at most 16 bits, as float64."""
    if fmt.bits == 16:
        codes = torch.arange(-(2**15), 2**15, dtype=torch.int16)
        return codes.view(storage_dtype(fmt)).to(torch.float64)
    return torch.from_numpy(np.arange(2**fmt.bits, dtype=np.uint8).view(oracle_dtype(fmt)).astype(np.float64))


def oracle_dtype(fmt: NumericFormat) -> np.dtype[Any]:
    found: np.dtype[Any] = np.dtype(getattr(np if fmt.oracle == "numpy" else ml_dtypes, fmt.name))
    return found


@np.errstate(over="ignore", invalid="ignore")
def rounded_by_oracle(x: Tensor, fmt: NumericFormat) -> Tensor:
    """`x`, float32, by another implementation; one rounding. Formats without NaN get it back, as they have no code."""
    rounded = x.numpy().astype(oracle_dtype(fmt)).astype(np.float32)
    return torch.from_numpy(rounded if fmt.has_nan else np.where(x.isnan().numpy(), np.nan, rounded))


def midpoints_and_beside(fmt: NumericFormat) -> Tensor:
    """Midpoints of all neighbours, the one above the largest value included, and the float64s beside them."""
    values = all_values(fmt)
    finite = torch.from_numpy(np.unique(values[values.isfinite()].numpy()))
    step = finite[-1] - finite[-2]
    finite = torch.cat([(finite[:1] - step), finite, (finite[-1:] + step)])
    middle = (finite[1:] + finite[:-1]) / 2
    up, down = torch.full_like(middle, torch.inf), torch.full_like(middle, -torch.inf)
    return torch.cat([middle, middle.nextafter(up), middle.nextafter(down)])


def nearest(x: float, fmt: NumericFormat, ascending: list[float]) -> float:
    """The nearest of the ascending non-negative values to |x|, the even one of two; the last counts as overflow."""
    place = min(max(bisect.bisect_left(ascending, abs(x)), 1), len(ascending) - 1)
    low, high = ascending[place - 1], ascending[place]
    if abs(x) - low == high - abs(x):
        chosen = place - 1 if (place - 1) % 2 == 0 else place
    else:
        chosen = place - 1 if abs(x) - low < high - abs(x) else place
    overflow = math.inf if fmt.has_infinities else math.nan if fmt.has_nan else fmt.max
    rounded = math.copysign(overflow if chosen == len(ascending) - 1 else ascending[chosen], x)
    return rounded if fmt.has_negative_zero else rounded + 0.0


@pytest.mark.parametrize("fmt", SMALL_FORMATS, ids=lambda fmt: fmt.name)
def test_values_of_the_format_are_kept(fmt: NumericFormat) -> None:
    values = all_values(fmt)
    assert same_bits(round_to(values, fmt, saturate=False), values)


@pytest.mark.parametrize("fmt", SMALL_FORMATS, ids=lambda fmt: fmt.name)
@pytest.mark.parametrize("source", ["bfloat16", "float16"])
def test_every_16_bit_pattern_agrees_with_torch_and_ml_dtypes(fmt: NumericFormat, source: str) -> None:
    x = all_values(format_named(source))  # all exact in float32: the others round once
    assert same_bits(round_to(x, fmt, saturate=False), rounded_by_oracle(x.float(), fmt).double())
    if fmt.has_dtype:
        saturates = fmt.name == "float8_e4m3fn"
        assert same_bits(round_to(x, fmt, saturate=saturates), x.float().to(storage_dtype(fmt)).to(torch.float64))


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_every_midpoint_agrees_with_torch(name: str) -> None:
    fmt = format_named(name)
    values = all_values(fmt)
    finite = torch.from_numpy(np.unique(values[values.isfinite()].numpy()))
    middle = ((finite[1:] + finite[:-1]) / 2).float()
    beside = [middle.nextafter(torch.full_like(middle, towards)) for towards in (torch.inf, -torch.inf)]
    x = torch.cat([middle, *beside])
    assert same_bits(round_to(x, fmt, saturate=False), x.to(storage_dtype(fmt)).float())


def random_float32() -> Tensor:
    codes = torch.randint(-(2**31), 2**31, (10**6,), generator=torch.Generator().manual_seed(1))
    return codes.to(torch.int32).view(torch.float32)


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"])
def test_random_float32_patterns_agree_with_torch(name: str) -> None:
    x, fmt = random_float32(), format_named(name)
    assert same_bits(round_to(x, fmt, saturate=False), x.to(storage_dtype(fmt)).float())


@pytest.mark.parametrize("fmt", SMALL_FORMATS, ids=lambda fmt: fmt.name)
def test_random_float32_patterns_agree_with_ml_dtypes(fmt: NumericFormat) -> None:
    x = random_float32()[: 2**17]
    assert same_bits(round_to(x, fmt, saturate=False), rounded_by_oracle(x, fmt))


def test_tf32_agrees_with_integer_arithmetic_on_the_bits() -> None:
    """Adding half a step to the bits, less one where the last kept bit is even, and cutting off the other 13."""
    tails = torch.tensor([0, 1, 0xFFF, 0x1000, 0x1001, 0x1FFF])
    heads = torch.arange(-(2**18), 2**18) << 13
    bits = torch.cat([(heads[:, None] + tails).flatten(), random_float32().view(torch.int32).long()])
    x = bits.to(torch.int32).view(torch.float32)
    unsigned = bits & 0xFFFF_FFFF
    carried = (unsigned + 0xFFF + ((unsigned >> 13) & 1)) & 0xFFFF_E000
    expected = torch.from_numpy(carried.numpy().astype(np.uint32).view(np.float32))
    assert same_bits(round_to(x, TF32, saturate=False), torch.where(x.isfinite(), expected, x))


def test_random_float64_patterns_agree_with_torch_in_float32() -> None:
    generator = torch.Generator().manual_seed(2)
    fraction = torch.rand(10**6, dtype=torch.float64, generator=generator) + 1
    exponent = torch.randint(-160, 130, (10**6,), generator=generator)
    x = torch.ldexp(fraction, exponent)
    assert same_bits(round_to(x, FLOAT32, saturate=False), x.float().double())
    assert same_bits(round_to(x, FLOAT32), x.float().double().clamp(-FLOAT32.max, FLOAT32.max))


@pytest.mark.parametrize("fmt", NARROW_FORMATS, ids=lambda fmt: fmt.name)
@pytest.mark.parametrize("sign", [1, -1])
def test_narrow_formats_agree_with_ml_dtypes_on_every_midpoint_and_beyond(fmt: NumericFormat, sign: int) -> None:
    middle = midpoints_and_beside(fmt).abs().float()
    neighbours = [middle.nextafter(torch.full_like(middle, towards)) for towards in (torch.inf, 0.0)]
    beyond = torch.tensor(
        [
            5.9,
            6.0,
            7.0,
            7.5,
            28.0,
            30.0,
            239.0,
            240.0,
            247.9,
            248.0,
            448.0,
            463.9,
            464.0,
            464.1,
            480.0,
            57344.0,
            61439.9,
            61440.0,
            1e5,
            3e38,
            torch.inf,
        ]
    )
    x = sign * torch.cat([middle, *neighbours, beyond, torch.tensor([0.0, torch.nan])])
    assert same_bits(round_to(x, fmt, saturate=False), rounded_by_oracle(x, fmt))
    capped = x.clamp(-fmt.max, fmt.max)
    assert same_bits(round_to(x, fmt), rounded_by_oracle(capped, fmt))


@pytest.mark.parametrize("fmt", SMALL_FORMATS, ids=lambda fmt: fmt.name)
def test_float64_is_rounded_once(fmt: NumericFormat) -> None:
    """Values beside a midpoint, which a detour through float32 would turn into the midpoint."""
    values = all_values(fmt)
    ascending = sorted(set(values[values.isfinite()].abs().tolist()))
    ascending.append(2 * ascending[-1] - ascending[-2])
    x = midpoints_and_beside(fmt)
    x = x[:: 1 + x.numel() // 5000]
    expected = [nearest(value, fmt, ascending) for value in x.tolist()]
    assert same_bits(round_to(x, fmt, saturate=False), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
def test_special_values(fmt: NumericFormat) -> None:
    x = torch.tensor([0.0, -0.0, torch.nan, torch.inf, -torch.inf], dtype=torch.float64)
    open_ended = round_to(x, fmt, saturate=False)
    zero = -0.0 if fmt.has_negative_zero else 0.0
    infinity = {"ieee": torch.inf, "finite": fmt.max}.get(fmt.specials, torch.nan)
    assert same_bits(open_ended, torch.tensor([0.0, zero, torch.nan, infinity, -infinity], dtype=torch.float64))
    saturated = round_to(x, fmt)
    top = torch.inf if fmt is FLOAT64 else fmt.max  # float64 in float64 is not rounded at all
    assert same_bits(saturated, torch.tensor([0.0, zero, torch.nan, top, -top], dtype=torch.float64))


@pytest.mark.parametrize("fmt", [row for row in FORMATS if row is not FLOAT64], ids=lambda fmt: fmt.name)
def test_overflow_begins_half_a_step_beyond_the_maximum(fmt: NumericFormat) -> None:
    step = math.ldexp(fmt.epsilon, fmt.max_exponent)
    tie_goes_up = (fmt.max / step) % 2 == 1
    half = fmt.max + step / 2
    x = torch.tensor([math.nextafter(half, 0), half, math.nextafter(half, math.inf)], dtype=torch.float64)
    over = {"ieee": math.inf, "finite": fmt.max}.get(fmt.specials, math.nan)
    expected = torch.tensor([fmt.max, over if tie_goes_up else fmt.max, over], dtype=torch.float64)
    assert same_bits(round_to(x, fmt, saturate=False), expected)
    assert round_to(x, fmt).tolist() == [fmt.max] * 3
    assert round_to(-x, fmt).tolist() == [-fmt.max] * 3


@pytest.mark.parametrize("fmt", [row for row in FORMATS if row is not FLOAT64], ids=lambda fmt: fmt.name)
def test_subnormals_and_the_edge_of_zero(fmt: NumericFormat) -> None:
    tiny = fmt.smallest_subnormal
    x = torch.tensor([tiny, tiny / 2, math.nextafter(tiny / 2, 1), 1.5 * tiny, 2.5 * tiny], dtype=torch.float64)
    expected = torch.tensor([tiny, 0, tiny, 2 * tiny, 2 * tiny], dtype=torch.float64)
    assert same_bits(round_to(x, fmt), expected)
    # 0 - y has no -0
    assert same_bits(round_to(-x, fmt), -expected if fmt.has_negative_zero else 0 - expected)


@pytest.mark.parametrize(
    ("source", "target"), list(itertools.product(["float16", "bfloat16", "float8_e5m2"], ["float64", "float32"]))
)
def test_narrower_tensors_stay_as_they_are(source: str, target: str) -> None:
    x = torch.tensor([1.5, -0.0, torch.inf]).to(storage_dtype(format_named(source)))
    rounded = round_to(x, format_named(target))
    assert rounded.dtype == x.dtype
    assert same_bits(rounded.double(), x.double())
    assert rounded.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("source", ["float32", "float16", "bfloat16"])
def test_float8_of_narrow_sources(source: str) -> None:
    x = torch.linspace(-500, 500, 999).to(storage_dtype(format_named(source)))
    rounded = round_to(x, format_named("float8_e4m3fn"))
    assert rounded.dtype == x.dtype
    assert torch.equal(rounded.float(), round_to(x.double(), format_named("float8_e4m3fn")).float())


def test_shape_order_and_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    whole = round_to(x, format_named("float16"))
    assert torch.equal(whole, x.half().float())
    monkeypatch.setattr("precision.measure.rounding.numeric._CPU_BLOCK_ELEMENTS", 3)
    assert torch.equal(round_to(x, format_named("float16")), whole)
    assert torch.equal(round_to(x.t(), format_named("float16")), whole.t())
    assert round_to(torch.empty(0, 3), format_named("float16")).shape == (0, 3)
    assert round_to(torch.tensor(70000.0), format_named("float16"), saturate=False).item() == math.inf


@given(st.floats(width=64), st.sampled_from([*(row for row in FORMATS if row is not FLOAT64), *CUSTOM_FORMATS]))
def test_rounding_is_idempotent_monotonic_and_odd(value: float, fmt: NumericFormat) -> None:
    x = torch.tensor([value, math.nextafter(value, math.inf)], dtype=torch.float64)
    once = round_to(x, fmt)
    assert same_bits(round_to(once, fmt), once)
    assert same_bits(round_to(-x, fmt), -once if fmt.has_negative_zero else 0 - once)
    assert math.isnan(value) or bool(once[0] <= once[1])


def test_a_dtype_that_cannot_hold_the_values_is_refused() -> None:
    with pytest.raises(InputError, match="bfloat16 tensor cannot hold float16 values: pass it as float32"):
        round_to(torch.ones(1, dtype=torch.bfloat16), format_named("float16"))


def exactly_rounded(value: float, fmt: NumericFormat) -> float:
    """By integer arithmetic on fractions, without the code under test."""
    x = abs(Fraction(value))
    power = fmt.min_exponent
    while x >= Fraction(2) ** (power + 1):
        power += 1
    step = Fraction(2) ** (power - fmt.mantissa_bits)
    rounded = round(x / step) * step
    if rounded > Fraction(fmt.max):
        return math.copysign(fmt.max, value)
    return math.copysign(float(rounded), value) if rounded or fmt.has_negative_zero else 0.0


@pytest.mark.parametrize("fmt", WITHOUT_ORACLE, ids=lambda fmt: fmt.name)
@settings(max_examples=50)
@given(data=st.data())
def test_formats_that_no_package_has_agree_with_fractions(fmt: NumericFormat, data: st.DataObject) -> None:
    largest = min(4 * fmt.max, 1e300)
    half_steps = st.integers(-(2 ** (fmt.mantissa_bits + 2)), 2 ** (fmt.mantissa_bits + 2))
    exponents = st.integers(fmt.min_exponent, fmt.max_exponent)
    value = data.draw(
        st.floats(-largest, largest)
        | st.floats(-3, 3)
        | st.floats(-1, 1).map(lambda x: x * fmt.smallest_normal)
        | st.builds(lambda n, e: math.ldexp(n, e - fmt.mantissa_bits - 1), half_steps, exponents)
    )
    wide = torch.tensor([value], dtype=torch.float64)
    assert same_bits(round_to(wide, fmt), torch.tensor([exactly_rounded(value, fmt)], dtype=torch.float64))


@pytest.mark.parametrize(
    "fmt", [row for row in (*FORMATS, *CUSTOM_FORMATS) if FLOAT32.holds(row)], ids=lambda fmt: fmt.name
)
@pytest.mark.parametrize("saturate", [True, False])
def test_float32_and_float64_arithmetic_agree(fmt: NumericFormat, saturate: bool) -> None:
    x = random_float32()[: 10**5]
    assert same_bits(round_to(x, fmt, saturate=saturate).double(), round_to(x.double(), fmt, saturate=saturate))


def test_infinities_of_a_narrow_tensor_do_not_slip_through() -> None:
    x = torch.tensor([torch.inf, -torch.inf, 1.0]).to(torch.float8_e5m2)
    with pytest.raises(InputError, match="float8_e5m2 tensor cannot hold e6m3finite values"):
        round_to(x, format_named("e6m3finite"))
    assert round_to(x.float(), format_named("e6m3finite")).tolist() == [
        format_named("e6m3finite").max * s for s in (1, -1)
    ] + [1.0]


def test_integers_are_refused() -> None:
    with pytest.raises(InputError, match="Cannot round a int64 tensor"):
        round_to(torch.arange(3), format_named("float16"))


def test_storage_dtype() -> None:
    assert {dtype_name(storage_dtype(row)) for row in STORED_FORMATS} == {row.name for row in STORED_FORMATS}
    for name in ("tf32", "float4_e2m1fn", "e5m7", "int8", "mxfp4"):
        with pytest.raises(InputError, match=f"torch has no dtype for {any_format_named(name).name}"):
            storage_dtype(any_format_named(name))


def test_holding_dtype() -> None:
    wide = {"float64", "e9m5", "e8m24", "e8m7fn", "e11m3", "e8m23fnuz"}
    for row in (*ALL_FORMATS, *map(any_format_named, wide)):
        assert holding_dtype(row) == (torch.float64 if row.name in wide else torch.float32)
