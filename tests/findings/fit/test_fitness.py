"""What is told from an exponent histogram, against rounding the values themselves."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from precision.findings.fit.fitness import Fit, FitLimits, Fitness, fitness, share_between, smallest_fit, worst
from precision.findings.fit.rounding import Share, best_scale_exponent, window_of
from precision.formats import ALL_FORMATS, FORMATS, AnyFormat, NumericFormat, any_format_named, format_named
from precision.measure.rounding import round_to
from precision.results.ranges import ExponentHistogram
from tests.measure.ranges.histograms import value_histogram

MORE = tuple(format_named(name) for name in ("e5m7", "e3m0finite", "e2m0fn", "e4m3ieee", "e8m0fnuz", "e5m10fnuz"))
NARROW = tuple(fmt for fmt in (*FORMATS, *MORE) if fmt.name not in ("float64", "float32"))
HARD_BOUND_DB = 10 * math.log10(3) + 1e-3


def judged(values: Tensor | list[float], name: str, limits: FitLimits | None = None) -> Fitness:
    tensor = values if isinstance(values, Tensor) else torch.tensor(values)
    return fitness(value_histogram(tensor), any_format_named(name), limits=limits)


def rounded_with_endless_range(values: Tensor, fmt: NumericFormat) -> Tensor:
    return round_to(values, NumericFormat(name="wide", exponent_bits=11, mantissa_bits=fmt.mantissa_bits))


def measured_shares(values: Tensor, fmt: NumericFormat) -> tuple[float, float, float]:
    """(overflow, underflow, subnormal) by rounding each finite non-zero value."""
    x = values.double()
    x = x[x.isfinite() & (x != 0)]
    y = round_to(x, fmt)
    beyond = rounded_with_endless_range(x, fmt).abs() > fmt.max
    lost = y == 0
    low = (x.abs() < fmt.smallest_normal) & ~lost
    return tuple(float(mask.double().mean()) for mask in (beyond, lost, low))  # type: ignore[return-value]


def measured_sqnr_db(values: Tensor, rounded: Tensor) -> float:
    x = values.double()
    error = rounded.double() - x
    # scaled, or squares of the smallest float32 would be lost
    scale = float(x.abs().amax())
    signal, noise = float((x / scale).square().sum()), float((error / scale).square().sum())
    return 10 * math.log10(signal / noise) if noise else math.inf


def check_against_rounding(values: Tensor, fmt: NumericFormat) -> None:
    found = fitness(value_histogram(values), fmt)
    if found.overflow is None or found.underflow is None or found.subnormal is None:
        assert not bool((values.isfinite() & (values != 0)).any())
        return
    for share, measured in zip(
        (found.overflow, found.underflow, found.subnormal), measured_shares(values, fmt), strict=True
    ):
        assert share.low - 1e-12 <= measured <= share.high + 1e-12
        assert 0 <= share.low <= share.high <= 1
    finite = values[values.isfinite()]
    if found.overflow.high:
        assert found.sqnr_db is None
        assert found.overflow.low > 0
        assert found.headroom_bits is not None
        assert found.headroom_bits < 0
    else:
        assert found.sqnr_db is not None
        assert measured_sqnr_db(finite, round_to(finite.double(), fmt)) >= found.sqnr_db - HARD_BOUND_DB


@settings(max_examples=80)
@given(st.lists(st.floats(width=32), min_size=1, max_size=30), st.sampled_from(NARROW))
@example([65519.99, 65520.0, 65504.0], format_named("float16"))
@example([464.0, 465.0, 448.0], format_named("float8_e4m3fn"))
@example([2.0**-25, 2.0**-24, 3 * 2.0**-26], format_named("float16"))
def test_any_values_lie_within_the_bounds(values: list[float], fmt: NumericFormat) -> None:
    check_against_rounding(torch.tensor(values, dtype=torch.float32), fmt)


@settings(max_examples=80)
@given(st.data(), st.sampled_from(NARROW))
def test_values_at_the_edges_of_a_format_lie_within_the_bounds(data: st.DataObject, fmt: NumericFormat) -> None:
    edges = [
        fmt.max,
        window_of(fmt).overflow_at,
        fmt.smallest_normal,
        fmt.smallest_subnormal,
        fmt.smallest_subnormal / 2,
    ]
    near = [
        float(np.nextafter(edge, toward)) for edge in edges for toward in (0.0, math.inf)
    ] + edges + [-edge for edge in edges]  # fmt: skip
    values = data.draw(st.lists(st.sampled_from(near), min_size=1, max_size=8))
    check_against_rounding(torch.tensor(values, dtype=torch.float64), fmt)


@pytest.mark.parametrize("fmt", NARROW, ids=lambda fmt: fmt.name)
def test_of_random_values_the_counts_decide_exactly(fmt: NumericFormat) -> None:
    """Float64 values are never at an edge, and the largest is not in the binade of the format's bound."""
    generator = torch.Generator().manual_seed(1)
    bulk = torch.randn(5_000, generator=generator, dtype=torch.float64)
    middle = math.sqrt(fmt.max * fmt.smallest_subnormal)
    for scale in (fmt.max / 16, fmt.smallest_normal, fmt.smallest_subnormal, middle):
        values = bulk * scale
        found = fitness(value_histogram(values), fmt)
        overflow, underflow, subnormal = measured_shares(values, fmt)
        assert found.underflow is not None
        assert found.subnormal is not None
        assert found.overflow is not None
        assert found.overflow.low <= overflow <= found.overflow.high
        assert found.underflow.low == pytest.approx(underflow, abs=1e-12)
        assert found.subnormal.high == pytest.approx(subnormal, abs=1e-12)
        if scale != fmt.max / 16:
            assert found.overflow.low == found.overflow.high or fmt.max < 64 * fmt.smallest_subnormal


