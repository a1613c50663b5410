"""The mean of one number a sample, with its standard error, its interval, and percentiles."""

import math

import numpy as np

from precision.measure.metrics.clusters import Ids, Values, standard_error
from precision.results import SampleMean
from precision.results.intervals import Interval, t_95

RESAMPLES = 1000
MAX_UNITS = 4096
"""More samples than this are drawn again in so many groups: the means of groups vary as the samples' mean does."""
_DRAWN_AT_ONCE = 2**19
"""Indices, 4 MiB of int64."""
_SEED = 0
_PERCENTILES = (1, 10, 50, 90, 99)


def sample_mean(values: Values, clusters: Ids | None = None) -> SampleMean | None:
    """Of finite values `(n,)`; None where n is 0. Where they come in clusters, the interval is that of the clusters.

    Percentiles are linearly interpolated between order statistics (Hyndman & Fan 1996, definition 7).
    """
    n = len(values)
    if not n:
        return None
    p1, p10, p50, p90, p99 = (float(value) for value in np.percentile(values, _PERCENTILES))
    mean = float(values.mean())
    if clusters is None:
        error, interval = float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else None, bootstrap_interval(values)
    else:
        error, interval = standard_error(values, clusters), None
        if error is not None:
            reach = t_95(len(np.unique(clusters)) - 1) * error
            interval = Interval(mean - reach, mean + reach)
    return SampleMean(
        samples=n,
        mean=mean,
        standard_error=error,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        minimum=float(values.min()),
        p1=p1,
        p10=p10,
        p50=p50,
        p90=p90,
        p99=p99,
        maximum=float(values.max()),
    )


def bootstrap_interval(values: Values) -> Interval | None:
    """The 95 % percentile interval of the mean of `RESAMPLES` resamples; the same at every call.

    Of `MAX_UNITS` samples or fewer, samples are drawn; of more, groups of neighbouring ones, whose sizes
    differ by one at most. None of a single sample, which has no spread.

    Source: Efron (1979); groups: the "bag of means" of batch means, which keep the variance of the mean.
    """
    n = len(values)
    if n < 2:
        return None
    units = min(n, MAX_UNITS)
    starts = np.arange(units) * n // units
    sums = np.add.reduceat(values, starts)
    sizes = np.diff(np.append(starts, n)).astype(np.float64)
    random = np.random.default_rng(_SEED)
    means = np.empty(RESAMPLES)
    step = max(1, _DRAWN_AT_ONCE // units)
    for first in range(0, RESAMPLES, step):
        drawn = random.integers(units, size=(min(step, RESAMPLES - first), units))
        means[first : first + len(drawn)] = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return Interval(float(low), float(high))
