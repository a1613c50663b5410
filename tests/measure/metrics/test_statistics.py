import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from precision.formats import FORMATS, NumericFormat, format_named
from precision.measure.metrics import statistics as module
from precision.measure.metrics.chunks import pair_chunks
from precision.measure.metrics.statistics import ErrorStatistics, mismatch_metrics, unravel
from precision.results import ErrorMetrics

FLOAT16, FLOAT32, BFLOAT16 = (format_named(name) for name in ("float16", "float32", "bfloat16"))
E4M3 = format_named("float8_e4m3fn")


def measure(
    reference: Tensor, candidate: Tensor, fmt: NumericFormat = FLOAT16, *, chunk_elements: int = 1024
) -> ErrorMetrics:
    statistics = ErrorStatistics(fmt, reference.numel(), shape=tuple(reference.shape))
    for chunk in pair_chunks(reference, candidate, domain=statistics.domain, chunk_elements=chunk_elements):
        statistics.update(chunk)
    return statistics.result()


def measured(reference: Sequence[float], candidate: Sequence[float], fmt: NumericFormat = FLOAT16) -> ErrorMetrics:
    return measure(torch.tensor(reference, dtype=torch.float64), torch.tensor(candidate, dtype=torch.float64), fmt)


# --- an oracle in exact arithmetic --------------------------------------------------------------