def _distributions() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(7)
    normal = torch.randn(40_000, generator=generator, dtype=torch.float64).float()
    uniform = torch.rand(40_000, generator=generator, dtype=torch.float64).float()
    return {
        "normal": normal,
        "weights": normal * 0.02,
        "tiny, into float16's subnormals": normal * 1e-5,
        "tiny, below float16": normal * 3e-8,
        "large": normal * 100,
        "uniform": uniform - 0.5,
        "one binade": 1 + uniform,
        "relu": normal.relu(),
        "gelu": torch.nn.functional.gelu(normal),
        "laplace": -torch.log1p(-uniform) * normal.sign(),
        "lognormal": torch.exp(normal),
        "student t": normal / (uniform + 0.05).sqrt(),
        "cubed": normal**3,
        "softmax": torch.softmax(3 * normal.view(400, 100), dim=-1),
        "born in bfloat16": normal.bfloat16().float(),
        "born in float16": normal.half().float(),
    }


DISTRIBUTIONS = _distributions()


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_predicted_noise_is_the_measured_one(name: str) -> None:
    """Within 0.4 dB where the signal is 20 dB above the noise, within 1 dB nearer to it and with scales."""
    values = DISTRIBUTIONS[name]
    histogram = value_histogram(values)
    compared = 0
    for fmt in ALL_FORMATS:
        found = fitness(histogram, fmt)
        if fmt.name in ("float64", "float32"):
            assert found.sqnr_db == math.inf
        elif found.sqnr_db is not None:
            measured = measured_sqnr_db(values, round_to(values, fmt))
            tolerance = 0.4 if measured > 20 and isinstance(fmt, NumericFormat) else 1.0
            if measured < 150:
                assert found.sqnr_db == pytest.approx(measured, abs=tolerance), fmt.name
            else:  # a handful of subnormal values are all that is rounded
                assert found.sqnr_db > 120
            compared += 1
    assert compared >= 4


def test_representable_values_have_no_noise() -> None:
    assert judged([1.0] * 5, "float4_e2m1fn").sqnr_db == math.inf
    assert judged(torch.randn(100).bfloat16().float(), "bfloat16").sqnr_db == math.inf
    assert judged([1.0, -3.0, 0.5], "float8_e5m2").sqnr_db == math.inf
    assert judged([2.5] * 4, "int8").sqnr_db == math.inf


def test_values_that_all_vanish_are_all_noise() -> None:
    found = judged([2.0**-25, 2.0**-30], "float16")
    assert found.sqnr_db == 0.0
    assert found.underflow == Share(1.0, 1.0)
    assert measured_sqnr_db(torch.tensor([1.0]), torch.tensor([0.0])) == 0.0


