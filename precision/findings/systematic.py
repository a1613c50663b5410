"""Errors that go one way: a common factor, a common offset."""

from precision.results import ErrorMetrics
from precision.text.units import number_text, ratio_text

_CERTAIN = 4.0
"""Standard errors from 0 at which an error is called systematic: few of thousands of rows are so by chance."""


def is_systematic(value: float | None, standard_error: float | None) -> bool:
    """Whether an error is too far from 0 for noise; True where it is the same everywhere."""
    return bool(value) and value is not None and standard_error is not None and abs(value) > _CERTAIN * standard_error


def factor_text(factor: float | None, standard_error: float | None) -> str:
    """By how much all values are too large or too small, with its standard error; empty where that may be noise.

    >>> factor_text(0.0013423, 0.00001)
    '+0.134 % ± 0.001 %'
    >>> factor_text(-19.812, 0.21)
    '-1,980 % ± 20 %'
    """
    if factor is None or standard_error is None or not is_systematic(factor, standard_error):
        return ""
    sign = "+" if factor > 0 else ""
    return f"{sign}{ratio_text(100 * factor)} % ± {ratio_text(100 * standard_error, 1)} %"


def systematic_cells(metrics: ErrorMetrics) -> tuple[str, str]:
    """The mean signed error with its standard error, and what that means; both empty where it was not measured."""
    mean, error = metrics.mean_signed_error, metrics.mean_signed_error_se
    if mean is None or error is None:
        return "", ""
    value = f"{number_text(mean)} ± {number_text(error)}"
    factor = factor_text(metrics.factor_error, metrics.factor_error_se)
    if factor:
        return value, f"all values together are off by the factor {factor}"
    return value, "systematic, an offset" if is_systematic(mean, error) else "no more than noise"