def to_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def root(value: Fraction) -> float:
    """Square root by integers alone, to more than 64 bits."""
    digits = max(0, 70 - (value.numerator.bit_length() - value.denominator.bit_length()) // 2)
    return to_float(Fraction(math.isqrt((value.numerator << (2 * digits)) // value.denominator), 1 << digits))


def mean(values: Sequence[Fraction]) -> float | None:
    return to_float(sum(values, Fraction(0)) / len(values)) if values else None


def mean_of_floats(values: Sequence[Fraction]) -> float | None:
    """Of quotients, one of which may be beyond float64 and so infinite."""
    return math.inf if any(math.isinf(to_float(value)) for value in values) else mean(values)


def expected_magnitudes(pairs: Sequence[tuple[float, float]], fmt: NumericFormat) -> dict[str, float | None]:
    """Everything that has a magnitude, in rational arithmetic; `e` is rounded to float64 as the definition says."""
    r = [Fraction(x) for x, _ in pairs]
    y = [Fraction(x) for _, x in pairs]
    e = [b - a for a, b in zip(r, y, strict=True)]
    normal = [(abs(b), abs(a)) for a, b in zip(r, e, strict=True) if abs(a) >= Fraction(fmt.smallest_normal)]
    small = [abs(b) for a, b in zip(r, e, strict=True) if abs(a) < Fraction(fmt.smallest_normal)]
    ulps = []
    for a, b in zip(r, e, strict=True):
        exponent = max(math.frexp(float(a))[1] - 1 if a else -9999, fmt.min_exponent)
        ulps.append(abs(b) / Fraction(2) ** (exponent - fmt.mantissa_bits))
    ee, rr, yy = (sum((v * v for v in values), Fraction(0)) for values in (e, r, y))
    ry = sum((a * b for a, b in zip(r, y, strict=True)), Fraction(0))
    return {
        "mean_abs_error": mean([abs(b) for b in e]),
        "max_abs_error": to_float(max(abs(b) for b in e)),
        "rmse": root(ee / len(e)),
        "normalized_l2": root(ee / rr) if rr else (math.inf if ee else 0.0),
        "cosine_similarity": (1.0 if rr == yy else 0.0)
        if not rr or not yy
        else (1 if ry > 0 else -1) * root(ry * ry / (rr * yy)),
        "mean_relative_error": mean_of_floats([b / a for b, a in normal]),
        "max_relative_error": to_float(max(b / a for b, a in normal)) if normal else None,
        "small_value_share": len(small) / len(e),
        "small_value_mean_abs_error": mean(small),
        "small_value_max_abs_error": to_float(max(small)) if small else None,
        "mean_ulp_error": mean_of_floats(ulps),
        "max_ulp_error": to_float(max(ulps)),
        "error_balance": (sum(b > 0 for b in e) - sum(b < 0 for b in e)) / len(e),
    }


def close(x: float | None, y: float | None, *, rel: float = 1e-12, abs_: float = 0.0) -> bool:
    if x is None or y is None:
        return x is y
    return x == y or math.isclose(x, y, rel_tol=rel, abs_tol=abs_)


def assert_agrees_with_oracle(metrics: ErrorMetrics, pairs: Sequence[tuple[float, float]], fmt: NumericFormat) -> None:
    finite = [(r, y) for r, y in pairs if math.isfinite(r) and math.isfinite(y)]
    assert metrics.elements == len(pairs)
    assert metrics.finite_pairs == metrics.quantile_elements == len(finite)
    assert metrics.ref_nonfinite == sum(not math.isfinite(r) for r, _ in pairs)
    assert metrics.cand_nonfinite == sum(not math.isfinite(y) for _, y in pairs)
    both = sum(not math.isfinite(r) and not math.isfinite(y) for r, y in pairs)
    assert metrics.both_nonfinite == both
    assert metrics.ref_only_nonfinite == metrics.ref_nonfinite - both
    assert metrics.cand_only_nonfinite == metrics.cand_nonfinite - both
    equal = sum(r == y or (math.isnan(r) and math.isnan(y)) for r, y in pairs)
    assert metrics.nonfinite_agree == equal - sum(r == y for r, y in finite)
    assert metrics.exact_share == (equal / len(pairs) if pairs else None)
    if fmt.relative_tolerance is None or fmt.absolute_tolerance is None or not pairs:
        assert metrics.within_tolerance_share is None
    else:
        bound = [abs(r) * fmt.relative_tolerance + fmt.absolute_tolerance for r, _ in finite]
        within = sum(abs(y - r) <= b for (r, y), b in zip(finite, bound, strict=True))
        assert metrics.within_tolerance_share == (within + metrics.nonfinite_agree) / len(pairs)
    if not finite:
        assert (
            metrics.mean_abs_error is metrics.sqnr_db is metrics.cosine_similarity is metrics.median_abs_error is None
        )
        return
    for name, value in expected_magnitudes(finite, fmt).items():
        absolute = 1e-14 if name == "cosine_similarity" else 5e-324
        assert close(getattr(metrics, name), value, abs_=absolute), (name, getattr(metrics, name), value)
    errors = np.array([abs(y - r) for r, y in finite])
    assert close(metrics.median_abs_error, float(np.quantile(errors, 0.5)), abs_=5e-324)
    assert close(metrics.p99_abs_error, float(np.quantile(errors, 0.99)), abs_=5e-324)
    index = metrics.max_abs_error_index
    assert index is not None
    assert index == (next(i for i, (r, y) in enumerate(pairs) if abs(y - r) == metrics.max_abs_error),)
    norm_r = root(sum((Fraction(r) ** 2 for r, _ in finite), Fraction(0)))
    norm_e = root(sum((Fraction(y - r) ** 2 for r, y in finite), Fraction(0)))
    if 0 < norm_r < 1e150 and 0 < norm_e < 1e150:
        assert close(metrics.sqnr_db, 20 * (math.log10(norm_r) - math.log10(norm_e)), rel=1e-9, abs_=1e-9)


MODERATE = st.one_of(
    st.floats(width=16), st.floats(width=32), st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 1e-45, 6e-8])
)


@pytest.mark.slow
@settings(max_examples=200)
@given(st.lists(st.tuples(MODERATE, MODERATE), max_size=40), st.sampled_from(FORMATS))
def test_every_metric_agrees_with_exact_arithmetic(pairs: list[tuple[float, float]], fmt: NumericFormat) -> None:
    assert_agrees_with_oracle(measured(*_columns(pairs), fmt), pairs, fmt)


@pytest.mark.slow
@settings(max_examples=200)
@given(st.lists(st.tuples(MODERATE, st.floats(-1e-3, 1e-3)), max_size=40), st.sampled_from(FORMATS))
def test_close_outputs_agree_with_exact_arithmetic(drawn: list[tuple[float, float]], fmt: NumericFormat) -> None:
    pairs = [(r, r * (1 + d)) for r, d in drawn]
    metrics = measured(*_columns(pairs), fmt)
    finite = [(r, y) for r, y in pairs if math.isfinite(r) and math.isfinite(y)]
    if finite:
        # The difference is rounded once to float64, which is all that may separate the two here.
        exact = expected_magnitudes(finite, fmt)
        for name in ("mean_abs_error", "max_abs_error", "rmse", "mean_relative_error", "mean_ulp_error"):
            assert close(getattr(metrics, name), exact[name], rel=1e-9, abs_=1e-300), name


WILD = st.floats(width=64, allow_nan=False, allow_infinity=False)


@settings(max_examples=200)
@given(st.lists(st.tuples(WILD, WILD), min_size=1, max_size=20))
def test_norms_survive_values_whose_squares_overflow_or_vanish(pairs: list[tuple[float, float]]) -> None:
    metrics = measured(*_columns(pairs), format_named("float64"))
    exact = expected_magnitudes(pairs, format_named("float64"))
    for name in ("rmse", "normalized_l2", "cosine_similarity", "mean_abs_error", "max_abs_error"):
        absolute = 1e-13 if name == "cosine_similarity" else 5e-324
        assert close(getattr(metrics, name), exact[name], rel=1e-9, abs_=absolute), name
    sqnr = metrics.sqnr_db
    assert sqnr is not None
    assert not math.isnan(sqnr)


@settings(max_examples=100)
@given(st.lists(st.tuples(MODERATE, MODERATE), max_size=60), st.sampled_from([FLOAT16, E4M3]))
def test_results_do_not_depend_on_the_chunks(pairs: list[tuple[float, float]], fmt: NumericFormat) -> None:
    reference, candidate = (torch.tensor(column, dtype=torch.float64) for column in _columns(pairs))
    one, seven, all_ = (measure(reference, candidate, fmt, chunk_elements=size) for size in (1, 7, 1024))
    for name in ErrorMetrics.model_fields:
        values = [getattr(metrics, name) for metrics in (one, seven, all_)]
        if isinstance(values[0], float):
            absolute = {"cosine_similarity": 1e-12, "sqnr_db": 1e-11}.get(name, 0.0)
            assert all(close(values[0], value, abs_=absolute) for value in values), (name, values)
        else:
            assert values[0] == values[1] == values[2], name


def _columns(pairs: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [r for r, _ in pairs], [y for _, y in pairs]


# --- the traps that other tools fell into -------------------------------------------------------


def test_trap_the_signal_of_the_sqnr_is_the_reference() -> None:
    metrics = measured([1.0, 1.0], [11.0, 11.0])
    assert metrics.sqnr_db == pytest.approx(-20.0, abs=1e-12)  # with the candidate as signal: +0.83
    assert measured([11.0, 11.0], [1.0, 1.0]).sqnr_db == pytest.approx(20 * math.log10(1.1), abs=1e-12)


def test_trap_the_mean_does_not_shrink_with_the_batch() -> None:
    one_reference, one_candidate = torch.full((1, 10), 2.0), torch.full((1, 10), 2.5)
    for batch in (1, 3, 64):
        metrics = measure(one_reference.expand(batch, 10), one_candidate.expand(batch, 10))
        assert (metrics.mean_abs_error, metrics.rmse, metrics.normalized_l2) == (0.5, 0.5, 0.25)


@pytest.mark.parametrize("sign", [1, -1])
def test_trap_overflow_counts_on_both_sides(sign: int) -> None:
    reference = sign * torch.tensor([1.0, 1e5, 7e4])
    metrics = measure(reference, reference.half())
    assert (metrics.cand_only_nonfinite, metrics.ref_nonfinite, metrics.finite_pairs) == (2, 0, 1)


def test_trap_true_zeros_are_no_underflow() -> None:
    metrics = measured([0.0, -0.0, 1.0], [0.0, 0.0, 1.0])
    assert metrics.exact_share == 1.0
    assert metrics.small_value_mean_abs_error == 0.0
    assert metrics.max_ulp_error == 0.0
    underflowed = measured([1e-9, 0.0], [0.0, 0.0])
    assert underflowed.exact_share == 0.5
    assert underflowed.small_value_max_abs_error == 1e-9


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.float8_e5m2], ids=str)
def test_trap_every_floating_dtype_is_measured(dtype: torch.dtype) -> None:
    metrics = measure(torch.tensor([1.0, 2.0]).to(dtype), torch.tensor([1.5, 2.0]).to(dtype))
    assert metrics.mean_abs_error == 0.25
    assert metrics.sqnr_db == pytest.approx(10 * math.log10(5 / 0.25), abs=1e-12)


def test_trap_zero_denominators_are_not_padded() -> None:
    metrics = measured([0.0, 1.0], [1e-7, 1.0])
    assert metrics.max_relative_error == 0.0
    assert metrics.small_value_max_abs_error == 1e-7
    assert metrics.small_value_share == 0.5
    only_zeros = measured([0.0, 0.0], [1.0, 0.0])
    assert only_zeros.mean_relative_error is None
    assert only_zeros.max_relative_error is None
    assert only_zeros.normalized_l2 == math.inf
    assert only_zeros.sqnr_db == -math.inf


def test_trap_squares_do_not_overflow_float16() -> None:
    reference = torch.full((4,), 60000.0, dtype=torch.float16)
    metrics = measure(reference, reference / 2)
    assert metrics.rmse == 30000.0
    assert metrics.normalized_l2 == 0.5
    assert metrics.cosine_similarity == 1.0


def test_trap_subtraction_is_not_in_low_precision() -> None:
    reference, candidate = torch.tensor([1.0 + 2.0**-20]), torch.tensor([1.0], dtype=torch.float16)
    assert measure(reference, candidate).max_abs_error == 2.0**-20  # 0 if subtracted in float16
    far = torch.tensor([60000.0], dtype=torch.float16)
    assert measure(far, -far).max_abs_error == 120000.0  # inf if subtracted in float16


def test_trap_a_saturating_cast_hides_no_error() -> None:
    reference = torch.tensor([1e4, torch.inf])
    metrics = measure(reference, reference.clamp(max=448).to(torch.float8_e4m3fn), E4M3)
    assert metrics.max_abs_error == 1e4 - 448
    assert metrics.ref_only_nonfinite == 1


def test_trap_tolerances_are_those_of_the_format() -> None:
    reference = torch.linspace(1, 2, 1000)
    rounded = reference.half()
    metrics = measure(reference, rounded, FLOAT16)
    assert metrics.within_tolerance_share == 1.0
    assert (metrics.relative_tolerance, metrics.absolute_tolerance) == (1e-3, 1e-5)
    strict = measure(reference, rounded, FLOAT32).within_tolerance_share
    assert strict is not None
    assert strict < 0.1
    assert measure(reference, rounded, E4M3).within_tolerance_share is None


# --- zero cases, infinities, counts -------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "candidate", "sqnr", "l2", "cosine"),
    [
        ([0.0, 0.0], [0.0, -0.0], math.inf, 0.0, 1.0),
        ([0.0, 0.0], [1.0, 0.0], -math.inf, math.inf, 0.0),
        ([1.0, 0.0], [0.0, 0.0], 0.0, 1.0, 0.0),
        ([1.0, 2.0], [1.0, 2.0], math.inf, 0.0, 1.0),
        ([1.0, 2.0], [-1.0, -2.0], 20 * math.log10(0.5), 2.0, -1.0),
        ([1.0, 0.0], [0.0, 1.0], 20 * math.log10(2**-0.5), 2**0.5, 0.0),
        ([1e300, 1e300], [2e300, 2e300], 0.0, 1.0, 1.0),
        ([1e-300, 5e-324], [2e-300, 5e-324], 0.0, 1.0, 1.0),
    ],
)
def test_norms_and_their_zero_cases(
    reference: list[float], candidate: list[float], sqnr: float, l2: float, cosine: float
) -> None:
    metrics = measured(reference, candidate)
    assert metrics.sqnr_db == pytest.approx(sqnr, abs=1e-12)
    assert metrics.normalized_l2 == pytest.approx(l2, rel=1e-14)
    assert metrics.cosine_similarity == pytest.approx(cosine, abs=1e-15)


