"""What is told of formats with scales for parts of a tensor, against rounding the values themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from precision.errors import UnsupportedError
from precision.findings.fit.fitness import Fit, fitness, smallest_fit
from precision.findings.fit.scaling import scaled_sqnr_db, scaled_underflow_share
from precision.formats import ALL_FORMATS, GROUPINGS, SCALED_FORMATS, ScaledFormat, any_format_named
from precision.measure.rounding import round_to
from tests.measure.ranges.histograms import exponent_histogram, value_histogram

PARTS = tuple(fmt for fmt in SCALED_FORMATS if fmt.grouping is not None)
MX = tuple(fmt for fmt in PARTS if fmt.scale == "e8m0")


def scaled(name: str) -> ScaledFormat:
    fmt = any_format_named(name)
    assert isinstance(fmt, ScaledFormat)
    return fmt


def measured_sqnr_db(values: Tensor, fmt: ScaledFormat, *, axis: int = -1) -> float:
    x = values.double()
    error = round_to(values, fmt, axis=axis).double() - x
    scale = float(x.abs().amax())
    signal, noise = float((x / scale).square().sum()), float((error / scale).square().sum())
    return 10 * math.log10(signal / noise) if noise else math.inf


def measured_underflow(values: Tensor, fmt: ScaledFormat) -> float:
    nonzero = values != 0
    return float(((round_to(values, fmt) == 0) & nonzero).sum()) / max(int(nonzero.sum()), 1)


def _distributions() -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    random = np.random.default_rng(7)
    normal = random.standard_normal((96, 528))
    return {
        "normal": normal,
        "weights": 0.02 * normal,
        "laplace": random.laplace(size=normal.shape),
        "student t, 3 degrees of freedom": random.standard_t(3, size=normal.shape),
        "uniform": random.random(normal.shape) - 0.5,
        "relu": np.maximum(normal, 0),
        "gelu": torch.nn.functional.gelu(torch.from_numpy(normal)).numpy(),
        "softmax": torch.softmax(torch.from_numpy(3 * normal), dim=-1).numpy(),
        "lognormal": np.exp(normal),
        "cubed": normal**3,
        "rows of unlike size": normal * np.exp(2 * random.standard_normal((96, 1))),
        "pruned": normal * (random.random(normal.shape) < 0.1),
        "born in bfloat16": torch.from_numpy(normal).bfloat16().double().numpy(),
        "sorted": np.sort(normal, axis=-1),
        "tiny": normal * 1e-25,
        "huge": normal * 1e25,
    }


DISTRIBUTIONS = {name: torch.from_numpy(values).float() for name, values in _distributions().items()}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_predicted_noise_is_the_measured_one_within_a_decibel(name: str) -> None:
    values = DISTRIBUTIONS[name]
    histogram = value_histogram(values)
    for fmt in PARTS:
        tolerance = 1.1 if name in {"sorted", "softmax"} else 0.8
        assert scaled_sqnr_db(histogram, fmt) == pytest.approx(measured_sqnr_db(values, fmt), abs=tolerance), fmt.name


def test_where_a_few_values_hold_the_energy_it_is_within_three_decibels() -> None:
    random = np.random.default_rng(3)
    normal = random.standard_normal((96, 528))
    outlier_channel = normal * np.where(np.arange(528) == 5, 60.0, 1.0)
    outlier = normal.copy()
    outlier[4, 7] = 300.0
    for each in (outlier_channel, outlier, random.standard_t(1.5, size=normal.shape)):
        values = torch.from_numpy(each).float()
        histogram = value_histogram(values)
        for fmt in PARTS:
            assert scaled_sqnr_db(histogram, fmt) == pytest.approx(measured_sqnr_db(values, fmt), abs=3), fmt.name


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_scales_run_along_the_axis(axis: int) -> None:
    sizes = torch.logspace(-2, 2, 24).reshape([24 if at == axis else 1 for at in range(4)])
    values = torch.randn(24, 24, 24, 24, generator=torch.Generator().manual_seed(1)) * sizes
    histogram = value_histogram(values, axis=axis)
    other = value_histogram(values, axis=(axis + 1) % 4)
    for name in ("mxfp6_e2m3", "nvfp4", "int8_per_channel"):
        measured = measured_sqnr_db(values, scaled(name), axis=axis)
        assert scaled_sqnr_db(histogram, scaled(name)) == pytest.approx(measured, abs=1)
    assert (scaled_sqnr_db(other, scaled("int8_per_channel")) or 0) > measured + 3


@settings(max_examples=60)
@given(st.lists(st.floats(-1e6, 1e6, width=32, allow_subnormal=False), min_size=1, max_size=70), st.sampled_from(PARTS))
def test_the_share_that_vanishes_lies_within_its_bounds(values: list[float], fmt: ScaledFormat) -> None:
    tensor = torch.tensor(values, dtype=torch.float32)
    tensor[tensor.abs() < 1e-30] = 0
    share = scaled_underflow_share(value_histogram(tensor), fmt)
    assert share.low - 1e-12 <= measured_underflow(tensor, fmt) <= share.high + 1e-12
    assert 0 <= share.low <= share.high <= 1


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_of_random_values_mx_counts_decide_what_vanishes(name: str) -> None:
    values = DISTRIBUTIONS[name]
    for fmt in MX:
        share = scaled_underflow_share(value_histogram(values), fmt)
        found = measured_underflow(values, fmt)
        assert share.low - 1e-12 <= found <= share.high + 1e-12
        if name != "born in bfloat16":
            assert share.low == pytest.approx(found, abs=1e-4)


def test_blocks_beside_a_far_larger_one_vanish_in_nvfp4() -> None:
    """Its scales are e4m3 of the tensor's: their range is 2^18."""
    values = torch.randn(64, 16, generator=torch.Generator().manual_seed(2))
    for largest, vanishing in ((1e4, False), (1e7, True)):
        values[0, 0] = largest
        share = scaled_underflow_share(value_histogram(values), scaled("nvfp4"))
        found = measured_underflow(values, scaled("nvfp4"))
        assert share.low <= found <= share.high
        assert (share.low > 0.9) == vanishing
    found_db = scaled_sqnr_db(value_histogram(values), scaled("nvfp4"))
    assert found_db is not None
    assert found_db > 90
    assert measured_sqnr_db(values, scaled("nvfp4")) > 90


