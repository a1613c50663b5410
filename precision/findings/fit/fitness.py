"""How well values fit a number format, judged from their histogram alone: no format needs another run.

Exact where counts by exponent are enough; bounds elsewhere. Formats with a scale for each channel or block are judged
by how far values lie below the largest value that shares their scale.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from precision.findings.fit.rounding import (
    Share,
    Window,
    best_scale_exponent,
    integer_sqnr_db,
    integer_underflow_share,
    overflow_share,
    predicted_sqnr_db,
    subnormal_share,
    underflow_share,
    window_of,
)
from precision.findings.fit.scaling import scaled_sqnr_db, scaled_underflow_share
from precision.formats import FORMATS, AnyFormat, IntegerGrid, NumericFormat, ScaledFormat
from precision.results.ranges import ExponentHistogram
from precision.text.units import number_text, share_text


class Fit(StrEnum):
    """The verdict on values in a format, the best first."""

    FITS = "fits"
    NEEDS_SCALING = "needs scaling"
    """It fits after the whole tensor is multiplied by one power of two."""
    TOO_COARSE = "too coarse"
    """Too few mantissa bits, at any scale."""
    SUBNORMAL = "subnormals lose precision"
    UNDERFLOWS = "underflows"
    OVERFLOWS = "overflows"
    NOTHING = "nothing to judge"
    """No finite value."""


_BEST_FIRST = tuple(Fit)


@dataclass(frozen=True, kw_only=True)
class FitLimits:
    """How much may be lost before values no longer fit; a single overflow is always too much.

    The limits of the two shares do not apply where another format of as many bits keeps them and rounds worse.
    """

    underflow_fraction: float = 0.01
    subnormal_fraction: float = 0.05
    sqnr_db: float = 30.0
    """3 % noise: what the three mantissa bits of float8_e4m3fn give for values well inside its range."""


@dataclass(frozen=True, kw_only=True)
class Fitness:
    """What a format does to the values of a histogram. Shares are of the finite non-zero values."""

    format: str
    verdict: Fit
    reason: str
    """One sentence."""
    headroom_bits: float | None = None
    """log2(the format's largest value / the largest magnitude); negative beyond the range. None for scaled formats and
    without non-zero values."""
    overflow: Share | None = None
    """None without finite non-zero values, as are the next two."""
    underflow: Share | None = None
    """What becomes zero."""
    subnormal: Share | None = None
    """Below the smallest normal value, without becoming zero."""
    sqnr_db: float | None = None
    """Predicted; see `predicted_sqnr_db`, `integer_sqnr_db` and `scaled_sqnr_db`."""


def fitness(histogram: ExponentHistogram, fmt: AnyFormat, *, limits: FitLimits | None = None) -> Fitness:
    """How the values of `histogram` fit `fmt`.

    Zeros fit every format. NaNs and infinities are not counted, but infinities overflow in a format without infinities.
    Overflow: values that round beyond the largest value, whether the cast saturates or not. Underflow: values that
    round to zero. A format with scales has no overflow and no subnormal values; a value that becomes zero in it is off
    by no more than others of its group, so only precision decides. With an infinity or a NaN there is no valid scale.

    Raises:
        UnsupportedError: a format with scales for parts of a tensor, and a histogram made without counting groups.
    """
    limits = limits or FitLimits()
    if not histogram.nonzero:
        return _without_values(histogram, fmt)
    if isinstance(fmt, NumericFormat):
        return _judged(histogram, fmt, limits)
    return _judged_scaled(histogram, fmt, limits)


def worst(fits: Sequence[Fitness]) -> Fitness:
    """The worst fit; of equal verdicts, the one with the lowest predicted SQNR.

    Raises:
        ValueError: there is none.
    """
    judged = [fit for fit in fits if fit.verdict is not Fit.NOTHING] or list(fits)
    return max(judged, key=lambda fit: (_BEST_FIRST.index(fit.verdict), -_or_infinite(fit.sqnr_db)))


def smallest_fit(
    formats: Sequence[AnyFormat], fits: Sequence[Sequence[Fitness]], *, scaled: bool = False
) -> str | None:
    """The format with the fewest bits in which several tensors fit; None where there is none, or nothing to fit.

    Of formats with the same number of bits, the one whose worst predicted SQNR is best.

    With `scaled`, each tensor may have a scale: a power of two, or that of a scaled format. Without, scaled formats are
    not considered.

    Args:
        formats: those to choose from.
        fits: for each format, the fits of all the tensors.
        scaled: whether tensors may have scales.
    """
    good = (Fit.FITS, Fit.NEEDS_SCALING) if scaled else (Fit.FITS,)
    found: list[tuple[float, float, str]] = []
    for fmt, together in zip(formats, fits, strict=True):
        judged = [fit for fit in together if fit.verdict is not Fit.NOTHING]
        if isinstance(fmt, ScaledFormat) and not scaled:
            continue
        if judged and all(fit.verdict in good for fit in judged):
            found.append((fmt.bits_per_value, -min(_or_infinite(fit.sqnr_db) for fit in judged), fmt.name))
    return min(found)[2] if found else None


def _judged(histogram: ExponentHistogram, fmt: NumericFormat, limits: FitLimits) -> Fitness:
    window = window_of(fmt)
    losses = _losses(histogram, window)
    verdict, reason = _verdict(histogram, fmt, losses, limits)
    if verdict in (Fit.UNDERFLOWS, Fit.SUBNORMAL) and _outdoes_a_fitting(histogram, fmt, losses, limits):
        verdict, reason = _precision_verdict(losses.sqnr_db, limits)
    if verdict is not Fit.FITS and not _lacks_infinities(histogram, fmt):
        exponent = best_scale_exponent(histogram, window)
        after = _losses(histogram, window.of_values_times(exponent))
        scaled, scaled_reason = _verdict(histogram, fmt, after, limits)
        if scaled is Fit.FITS:
            verdict = Fit.NEEDS_SCALING
            reason = f"{reason.removesuffix('.')}; multiplied by 2^{exponent} the values fit."
        elif scaled is Fit.TOO_COARSE:
            verdict, reason = scaled, scaled_reason
    return Fitness(
        format=fmt.name,
        verdict=verdict,
        reason=reason,
        headroom_bits=_headroom_bits(fmt.max, histogram.largest),
        overflow=losses.overflow,
        underflow=losses.underflow,
        subnormal=losses.subnormal,
        sqnr_db=losses.sqnr_db,
    )


class _Losses(NamedTuple):
    overflow: Share
    underflow: Share
    subnormal: Share
    sqnr_db: float | None


def _losses(histogram: ExponentHistogram, window: Window) -> _Losses:
    return _Losses(
        overflow_share(histogram, window),
        underflow_share(histogram, window),
        subnormal_share(histogram, window),
        predicted_sqnr_db(histogram, window),
    )


def _outdoes_a_fitting(histogram: ExponentHistogram, fmt: NumericFormat, losses: _Losses, limits: FitLimits) -> bool:
    """Whether the predicted SQNR is better than in another format of as many bits in which the values fit."""
    for other in FORMATS:
        if other.bits == fmt.bits and other.name != fmt.name and not other.is_dialect and losses.sqnr_db is not None:
            others = _losses(histogram, window_of(other))
            if _verdict(histogram, other, others, limits)[0] is Fit.FITS and losses.sqnr_db > _or_infinite(
                others.sqnr_db
            ):
                return True
    return False


def _verdict(histogram: ExponentHistogram, fmt: NumericFormat, losses: _Losses, limits: FitLimits) -> tuple[Fit, str]:
    if _lacks_infinities(histogram, fmt):
        return Fit.OVERFLOWS, f"{histogram.infinite:,} values are infinite, and {fmt.name} has no infinities."
    if losses.overflow.high:
        largest = number_text(histogram.largest)
        share = share_between(losses.overflow)
        return Fit.OVERFLOWS, f"{share} of the values are beyond {number_text(fmt.max)}; the largest is {largest}."
    if losses.underflow.high > limits.underflow_fraction:
        return Fit.UNDERFLOWS, f"{share_between(losses.underflow)} of the non-zero values become zero."
    if losses.subnormal.high > limits.subnormal_fraction:
        return Fit.SUBNORMAL, f"{share_between(losses.subnormal)} of the non-zero values are subnormal."
    return _precision_verdict(losses.sqnr_db, limits)


def _precision_verdict(sqnr_db: float | None, limits: FitLimits) -> tuple[Fit, str]:
    if sqnr_db is None or sqnr_db >= limits.sqnr_db:
        size = "" if sqnr_db is None else f", predicted SQNR {number_text(sqnr_db)} dB"
        return Fit.FITS, f"The values are within range{size}."
    return Fit.TOO_COARSE, f"Predicted SQNR {number_text(sqnr_db)} dB, below {limits.sqnr_db:g} dB."


def _judged_scaled(histogram: ExponentHistogram, fmt: ScaledFormat, limits: FitLimits) -> Fitness:
    if fmt.grouping is None and isinstance(fmt.element, IntegerGrid):
        underflow = integer_underflow_share(histogram, fmt.element)
        sqnr_db = integer_sqnr_db(histogram, fmt.element)
    else:
        underflow, sqnr_db = scaled_underflow_share(histogram, fmt), scaled_sqnr_db(histogram, fmt)
    if nonfinite := histogram.infinite + histogram.nan:
        verdict, reason = Fit.OVERFLOWS, f"{nonfinite:,} values are infinite or NaN, so there is no valid scale."
        sqnr_db = None
    else:
        verdict, reason = _precision_verdict(sqnr_db, limits)
    return Fitness(
        format=fmt.name,
        verdict=verdict,
        reason=reason,
        overflow=Share(0.0, 0.0),
        underflow=underflow,
        subnormal=Share(0.0, 0.0),
        sqnr_db=sqnr_db,
    )


def _headroom_bits(limit: float, largest: float | None) -> float | None:
    if not largest:
        return None
    ratio = limit / largest if largest > limit / sys.float_info.max else math.inf
    return math.log2(ratio) if 0 < ratio < math.inf else math.log2(limit) - math.log2(largest)


def _lacks_infinities(histogram: ExponentHistogram, fmt: NumericFormat) -> bool:
    return bool(histogram.infinite) and not fmt.has_infinities


def _without_values(histogram: ExponentHistogram, fmt: AnyFormat) -> Fitness:
    if histogram.infinite and not (isinstance(fmt, NumericFormat) and fmt.has_infinities):
        verdict, reason = (
            Fit.OVERFLOWS,
            f"{histogram.infinite:,} values are infinite, and {fmt.name} has no infinities.",
        )
    elif histogram.zeros:
        verdict, reason = Fit.FITS, "All finite values are zero."
    else:
        verdict, reason = Fit.NOTHING, "There is no finite value."
    return Fitness(format=fmt.name, verdict=verdict, reason=reason)


def share_between(share: Share) -> str:
    """A share, or its two bounds where they differ as written.

    >>> share_between(Share(0.25, 0.25)), share_between(Share(0.01, 0.02))
    ('25.0 %', '1.0 to 2.0 %')
    """
    low, high = share_text(share.low), share_text(share.high)
    return high if low == high else f"{low.removesuffix(' %')} to {high}"


def _or_infinite(value: float | None) -> float:
    return math.inf if value is None else value