def test_nothing_measured_is_none_not_zero() -> None:
    for metrics in (measured([], []), measured([math.nan, 1.0], [1.0, math.inf])):
        assert metrics.finite_pairs == metrics.quantile_elements == 0
        magnitudes = set(expected_magnitudes([(1.0, 1.0)], FLOAT16)) | {"median_abs_error", "p99_abs_error", "sqnr_db"}
        assert all(getattr(metrics, name) is None for name in magnitudes)
    assert measured([], []).exact_share is None


def test_nonfinite_pairs_are_told_apart() -> None:
    inf, nan = math.inf, math.nan
    metrics = measured([inf, inf, nan, nan, 1.0, inf, 1.0], [inf, -inf, nan, inf, nan, 2.0, 1.25])
    assert (metrics.ref_nonfinite, metrics.cand_nonfinite) == (5, 5)
    assert (metrics.ref_only_nonfinite, metrics.cand_only_nonfinite, metrics.both_nonfinite) == (1, 1, 4)
    assert metrics.nonfinite_agree == 2
    assert metrics.exact_share == 2 / 7
    assert metrics.within_tolerance_share == 2 / 7
    assert metrics.mean_abs_error == 0.25
    assert metrics.max_abs_error_index == (6,)


def test_an_error_beyond_float64_is_infinite_and_its_norms_are_not_nan() -> None:
    metrics = measured([1e308, 1.0], [-1e308, 1.0], format_named("float64"))
    assert metrics.max_abs_error == math.inf
    assert metrics.mean_abs_error == pytest.approx(1e308)
    assert metrics.normalized_l2 == pytest.approx(2.0)
    assert metrics.cosine_similarity == pytest.approx(-1.0)
    assert metrics.finite_pairs == 2