def test_the_worst_case_bound_is_reached_and_no_more() -> None:
    halfway = torch.full((1000,), 1 + 2.0**-11) * torch.linspace(1, 1.0, 1000)
    noisy = torch.cat([halfway, torch.tensor([1 + 2.0**-23])])
    found = judged(noisy, "float16")
    assert found.sqnr_db is not None
    loss = found.sqnr_db - measured_sqnr_db(noisy, round_to(noisy, format_named("float16")))
    assert 4.7 < loss < HARD_BOUND_DB


def test_headroom() -> None:
    assert judged([65504.0], "float16").headroom_bits == 0
    assert judged([1.0, 16376.0], "float16").headroom_bits == 2
    assert judged([2 * 65504.0], "float16").headroom_bits == -1
    assert judged(torch.tensor([5e-324], dtype=torch.float64), "float64").headroom_bits == 2098
    assert (judged(torch.tensor([1e308], dtype=torch.float64), "float4_e2m1fn").headroom_bits or 0) < -1000
    assert judged([1e-45], "float16").headroom_bits == pytest.approx(165, abs=0.1)
    assert judged([0.0], "float16").headroom_bits is None
    assert judged([1.0], "int8").headroom_bits is None


NORMAL = DISTRIBUTIONS["normal"]


@pytest.mark.parametrize(
    ("values", "name", "verdict"),
    [
        (NORMAL, "float16", Fit.FITS),
        (NORMAL, "bfloat16", Fit.FITS),
        (NORMAL, "int8", Fit.FITS),
        (NORMAL, "int4", Fit.TOO_COARSE),
        (NORMAL * 1e5, "float16", Fit.NEEDS_SCALING),
        (NORMAL * 1e-6, "float16", Fit.NEEDS_SCALING),
        (NORMAL * 0.02, "float8_e4m3fn", Fit.NEEDS_SCALING),
        (NORMAL, "float8_e5m2", Fit.TOO_COARSE),
        (NORMAL * 1e6, "float8_e5m2", Fit.TOO_COARSE),
        (torch.cat([NORMAL * 1e-7, NORMAL[:20_000].abs() * 1e9 + 1e9]), "float16", Fit.OVERFLOWS),
        (torch.cat([NORMAL * 1e-9, NORMAL.abs() + 1e4]), "float16", Fit.FITS),
        (torch.cat([NORMAL * 1e-9, NORMAL.abs() + 100]), "float8_e4m3fn", Fit.UNDERFLOWS),
        (torch.cat([NORMAL * 3e-6, NORMAL.abs() + 3e4]), "float16", Fit.FITS),
        (torch.cat([NORMAL.clamp(0.9, 1.1) * 5e-3, NORMAL.abs() + 200]), "float8_e4m3fn", Fit.SUBNORMAL),
        ([1.0, math.inf], "float16", Fit.FITS),
        ([1.0, -math.inf], "float8_e4m3fn", Fit.OVERFLOWS),
        ([0.0, -math.inf], "float8_e4m3fn", Fit.OVERFLOWS),
        ([0.0, -math.inf], "float16", Fit.FITS),
        ([1.0, math.inf], "int8", Fit.OVERFLOWS),
        ([0.0, math.inf], "int8", Fit.OVERFLOWS),
        ([math.nan, 1.0], "float16", Fit.FITS),
        ([0.0, 0.0], "float4_e2m1fn", Fit.FITS),
        ([0.0], "int4", Fit.FITS),
        ([math.nan], "float16", Fit.NOTHING),
        ([math.inf], "float16", Fit.NOTHING),
        (torch.empty(0), "float16", Fit.NOTHING),
    ],
)
def test_verdicts(values: Tensor | list[float], name: str, verdict: Fit) -> None:
    found = judged(values, name)
    assert found.verdict is verdict
    assert found.reason.endswith(".")
    assert ("multiplied by 2^" in found.reason) == (verdict is Fit.NEEDS_SCALING)


