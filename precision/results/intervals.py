"""Intervals of shares, and how many samples would show a difference."""

import math
from fractions import Fraction
from typing import NamedTuple

Z_95 = 1.959963984540054
"""Of a two-sided 95 % interval of the normal distribution."""
SIGNIFICANT_P = 0.05
"""A difference with `discordant_p` below this is significant."""
_COUNTED_UP_TO = 500
"""Samples that only one side has right, up to which the exact test is tried count by count."""


class Interval(NamedTuple):
    """A 95 % interval, both ends included."""

    low: float
    high: float


def wilson(successes: float, samples: float) -> Interval | None:
    """The 95 % interval of a share; None without samples.

    It is never empty and stays within 0 to 1, even if no sample or every sample is a success: with 0 of 10, it goes
    from 0 to 0.278. A fractional number of successes is a share that was seen in other samples.

    Source: Wilson (1927), without correction for continuity.

    >>> wilson(0, 10), wilson(0, 0)
    (Interval(low=0.0, high=0.2775327998628892), None)
    """
    if not samples:
        return None
    share, square = successes / samples, Z_95**2 / samples
    centre = (share + square / 2) / (1 + square)
    reach = math.sqrt(share * (1 - share) * square + square**2 / 4) / (1 + square)
    low = 0.0 if successes == 0 else max(0.0, centre - reach)
    return Interval(low, 1.0 if successes == samples else min(1.0, centre + reach))


def t_95(degrees: int) -> float:
    """The reach of a two-sided 95 % interval of Student's t, in standard errors; within 1e-5 of the exact value.

    Source: Hill (1970), algorithm 396.

    >>> round(t_95(1), 3), round(t_95(7), 4), round(t_95(10**9), 4)
    (12.706, 2.3646, 1.96)
    """
    outside, n = 0.05, float(degrees)
    if degrees == 1:
        return 1 / math.tan(outside * math.pi / 2)
    if degrees == 2:
        return math.sqrt(2 / (outside * (2 - outside)) - 2)
    a = 1 / (n - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * n
    y = (d * outside) ** (2 / n)
    if y <= 0.05 + a:
        near = 1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)
        return math.sqrt(n * ((near * y - 1) * (n + 1) / (n + 2) + 1 / y))
    x = -Z_95
    if degrees < 5:
        c += 0.3 * (n - 4.5) * (x + 0.6)
    c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b
    y = (((((0.4 * x**2 + 6.3) * x**2 + 36) * x**2 + 94.5) / c - x**2 - 3) / b + 1) * x
    return math.sqrt(n * math.expm1(a * y**2))


def samples_to_exclude(value: float, *, share: float) -> int | None:
    """About how many samples give a Wilson interval that excludes `value`, if `share` of them are successes.

    Wilson's interval inverts the score test, so it excludes `value` (v) where |share - v| > z · sqrt(v(1 -
    v)/n): n = z² · v(1 - v) / (share - v)². None where the share is `value`: no number of samples would do.

    >>> samples_to_exclude(0.05, share=0.0), samples_to_exclude(0.5, share=0.5)
    (73, None)
    """
    if share == value:
        return None
    return max(1, math.ceil(Z_95**2 * value * (1 - value) / (share - value) ** 2))


def samples_to_tell_apart(first_only: int, second_only: int, samples: int) -> int | None:
    """About how many samples would show that the first is right more often than the second, or the reverse.

    More samples are assumed to be like these: of n, b·n/`samples` and c·n/`samples` are right on one side only, both
    rounded down. The result is the smallest n, from `samples` on, with `discordant_p` below `SIGNIFICANT_P`. Where
    that takes more than a few hundred such samples, it is the n that reaches z with Edwards' correction, (|b - c| -
    1)² / (b + c) = z², which is off by one or two percent at most. None where b = c: there is no difference.

    Args:
        first_only: samples that only the first has right (b).
        second_only: samples that only the second has right (c).
        samples: all of them.

    Source: McNemar (1947); Edwards (1948) for the correction.

    >>> samples_to_tell_apart(5, 0, 450), samples_to_tell_apart(3, 1, 450), samples_to_tell_apart(2, 2, 450)
    (540, 1950, None)
    """
    more, fewer = max(first_only, second_only), min(first_only, second_only)
    if more == fewer:
        return None
    if discordant_p(more, fewer) < SIGNIFICANT_P:
        return samples
    for count in range(more + 1, _COUNTED_UP_TO + 1):
        needed = -(-count * samples // more)  # the first n with so many of the more frequent kind
        if discordant_p(count, fewer * needed // samples) < SIGNIFICANT_P:
            return needed
    lead, both = (more - fewer) / samples, (more + fewer) / samples
    middle = lead + Z_95**2 * both / 2  # of lead² · n² - 2 · middle · n + 1 = 0, its larger root
    return max(samples + 1, math.ceil((middle + math.sqrt(middle**2 - lead**2)) / lead**2))


def discordant_p(first_only: int, second_only: int) -> float:
    """Probability of a split as uneven as this, or more, if both were right equally often; 1 without such samples.

    Two-sided and exact: a fair coin, tossed `first_only + second_only` times.

    Source: McNemar (1947), in the exact form.

    >>> discordant_p(5, 0), discordant_p(2, 2)
    (0.0625, 1.0)
    """
    tosses, fewer = first_only + second_only, min(first_only, second_only)
    term = total = 1
    for k in range(1, fewer + 1):
        term = term * (tosses - k + 1) // k
        total += term
    # A fraction of whole numbers, because 2^tosses may exceed every float.
    return float(min(Fraction(1), Fraction(2 * total, 2**tosses)))
