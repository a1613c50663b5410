"""What rounding to a format with scales for parts of a tensor does, told from distances below the groups' largest.

With R what a group's scale follows, and g = scale / R: an element becomes g R round(|x| / (g R)). So its squared error
is R^2 times a function of |x|/R, of g and of the format alone, whose mean over a bin of |x|/R is taken with all values
in the bin equally likely. Sources: as of the scales, see `precision.measure.rounding.round_to`; and Widrow and Kollar,
"Quantization Noise" (2008), chapter 12.
"""

import functools
import math

import numpy as np
import numpy.typing as npt

from precision.errors import UnsupportedError
from precision.findings.fit.rounding import Share
from precision.formats import IntegerGrid, NumericFormat, ScaledFormat, format_named
from precision.formats.scaled import E8M0_EXPONENTS
from precision.results.ranges import (
    DISTANCE_OCTAVES,
    FINE_STEPS,
    NOISE_PARTS,
    ExponentHistogram,
    GroupDistances,
)

_Doubles = npt.NDArray[np.float64]

_E4M3 = format_named("float8_e4m3fn")
_POINTS_BITS = 9
"""2^9 points stand for the values of an octave; where values have no more mantissa bits, all of them do."""
_MANTISSAS = 2.0 ** ((np.arange(16) + 0.5) / 16)
"""Stand for the largest values of the groups in one octave."""


def scaled_sqnr_db(histogram: ExponentHistogram, fmt: ScaledFormat) -> float | None:
    """Signal to rounding noise where parts of the tensor have scales, if values are spread evenly over each bin.

    -10 log10(largest gain * v + noise gain * sum of share_k v_k), v_k the mean squared error in bin k in units of R^2,
    v that of R itself: with saturation of what a power-of-two scale leaves above the element's largest value, and with
    NVFP4's rounding of the scales. Where R is a power of two, and values have few mantissa bits, v_k is of just those
    that there can be.
    Of groups so small that NVFP4's or e8m0's scales lose precision or vanish, the distances are taken to be those
    of all groups.

    Infinite where all errors are zero. None without non-zero values.

    Raises:
        UnsupportedError: the histogram was made without counting groups.
    """
    if not histogram.largest or not histogram.norm or math.isinf(histogram.norm):
        return None
    groups = _groups(histogram, fmt)
    if histogram.smallest == histogram.largest and not groups.power_of_two:
        return math.inf
    errors = _noise(histogram, groups, fmt)
    shares = np.asarray(groups.noise_shares) / NOISE_PARTS
    largest_gain = groups.largest_gain
    if fmt.scale == "e4m3":  # the tensor's scale is such that its largest value has no error
        largest_gain = max(largest_gain - (histogram.largest / histogram.norm) ** 2, 0.0)
    noise = largest_gain * errors[0] + groups.noise_gain * float(shares @ errors[1 : 1 + shares.size])
    return -10 * math.log10(noise) if noise else math.inf


def scaled_underflow_share(histogram: ExponentHistogram, fmt: ScaledFormat) -> Share:
    """Share of values that round to zero, between two bounds: the counts do not tell where in an octave values are.

    Raises:
        UnsupportedError: the histogram was made without counting groups.
    """
    if not histogram.largest:
        return Share(0.0, 0.0)
    groups = _groups(histogram, fmt)
    usual = _usual_scales(fmt)
    farther = histogram.nonzero - sum(groups.counts)  # below what any element holds
    half_step = 0.5 if isinstance(fmt.element, IntegerGrid) else fmt.element.smallest_subnormal / 2
    surely = farther + sum(n for k, n in enumerate(groups.counts) if 2.0 ** (1 - k) <= half_step * min(usual))
    perhaps = farther + sum(n for k, n in enumerate(groups.counts) if 2.0**-k <= half_step * max(usual))
    vanished = others = 0  # in groups whose scales are too small
    for exponent, count in enumerate(groups.by_largest, groups.first_exponent):
        if (scales := _scales(fmt, exponent, histogram.largest)) != usual:
            vanished += count if not any(scales) else 0
            others += count if any(scales) else 0
    low = max(vanished, surely - others)
    high = min(vanished + others + perhaps, histogram.nonzero)
    return Share(low / histogram.nonzero, high / histogram.nonzero)


def _groups(histogram: ExponentHistogram, fmt: ScaledFormat) -> GroupDistances:
    found = next((each for each in histogram.groups if each.grouping == fmt.grouping), None)
    if found is None:
        raise UnsupportedError(
            f"{fmt.name} has scales for parts of a tensor, and these values were counted without regard to their "
            "neighbours. Count them again, or choose a format without scales."
        )
    return found