def test_the_index_of_the_maximum_is_that_of_the_first() -> None:
    reference = torch.zeros(3, 4, 5)
    candidate = reference.clone()
    candidate[1, 2, 3] = candidate[2, 0, 0] = -2.0
    candidate[0, 0, 0] = math.nan
    for size in (1, 7, 1024):
        assert measure(reference, candidate, chunk_elements=size).max_abs_error_index == (1, 2, 3)
    assert measure(torch.tensor(1.0), torch.tensor(2.0)).max_abs_error_index == ()


def test_the_ulp_is_the_formats_at_the_reference() -> None:
    cases: list[tuple[float, float]] = [(1.0, 2.0**-10), (1.999, 2.0**-10), (2.0, 2.0**-9), (-4.0, 2.0**-8)]
    cases += [(0.0, 2.0**-24), (2.0**-20, 2.0**-24), (2.0**-14, 2.0**-24), (1e5, 2.0**6)]
    for r, ulp in cases:
        assert measured([r], [r + ulp]).max_ulp_error == pytest.approx(1.0, rel=1e-6)


def test_rounding_alone_costs_at_most_half_a_ulp() -> None:
    reference = torch.randn(10_000, generator=torch.Generator().manual_seed(0))
    for fmt, dtype in ((FLOAT16, torch.float16), (BFLOAT16, torch.bfloat16)):
        metrics = measure(reference, reference.to(dtype), fmt)
        assert metrics.max_ulp_error is not None
        assert 0.49 < metrics.max_ulp_error <= 0.5


