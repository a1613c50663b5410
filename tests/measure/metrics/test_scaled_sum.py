import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precision.measure.metrics.scaled_sum import ScaledSum

FINITE = st.floats(allow_nan=False, allow_infinity=False)
PARTS = st.lists(st.tuples(FINITE, st.integers(-3000, 3000)), max_size=30)
MODERATE = st.floats(1e-100, 1e100)
POSITIVE = st.floats(min_value=5e-324, allow_infinity=False)


def summed(parts: list[tuple[float, int]]) -> ScaledSum:
    total = ScaledSum()
    for part, exponent in parts:
        total.add(part, exponent=exponent)
    return total


def exact(parts: list[tuple[float, int]]) -> Fraction:
    return sum((Fraction(part) * Fraction(2) ** exponent for part, exponent in parts), Fraction(0))


def as_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


@given(PARTS)
def test_the_mean_is_that_of_exact_arithmetic(parts: list[tuple[float, int]]) -> None:
    scale = exact([(abs(part), exponent) for part, exponent in parts])
    found = summed(parts).mean(7)
    assert found is not None
    allowed = as_float(scale / 7) * 1e-14 + 5e-324
    expected = as_float(exact(parts) / 7)
    assert found == expected or abs(found - expected) <= allowed


@given(POSITIVE, POSITIVE, st.integers(-3000, 3000), st.integers(-3000, 3000))
def test_roots_and_ratios_are_those_of_exact_arithmetic(x: float, y: float, i: int, j: int) -> None:
    a, b = summed([(x, i)]), summed([(y, j)])
    ratio = Fraction(x) / Fraction(y) * Fraction(2) ** (i - j)
    log10 = math.log10(ratio.numerator) - math.log10(ratio.denominator)
    assert a.log10_of_ratio_root(b) == pytest.approx(log10 / 2, rel=1e-12, abs=1e-12)
    root = a.root_of_ratio(b)
    if 1e-300 < root < math.inf:
        assert Fraction(root) ** 2 / ratio == pytest.approx(1, rel=1e-14)
    mean = summed([(x, 0)]).root_mean(3)
    assert mean == pytest.approx(math.sqrt(x / 3) if x > 1e-300 else math.sqrt(x) / math.sqrt(3), rel=1e-14)


@given(MODERATE, MODERATE, st.integers(-1000, 1000))
def test_the_cosine_of_products_beyond_float64(x: float, y: float, i: int) -> None:
    rr, yy = summed([(x, 2 * i)]), summed([(y, 2 * i)])
    for sign in (1, -1):
        ry = summed([(sign * math.sqrt(x) * math.sqrt(y) / 2, 2 * i)])
        assert ry.cosine(rr, yy) == pytest.approx(sign / 2, rel=1e-9)


def test_a_cosine_is_clamped() -> None:
    assert summed([(1.0 + 1e-15, 0)]).cosine(summed([(1.0, 0)]), summed([(1.0, 0)])) == 1.0
    assert summed([(-1.0 - 1e-15, 0)]).cosine(summed([(1.0, 0)]), summed([(1.0, 0)])) == -1.0


def test_what_is_beyond_float64_on_the_way_comes_back() -> None:
    assert summed([(1.7e308, 0), (1.7e308, 0), (-1.7e308, 0)]).mean(2) == 0.85e308
    assert summed([(1.7e308, 0), (1.7e308, 0)]).mean(1) == math.inf
    assert summed([(1.0, 1500)]).mean(1, times=2.0**-1000) == 2.0**500


def test_infinite_and_empty_sums() -> None:
    total = ScaledSum()
    assert (total.mean(0), total.mean(3), total.root_mean(0), bool(total)) == (None, 0.0, None, False)
    total.add(math.inf)
    assert (total.mean(3), total.mean(0), total.root_mean(3), bool(total)) == (math.inf, None, math.inf, True)
    assert not summed([(1.0, 0), (-1.0, 0)])
