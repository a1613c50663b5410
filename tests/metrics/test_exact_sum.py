import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precision.metrics.exact_sum import ExactSum, log10_square_root, square_root, to_float

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(FINITE, st.integers(-3, 3)), max_size=30))
def test_the_sum_is_that_of_exact_arithmetic(parts: list[tuple[float, int]]) -> None:
    total = ExactSum()
    for part, exponent in parts:
        total.add(part, exponent=exponent)
    exact = sum((Fraction(part) * Fraction(2) ** exponent for part, exponent in parts), Fraction(0))
    unscaled = sum((Fraction(part) for part, exponent in parts if not exponent), Fraction(0))
    assert abs(total.value - exact) <= abs(unscaled) * Fraction(1, 2**52) + Fraction(5e-324)


def test_what_is_beyond_float64_on_the_way_comes_back() -> None:
    total = ExactSum()
    for part in (1.7e308, 1.7e308, -1.7e308):
        total.add(part)
    assert total.value == Fraction(1.7e308)
    assert total.mean(2) == 0.85e308


def test_infinite_and_empty_sums() -> None:
    total = ExactSum()
    assert (total.mean(0), total.mean(3)) == (None, 0.0)
    total.add(math.inf)
    assert total.mean(3) == math.inf
    assert total.mean(0) is None


@given(st.fractions(min_value=0), st.integers(-1500, 1500))
def test_square_root(value: Fraction, half: int) -> None:
    scaled = value * Fraction(4) ** half
    if not scaled or not Fraction(1e-300) < value < Fraction(1e300):
        return
    root = square_root(scaled)
    if math.isinf(root):
        assert scaled >= Fraction(2) ** 2047
    elif root > 1e-300:
        assert abs(Fraction(root) ** 2 / scaled - 1) < Fraction(1, 10**15)
    assert log10_square_root(scaled) == pytest.approx(
        math.log10(float(value)) / 2 + half * math.log10(2), rel=1e-13, abs=1e-13
    )


@pytest.mark.parametrize(
    ("value", "root"),
    [(0, 0.0), (4, 2.0), (Fraction(1, 4), 0.5), (Fraction(2) ** 4000, math.inf), (Fraction(4) ** -1074, 5e-324)],
)
def test_square_root_at_the_ends(value: Fraction | int, root: float) -> None:
    assert square_root(Fraction(value)) == root


def test_to_float() -> None:
    assert to_float(Fraction(10) ** 400) == math.inf
    assert to_float(Fraction(1, 3)) == 1 / 3