def test_a_small_output_is_the_same_alone_or_in_several_updates() -> None:
    reference, candidate = torch.randn(3, 40, generator=torch.Generator().manual_seed(3)), torch.zeros(3, 40)
    together = measure(reference, candidate)
    parts = ErrorStatistics(FLOAT16, 120)
    for row in range(3):
        for chunk in pair_chunks(reference[row], candidate[row]):
            parts.update(chunk)
    apart = parts.result()
    assert apart.max_abs_error_index is None
    for name in ("mean_abs_error", "rmse", "median_abs_error", "sqnr_db", "mean_ulp_error", "exact_share"):
        assert getattr(apart, name) == pytest.approx(getattr(together, name), rel=1e-14)


# --- integers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "candidate", "share"),
    [
        (torch.tensor([2**53, 2**53]), torch.tensor([2**53, 2**53 + 1]), 0.5),
        (torch.tensor([True, False]), torch.tensor([True, True]), 0.5),
        (torch.tensor([-1, 3]), torch.tensor([2**64 - 1, 3], dtype=torch.uint64), 0.5),
        (torch.tensor([1, 2], dtype=torch.int8), torch.tensor([1, 2], dtype=torch.int64), 1.0),
        (torch.tensor([], dtype=torch.int64), torch.tensor([], dtype=torch.int64), None),
    ],
)
def test_integers_have_a_share_of_equal_elements_and_no_magnitudes(
    reference: Tensor, candidate: Tensor, share: float | None
) -> None:
    metrics = mismatch_metrics([(reference, candidate)])
    assert metrics.exact_share == share
    assert metrics.elements == metrics.finite_pairs == reference.numel()
    assert metrics.mean_abs_error is metrics.max_abs_error is metrics.within_tolerance_share is None
    assert metrics.quantile_elements == metrics.cand_nonfinite == 0


def test_integers_of_several_outputs_and_chunks_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    a = torch.arange(10).reshape(2, 5)
    b = a.clone()
    b[1, 4] = -1
    for size in (1, 3, 100):
        monkeypatch.setattr(module, "CHUNK_ELEMENTS", size)
        assert mismatch_metrics([(a, b), (a, a)]).exact_share == 0.95


@pytest.mark.parametrize(("shape", "index"), [((), ()), ((6,), (5,)), ((2, 3), (1, 2)), ((1, 6, 1), (0, 5, 0))])
def test_unravel(shape: tuple[int, ...], index: tuple[int, ...]) -> None:
    assert unravel(math.prod(shape) - 1, shape) == index


@pytest.mark.parametrize("copy", [lambda x: x.t(), lambda x: x[::2, 1:], lambda x: x.requires_grad_()])
def test_views_and_gradients_do_not_matter(copy: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(5))
    view = copy(x)
    assert measure(view, view.detach().half()) == measure(view.detach().clone().contiguous(), view.detach().half())
