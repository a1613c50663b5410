"""How sure a share or a mean is where samples come in clusters, such as the tokens of texts.

Samples of one cluster resemble each other, so that n of them tell less than n independent ones. What clusters add up
to varies as independent sums do: the variance of a share or a mean is taken over clusters, and Student's t over
clusters - 1 degrees replaces the normal distribution.

Source: Cameron and Miller (2015) for the variance over clusters; Korn and Graubard (1998) for the effective number of
samples.
"""

import math

import numpy as np
import numpy.typing as npt

from precision.results.intervals import Z_95, t_95

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ids = npt.NDArray[np.int64]
"""The cluster of each sample, `(n,)`."""


def standard_error(values: Values, clusters: Ids) -> float | None:
    """Of the mean of the values `(n,)`, over clusters; None of fewer than two."""
    _, places, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    count = len(sizes)
    if count < 2:
        return None
    sums = np.bincount(places, weights=values)
    residuals = sums - values.mean() * sizes
    return math.sqrt(count / (count - 1) * float(residuals @ residuals)) / len(values)


def effective_samples(changed: Flags, clusters: Ids) -> float:
    """The number of independent samples whose Wilson interval is as wide as that of these, `(n,)`.

    Where no sample or every sample changed, nothing shows how alike the samples of a cluster are: each cluster then
    counts as one sample. A single cluster is one sample, whatever is in it.
    """
    count, share = len(np.unique(clusters)), float(changed.mean())
    error = standard_error(changed.astype(np.float64), clusters)
    if error is None:
        return 1.0
    alike = share in (0.0, 1.0) or error == 0
    independent = count if alike else share * (1 - share) / error**2
    return max(1.0, min(len(changed), independent) * (Z_95 / t_95(count - 1)) ** 2)
