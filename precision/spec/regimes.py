"""The names of input regimes."""

import math

from precision.errors import InputError

GIVEN, OUTLIER, RANDOM = "given", "outlier", "random"
USUAL = (GIVEN, "x0.1", "x10", "x100", "x1000", OUTLIER, RANDOM)
OUTLIER_FACTOR = 100.0
"""Factor of the outlier channel: large language models have such channels (Dettmers et al. 2022)."""

THE_INPUT = "the input itself"
"""The place of an overflow where a finite input does not fit the candidate's format."""


def canonical(name: str) -> str:
    """The one spelling of a regime.

    Raises:
        InputError: there is no such regime.
    """
    if name in (GIVEN, OUTLIER, RANDOM):
        return name
    factor = _factor(name)
    return GIVEN if factor == 1 else f"x{factor:.12g}"


def factor_of(name: str) -> float:
    """The factor that a regime multiplies the whole input by; 1 for the others."""
    return 1.0 if name in (GIVEN, OUTLIER, RANDOM) else _factor(name)


def label_of(name: str) -> str:
    """A regime in words."""
    words = {
        GIVEN: "input unchanged",
        OUTLIER: f"one channel × {OUTLIER_FACTOR:g}",
        RANDOM: "random values",
    }
    return words.get(name) or f"input × {factor_of(name):g}"


def _factor(name: str) -> float:
    try:
        factor = float(name.removeprefix("x")) if name.startswith("x") else math.nan
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0):
        raise InputError(
            f"There is no input regime {name[:40]!r}. Choose {GIVEN}, {OUTLIER}, {RANDOM}, or a factor such as x100."
        )
    return factor
