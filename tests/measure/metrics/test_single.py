"""float32 chunks: against sums in float64 that are rounded once."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from precision.formats import NumericFormat, any_format_named, format_named
from precision.measure.metrics.chunks import SINGLE_MIN_ELEMENTS, pair_chunks
from precision.measure.metrics.single import SinglePrecision
from precision.measure.metrics.statistics import ErrorStatistics, domain_of
from precision.results import ErrorMetrics

FLOAT16, BFLOAT16, E4M3 = (format_named(name) for name in ("float16", "bfloat16", "float8_e4m3fn"))
N = SINGLE_MIN_ELEMENTS + 5


def noise(seed: int = 0, *, elements: int = N) -> Tensor:
    return torch.randn(elements, generator=torch.Generator().manual_seed(seed))


def powers(low: int, high: int, seed: int = 9) -> Tensor:
    return 10.0 ** torch.randint(low, high, (N,), generator=torch.Generator().manual_seed(seed))


def measured(reference: Tensor, candidate: Tensor, fmt: NumericFormat = FLOAT16) -> ErrorMetrics:
    statistics = ErrorStatistics(fmt, None, shape=tuple(reference.shape))
    statistics.add(reference, candidate)
    return statistics.result()


def sum_of(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return math.fsum(values.tolist())


def expected(reference: Tensor, candidate: Tensor, fmt: NumericFormat) -> dict[str, float | None]:
    """Element by element in float64, which is exact or nearly so for float32 operands."""
    r, y = (x.double().numpy() for x in (reference, candidate))
    e = y - r
    a, m, n = np.abs(e), np.abs(r), r.size
    small = m < fmt.smallest_normal
    exponents = np.where(m == 0, fmt.min_exponent, np.maximum(np.frexp(m)[1] - 1, fmt.min_exponent))
    ulps = a / np.ldexp(1.0, exponents - fmt.mantissa_bits)
    rr, yy, ee, ry = sum_of(r * r), sum_of(y * y), sum_of(e * e), sum_of(r * y)
    relative = a[~small] / m[~small]
    rtol, atol = fmt.relative_tolerance, fmt.absolute_tolerance
    within = None if rtol is None or atol is None else np.count_nonzero(a <= atol + rtol * m) / n
    return {
        "mean_abs_error": sum_of(a) / n,
        "rmse": math.sqrt(ee / n),
        "normalized_l2": math.sqrt(ee / rr) if rr else math.inf if ee else 0.0,
        "cosine_similarity": ry / math.sqrt(rr) / math.sqrt(yy) if rr and yy else float(rr == yy),
        "mean_relative_error": sum_of(relative) / relative.size if relative.size else None,
        "max_relative_error": relative.max() if relative.size else None,
        "small_value_mean_abs_error": sum_of(a[small]) / np.count_nonzero(small) if small.any() else None,
        "small_value_max_abs_error": a[small].max() if small.any() else None,
        "mean_ulp_error": sum_of(ulps) / n,
        "max_ulp_error": ulps.max(),
        # Exact, to the last bit:
        "max_abs_error": a.max(),
        "small_value_share": np.count_nonzero(small) / n,
        "error_balance": (np.count_nonzero(e > 0) - np.count_nonzero(e < 0)) / n,
        "exact_share": np.count_nonzero(e == 0) / n,
        "within_tolerance_share": within,
    }


EXACT = {"max_abs_error", "small_value_share", "error_balance", "exact_share", "within_tolerance_share"}


def assert_agrees(reference: Tensor, candidate: Tensor, fmt: NumericFormat) -> None:
    found = measured(reference, candidate, fmt)
    error = np.abs(candidate.double().numpy() - reference.double().numpy())
    assert found.max_abs_error_index == (int(error.argmax()),)
    for name, value in expected(reference, candidate, fmt).items():
        ours = getattr(found, name)
        if value is None or name in EXACT:
            assert ours == value, name
        else:
            absolute = 1e-6 if name == "cosine_similarity" else 0.0
            assert ours == pytest.approx(value, rel=1e-6, abs=absolute), name


HARD = {
    "ordinary": (noise(), noise() + 1e-3 * noise(1)),
    "mixed magnitudes": (noise() * powers(-30, 30), noise() * powers(-30, 30) * (1 + 1e-3 * noise(1))),
    "unrelated magnitudes": (noise() * powers(-18, 18), noise(1) * powers(-18, 18, 10)),
    "a few large ones": (noise() * powers(-8, 5), noise() * powers(-8, 5) * 1.001),
    "cancellation": (1e4 * noise(), 1e4 * noise() + 1e-3 * noise(1)),
    "all equal": (torch.full((N,), 0.7), torch.full((N,), 0.7003)),
    "one step of rounding again and again": (torch.full((N,), 1.9999), torch.full((N,), 1.9999 * 1.5)),
    "constant bias": (noise(), noise() + 0.3333),
    "opposite": (noise(), -noise()),
    "almost nothing": (noise(), 1e-8 * noise()),
    "zero candidate": (noise(), torch.zeros(N)),
    "zero reference": (torch.zeros(N), noise()),
    "both zero": (torch.zeros(N), torch.zeros(N)),
    "exact": (noise(), noise()),
    "half zeros": (noise().relu(), (noise() + 1e-3).relu()),
    "subnormals": (torch.full((N,), 1e-40), torch.full((N,), 2e-40)),
    "squares underflow": (1e-25 * noise(), 1e-25 * noise() + 1e-28 * noise(1)),
    "squares of errors underflow": (torch.full((N,), 1e-10), 1e-10 + 1e-18 * noise()),
    "one error whose square underflows": (torch.zeros(N), torch.zeros(N).index_fill_(0, torch.tensor([7]), 1e-30)),
    "squares overflow": (1e25 * noise(), 1.1e25 * noise()),
    "differences overflow": (torch.full((N,), 3e38), torch.full((N,), -3e38)),
    "quotients overflow": (torch.full((N,), 1e-37), torch.full((N,), 1e18)),
    "all small values": (1e-6 * noise(), 1e-6 * noise() + 1e-8 * noise(1)),
    "powers of two": (2.0 ** torch.randint(-20, 20, (N,)), 2.0 ** torch.randint(-20, 20, (N,))),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "fmt", [FLOAT16, BFLOAT16, E4M3, format_named("float32"), format_named("float64")], ids=lambda fmt: fmt.name
)
@pytest.mark.parametrize("case", HARD)
def test_hard_cases_agree_with_float64(case: str, fmt: NumericFormat) -> None:
    assert_agrees(*HARD[case], fmt)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_narrow_candidates_and_references_agree_with_float64(dtype: torch.dtype) -> None:
    fmt = format_named(str(dtype).removeprefix("torch."))
    assert_agrees(noise(), noise().to(dtype), fmt)
    assert_agrees((noise() + 0.01 * noise(1)).to(dtype), noise().to(dtype), fmt)


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    st.floats(-38, 38),
    st.floats(-12, 6),
    st.sampled_from(["normal", "constant", "wide"]),
    st.sampled_from([FLOAT16, BFLOAT16, E4M3]),
)
def test_any_scale_agrees_with_float64(seed: int, scale: float, error: float, shape: str, fmt: NumericFormat) -> None:
    drawn = noise(seed).double()
    unit = torch.full((N,), drawn[0].item()) if shape == "constant" else drawn
    unit = drawn * 10 ** noise(seed + 2).double() if shape == "wide" else unit
    reference = (unit * 10**scale).float().clamp(-3e38, 3e38)
    candidate = (reference.double() * (1 + noise(seed + 1).double() * 10**error)).float().clamp(-3e38, 3e38)
    assert_agrees(reference, candidate, fmt)


@pytest.mark.slow
@settings(max_examples=100)
@given(st.floats(1, 4, width=32))
def test_many_equal_values_are_summed_to_a_millionth(value: float) -> None:
    metrics = measured(torch.zeros(SINGLE_MIN_ELEMENTS), torch.full((SINGLE_MIN_ELEMENTS,), value))
    assert metrics.mean_abs_error == pytest.approx(value, rel=1e-6)
    assert metrics.rmse == pytest.approx(value, rel=1e-6)


def test_sums_do_not_depend_on_how_the_data_are_cut() -> None:
    reference = noise(elements=200_001) * 10.0 ** noise(1, elements=200_001)
    candidate = reference.bfloat16()
    whole = measured(reference, candidate, BFLOAT16)
    for cuts in ([1, 5, 1023, 1025, 70_000], [100_000], list(range(0, 200_000, 9_999))):
        parts = ErrorStatistics(BFLOAT16, None)
        for r, y in zip(reference.tensor_split(cuts), candidate.tensor_split(cuts), strict=True):
            parts.add(r, y)
        apart = parts.result()
        for name in ErrorMetrics.model_fields:
            ours, theirs = getattr(apart, name), getattr(whole, name)
            if name in EXACT or not isinstance(theirs, float):
                assert ours == theirs or name == "max_abs_error_index"
            else:
                assert ours == pytest.approx(theirs, rel=1e-6)


def test_the_largest_error_is_exact_where_float32_rounds_two_alike() -> None:
    reference, candidate = torch.zeros(N), torch.zeros(N)
    candidate[[3, 8, 9]] = -(2.0**24)
    reference[[8, 9]] = 1.0
    metrics = measured(reference, candidate)
    assert (metrics.max_abs_error, metrics.max_abs_error_index) == (2.0**24 + 1, (8,))


@pytest.mark.parametrize("fmt", [FLOAT16, BFLOAT16, format_named("float32")], ids=lambda fmt: fmt.name)
def test_errors_within_rounding_of_the_tolerance_are_counted_as_float64_counts_them(fmt: NumericFormat) -> None:
    rtol, atol = fmt.relative_tolerance, fmt.absolute_tolerance
    assert rtol is not None
    assert atol is not None
    reference = noise()
    limit = (reference.double() + atol + rtol * reference.double().abs()).float()
    steps = torch.randint(-1, 2, (N,), generator=torch.Generator().manual_seed(2)).float()
    candidate = torch.nextafter(limit, limit + steps)
    assert_agrees(reference, candidate, fmt)
    share = measured(reference, candidate, fmt).within_tolerance_share
    assert share is not None
    assert 0.1 < share < 0.9


def test_one_nonfinite_pair_leaves_the_others_as_they_were() -> None:
    reference = noise(elements=100_000)
    candidate = reference.half()
    reference[50_000], candidate[70_000] = math.nan, math.inf
    metrics = measured(reference, candidate)
    kept = torch.ones(100_000, dtype=torch.bool)
    kept[[50_000, 70_000]] = False
    assert (metrics.ref_only_nonfinite, metrics.cand_only_nonfinite, metrics.finite_pairs) == (1, 1, 99_998)
    for name, value in expected(reference[kept], candidate[kept], FLOAT16).items():
        if "share" not in name:
            assert getattr(metrics, name) == pytest.approx(value, rel=1e-6), name


def test_ordinary_chunks_are_measured_in_float32_and_others_are_declined() -> None:
    sums = SinglePrecision()
    for case, fits in (("ordinary", True), ("exact", True), ("squares overflow", False), ("subnormals", False)):
        reference, candidate = HARD[case]
        chunk = next(pair_chunks(reference, candidate, domain=domain_of(FLOAT16)))
        assert chunk.measures is not None
        before = sums.sums["rr"], sums.counts["equal"]
        assert sums.add(chunk, chunk.measures) is fits
        assert ((sums.sums["rr"], sums.counts["equal"]) != before) is fits


def test_what_was_measured_for_another_format_is_not_used() -> None:
    reference, candidate = noise(), noise().half()
    statistics = ErrorStatistics(E4M3, None, shape=tuple(reference.shape))
    for chunk in pair_chunks(reference, candidate, domain=domain_of(FLOAT16)):
        statistics.update(chunk)
    assert statistics.result().max_ulp_error == measured(reference, candidate, E4M3).max_ulp_error
    assert statistics.result().small_value_share == measured(reference, candidate, E4M3).small_value_share


def test_formats_with_scales_have_no_ulp_and_no_small_values() -> None:
    fmt = any_format_named("mxfp4")
    statistics = ErrorStatistics(fmt, None)
    statistics.add(noise(), 1.25 * noise())
    metrics = statistics.result()
    assert metrics.mean_ulp_error is metrics.max_ulp_error is metrics.small_value_share is None
    assert metrics.small_value_mean_abs_error is metrics.within_tolerance_share is None
    assert metrics.mean_relative_error == pytest.approx(0.25, rel=1e-6)
    assert metrics.normalized_l2 == pytest.approx(0.25, rel=1e-6)


def test_the_number_of_threads_is_left_alone() -> None:
    before = torch.get_num_threads()
    measured(noise(elements=200_000), noise(elements=200_000).half())
    assert torch.get_num_threads() == before