def _noise(histogram: ExponentHistogram, groups: GroupDistances, fmt: ScaledFormat) -> _Doubles:
    """v, and v_k of the bins of `noise_shares`, over all groups."""
    used = histogram.mantissa_bits if groups.power_of_two else None
    usual = _usual_scales(fmt)
    last = groups.first_exponent + len(groups.by_largest) - 1
    largest = histogram.largest or 0.0
    if all(_scales(fmt, exponent, largest) == usual for exponent in (groups.first_exponent, last)):
        return _noise_by_bin(fmt, used, usual)
    weights = [math.ldexp(count, 2 * at) for at, count in enumerate(groups.by_largest, 1 - len(groups.by_largest))]
    of_groups = [
        weight * _noise_by_bin(fmt, used, _scales(fmt, exponent, largest))
        for exponent, weight in enumerate(weights, groups.first_exponent)
        if weight
    ]
    return np.sum(of_groups, axis=0) / math.fsum(weights)  # type: ignore[no-any-return]


@functools.lru_cache
def _usual_scales(fmt: ScaledFormat) -> tuple[float, ...]:
    """g, or equally likely ones, of groups whose scales are well inside the range of scales."""
    if fmt.scale == "e8m0":
        return (2.0**-fmt.element_exponent,)
    if fmt.scale == "float32":
        return (1 / fmt.element.max,)
    return tuple((_rounded(_MANTISSAS, _E4M3) / _MANTISSAS / fmt.element.max).tolist())


def _scales(fmt: ScaledFormat, exponent: int, largest: float) -> tuple[float, ...]:
    """g of the groups whose largest values have that exponent; 0 where the scale rounds to zero."""
    if fmt.scale == "e8m0":
        low, high = E8M0_EXPONENTS
        wanted = exponent - fmt.element_exponent
        return (math.ldexp(1.0, min(max(wanted, low), high) - exponent),)
    if fmt.scale == "float32":
        return _usual_scales(fmt)
    in_units = math.ldexp(_E4M3.max / math.frexp(largest)[0], exponent - math.frexp(largest)[1])
    if in_units >= _E4M3.smallest_normal:
        return _usual_scales(fmt)
    asked = in_units * _MANTISSAS
    return tuple((_rounded(asked, _E4M3) / asked / fmt.element.max).tolist())


@functools.lru_cache(maxsize=256)
def _noise_by_bin(fmt: ScaledFormat, used_bits: int | None, scales: tuple[float, ...]) -> _Doubles:
    """v, and v_k of every bin; 0 where a bin can hold no value.

    `used_bits` are the most mantissa bits of |x|/R, None where R is the group's largest value; `scales` are equally
    likely values of g.
    """
    return np.asarray(
        [np.mean([_squared_errors(points, fmt, scale).mean() for scale in scales]) if points.size else 0.0
         for points in _points(used_bits)]
    )  # fmt: skip


def _squared_errors(ratios: _Doubles, fmt: ScaledFormat, scale: float) -> _Doubles:
    if not scale:
        return np.square(ratios)
    return np.square(scale * _rounded(ratios / scale, fmt.element) - ratios)


def _points(used_bits: int | None) -> list[_Doubles]:
    """R itself, and values of |x|/R that stand for those in each bin."""
    bits = _POINTS_BITS if used_bits is None else min(used_bits, _POINTS_BITS)
    middle = 0.5 if bits != used_bits else 0.0
    octave = 1 + (np.arange(2**bits) + middle) / 2**bits
    first = 1 if used_bits is None else 0
    step_of = np.floor((octave - 1) * FINE_STEPS)
    steps = [2.0**-first * octave[step_of == step] for step in reversed(range(FINE_STEPS))]
    return [np.ones(1), *steps, *(2.0**-k * octave for k in range(first + 1, DISTANCE_OCTAVES))]


def _rounded(values: _Doubles, element: NumericFormat | IntegerGrid) -> _Doubles:
    """Positive values to the nearest of `element`, ties to even, saturated."""
    if isinstance(element, IntegerGrid):
        nearest: _Doubles = np.rint(values)
        return np.minimum(nearest, element.max)
    exponents = np.maximum(np.frexp(values)[1] - 1, element.min_exponent) - element.mantissa_bits
    nearest = np.ldexp(np.rint(np.ldexp(values, -exponents)), exponents)
    return np.minimum(nearest, element.max)