@pytest.mark.parametrize("values", [NORMAL * 1e5, NORMAL * 1e-6, NORMAL * 300.0])
def test_the_scale_that_is_named_makes_the_values_fit(values: Tensor) -> None:
    for name in ("float16", "float8_e4m3fn", "float8_e4m3fnuz"):
        found = judged(values, name)
        if found.verdict is Fit.NEEDS_SCALING:
            exponent = re.search(r"multiplied by 2\^(-?\d+) the values fit", found.reason)
            assert exponent is not None
            assert judged(values * 2.0 ** int(exponent[1]), name).verdict is Fit.FITS


@settings(max_examples=100)
@given(st.floats(2.0**-100, 2.0**100, width=32), st.sampled_from(NARROW))
def test_the_best_scale_is_the_last_that_does_not_overflow(value: float, fmt: NumericFormat) -> None:
    exponent = best_scale_exponent(value_histogram(torch.tensor([value])), window_of(fmt))
    assert not window_of(fmt).overflows(math.ldexp(value, exponent))
    assert window_of(fmt).overflows(math.ldexp(value, exponent + 1))


def test_limits_decide() -> None:
    assert judged(NORMAL, "float8_e5m2", FitLimits(sqnr_db=20)).verdict is Fit.FITS
    assert judged(NORMAL, "float16", FitLimits(sqnr_db=80)).verdict is Fit.TOO_COARSE
    assert judged(NORMAL * 1e-6, "float16", FitLimits(subnormal_fraction=1, underflow_fraction=1)).sqnr_db is not None
    strict = FitLimits(underflow_fraction=0.0, subnormal_fraction=0.0)
    assert judged([1.5] * 1000 + [1e-6], "float8_e4m3fn").verdict is Fit.FITS
    assert judged([1.5] * 1000 + [1e-6], "float8_e4m3fn", strict).verdict is Fit.UNDERFLOWS


@pytest.mark.slow
def smallest_format(
    histograms: Sequence[ExponentHistogram],
    formats: Sequence[AnyFormat] = ALL_FORMATS,
    *,
    limits: FitLimits | None = None,
    scaled: bool = False,
) -> str | None:
    fits = [[fitness(histogram, fmt, limits=limits) for histogram in histograms] for fmt in formats]
    return smallest_fit(formats, fits, scaled=scaled)


def test_the_smallest_format() -> None:
    formats = [format_named(name) for name in ("float32", "bfloat16", "float16", "float8_e4m3fn", "float8_e5m2")]

    def smallest(*values: Tensor, scaled: bool = False, limits: FitLimits | None = None) -> str | None:
        histograms = [value_histogram(each) for each in values]
        return smallest_format(histograms, formats, limits=limits, scaled=scaled)

    assert smallest(NORMAL) == "float8_e4m3fn"
    assert smallest(NORMAL * 0.02) == "float16"
    assert smallest(NORMAL * 0.02, scaled=True) == "float8_e4m3fn"
    assert smallest(NORMAL * 1e5) == "bfloat16"
    assert smallest(NORMAL, NORMAL * 1e5) == "bfloat16"
    assert smallest(NORMAL, torch.zeros(3), torch.empty(0)) == "float8_e4m3fn"
    assert smallest(NORMAL, limits=FitLimits(sqnr_db=100)) == "float32"
    assert smallest(NORMAL, limits=FitLimits(sqnr_db=60)) == "float16"
    assert smallest(torch.empty(0)) is None
    assert smallest() is None
    int8 = any_format_named("int8")
    assert smallest_format([value_histogram(NORMAL)], [int8]) is None
    assert smallest_format([value_histogram(NORMAL)], [int8, *formats], scaled=True) == "int8"
    assert smallest_format([value_histogram(NORMAL * 1e5)], formats[2:3]) is None


def test_the_worst_fit() -> None:
    fits = [judged(NORMAL, name) for name in ("float16", "float8_e4m3fn", "float8_e5m2")]
    assert worst(fits).format == "float8_e5m2"
    assert worst(fits[:2]).format == "float8_e4m3fn"
    assert worst([judged([math.nan], "float16"), fits[0]]) == fits[0]
    assert worst([judged([math.nan], "float16")]).verdict is Fit.NOTHING


def test_shares_are_written_once_where_they_agree() -> None:
    assert share_between(Share(0.0, 0.0)) == "0 %"
    assert share_between(Share(0.25, 0.25004)) == "25.0 %"
    assert share_between(Share(0.001, 1.0)) == "0.1 to 100 %"