@pytest.mark.parametrize("exponent", [-124, -133, -137, 126, 135])
def test_power_of_two_scales_end_at_127(exponent: int) -> None:
    values = torch.randn(20, 64, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 2.0**exponent
    histogram = value_histogram(values)
    for fmt in MX:
        assert scaled_sqnr_db(histogram, fmt) == pytest.approx(measured_sqnr_db(values, fmt), abs=2), fmt.name
        share = scaled_underflow_share(histogram, fmt)
        assert share.low <= measured_underflow(values, fmt) <= share.high


@pytest.mark.parametrize("fmt", PARTS, ids=lambda fmt: fmt.name)
def test_exact_cases_are_exact(fmt: ScaledFormat) -> None:
    one_magnitude = torch.tensor([[2.5, -2.5, 0.0]] * 5)
    powers = torch.tensor([1.0, -2.0, 4.0, 0.0] * 20)
    zeros = fitness(value_histogram(torch.zeros(3, 40)), fmt)
    assert (zeros.verdict, zeros.sqnr_db) == (Fit.FITS, None)
    assert fitness(value_histogram(torch.empty(0, 3)), fmt).verdict is Fit.NOTHING
    if fmt.scale == "e8m0":
        assert scaled_sqnr_db(value_histogram(powers), fmt) == math.inf == measured_sqnr_db(powers, fmt)
        assert scaled_sqnr_db(value_histogram(torch.tensor(0.5)), fmt) == math.inf
    else:
        assert scaled_sqnr_db(value_histogram(one_magnitude), fmt) == math.inf
        assert scaled_sqnr_db(value_histogram(torch.tensor(0.3)), fmt) == math.inf
        assert measured_sqnr_db(one_magnitude, fmt) > 120  # of float32 scales


def test_rows_of_one_magnitude_each_are_exact_per_channel() -> None:
    values = torch.rand(30, 1, generator=torch.Generator().manual_seed(1)).expand(30, 20) - 0.5
    for name in ("int8_per_channel", "int4_per_channel"):
        assert scaled_sqnr_db(value_histogram(values), scaled(name)) == math.inf
        assert measured_sqnr_db(values, scaled(name)) > 120


def test_few_mantissa_bits_leave_what_saturates() -> None:
    """Largest values of 1.875 times a power of two are beyond e4m3's 1.75."""
    values = torch.tensor([1.0, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875]).repeat(8)
    histogram = value_histogram(values)
    assert scaled_sqnr_db(histogram, scaled("mxfp6_e2m3")) == math.inf
    assert scaled_sqnr_db(histogram, scaled("mxfp8_e4m3")) == pytest.approx(
        measured_sqnr_db(values, scaled("mxfp8_e4m3")), abs=0.01
    )


@pytest.mark.parametrize("fmt", PARTS, ids=lambda fmt: fmt.name)
@pytest.mark.parametrize("values", [[1.0, 0.3, math.inf], [1.0, 0.3, math.nan]])
def test_what_is_not_finite_leaves_no_scale(fmt: ScaledFormat, values: list[float]) -> None:
    found = fitness(value_histogram(torch.tensor(values)), fmt)
    assert (found.verdict, found.sqnr_db) == (Fit.OVERFLOWS, None)
    assert found.reason == "1 values are infinite or NaN, so there is no valid scale."


def test_a_norm_beyond_float64_is_not_judged() -> None:
    histogram = value_histogram(torch.tensor([1e308, 1.7e308] * 9, dtype=torch.float64))
    assert {scaled_sqnr_db(histogram, fmt) for fmt in PARTS} == {None}


@pytest.mark.parametrize("fmt", PARTS, ids=lambda fmt: fmt.name)
def test_without_counting_groups_it_is_not_told(fmt: ScaledFormat) -> None:
    histogram = exponent_histogram(torch.ones(3, 5))
    for judge in (scaled_sqnr_db, scaled_underflow_share):
        with pytest.raises(UnsupportedError, match=rf"{fmt.name} has scales .* without regard to their neighbours"):
            judge(histogram, fmt)


def test_scaled_formats_are_a_choice_where_scaling_is() -> None:
    histogram = value_histogram(DISTRIBUTIONS["weights"])
    fits = [[fitness(histogram, fmt)] for fmt in ALL_FORMATS]
    assert smallest_fit(ALL_FORMATS, fits) == "float16"
    assert smallest_fit(ALL_FORMATS, fits, scaled=True) == "mxfp6_e2m3"
    assert {fitness(histogram, fmt).format for fmt in ALL_FORMATS} == {fmt.name for fmt in ALL_FORMATS}


def test_all_groupings_are_those_of_the_table() -> None:
    assert {fmt.grouping for fmt in SCALED_FORMATS} - {None} == set(GROUPINGS)
