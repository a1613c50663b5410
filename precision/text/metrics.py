"""What every number of a comparison means, how it is measured and judged. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from precision.text.lookup import looked_up


@dataclass(frozen=True, kw_only=True)
class MetricDefinition:
    """One field of `ErrorMetrics`, or one number of what outputs decide: how it is called, measured and judged."""

    name: str
    """The field; of what outputs decide, the property of the result that has it."""
    label: str
    unit: str
    """Empty for plain ratios and scores."""
    definition: str
    """One or a few sentences with the formula and the zero case."""
    higher_is_better: bool | None
    """None where neither direction is good or bad in itself."""
    is_setting: bool
    """Whether it depends on the format and the size of the output alone: how it was compared, not what was found."""


def _metric(
    name: str,
    label: str,
    *,
    unit: str = "",
    definition: str,
    higher_is_better: bool | None = False,
    is_setting: bool = False,
) -> MetricDefinition:
    return MetricDefinition(
        name=name,
        label=label,
        unit=unit,
        definition=definition,
        higher_is_better=higher_is_better,
        is_setting=is_setting,
    )


_OUTPUT = "output's unit"

METRICS: tuple[MetricDefinition, ...] = (
    _metric(
        "mean_abs_error",
        "Mean absolute error",
        unit=_OUTPUT,
        definition="Mean of |e| over the finite pairs, where e = y - r, r is the reference and y the candidate. "
        "Not measured without finite pairs, nor for integer outputs.",
    ),
    _metric(
        "median_abs_error",
        "Median absolute error",
        unit=_OUTPUT,
        definition="Half of all |e| are at most this. With an even number of elements, the mean of the middle two. "
        "Taken from every element up to 1,048,576, beyond that from every k-th; see quantile elements.",
    ),
    _metric(
        "p99_abs_error",
        "99th percentile of the absolute error",
        unit=_OUTPUT,
        definition="99 % of all |e| are at most this, interpolated linearly between neighbouring elements. "
        "Taken from the same elements as the median.",
    ),
    _metric(
        "max_abs_error",
        "Max absolute error",
        unit=_OUTPUT,
        definition="The largest |e| of all finite pairs. Pairs with an infinity or NaN are counted apart.",
    ),
    _metric(
        "rmse",
        "Root mean square error",
        unit=_OUTPUT,
        definition="sqrt(mean of e²) over the finite pairs. Weighs large errors more than the mean does.",
    ),
    _metric(
        "normalized_l2",
        "Normalized L2 error",
        definition="norm(e) / norm(r): the size of the error relative to the size of the reference. "
        "0 where the error is zero; infinite where the reference is zero and the error is not.",
    ),
    _metric(
        "sqnr_db",
        "Signal-to-noise ratio (SQNR)",
        unit="dB",
        definition="20 · log10(norm(r) / norm(e)); the signal is the reference. 20 dB more is an error ten times "
        "smaller; one bit is about 6 dB. +infinity where there is no error; -infinity where the reference is zero "
        "and the error is not.",
        higher_is_better=True,
    ),
    _metric(
        "cosine_similarity",
        "Cosine similarity",
        definition="r·y / (norm(r) · norm(y)): 1 for the same direction, 0 for unrelated ones. "
        "1 where both are zero, 0 where only one is. Blind to a common factor, so read it beside another metric.",
        higher_is_better=True,
    ),
    _metric(
        "mean_relative_error",
        "Mean relative error",
        definition="Mean of |e| / |r| over the finite pairs whose |r| is at least the smallest normal value of the "
        "candidate's format. Smaller references, zero included, are the small-value domain and reported apart.",
    ),
    _metric(
        "max_relative_error",
        "Max relative error",
        definition="The largest |e| / |r| over the finite pairs whose |r| is at least the smallest normal value of "
        "the candidate's format.",
    ),
    _metric(
        "small_value_share",
        "Share of small values",
        definition="Share of the finite pairs whose |r| is below the smallest normal value of the candidate's "
        "format, zeros included. No relative error is taken there.",
        higher_is_better=None,
    ),
    _metric(
        "small_value_mean_abs_error",
        "Mean absolute error of small values",
        unit=_OUTPUT,
        definition="Mean of |e| over the finite pairs whose |r| is below the smallest normal value of the "
        "candidate's format. Not measured where there are none.",
    ),
    _metric(
        "small_value_max_abs_error",
        "Max absolute error of small values",
        unit=_OUTPUT,
        definition="The largest |e| over the finite pairs whose |r| is below the smallest normal value of the "
        "candidate's format. Not measured where there are none.",
    ),
    _metric(
        "mean_ulp_error",
        "Mean error in ULP",
        unit="ULP",
        definition="Mean of |e| / ulp(r), where ulp(r) = 2^(max(floor(log2|r|), smallest exponent) - mantissa bits) "
        "of the candidate's format. Rounding to nearest alone costs at most 0.5. For r = 0 the ULP is that of the "
        "smallest exponent.",
    ),
    _metric(
        "max_ulp_error",
        "Max error in ULP",
        unit="ULP",
        definition="The largest |e| / ulp(r) over the finite pairs; the ULP is that of the candidate's format at r.",
    ),
    _metric(
        "error_balance",
        "Error balance",
        definition="(number of y > r - number of y < r) / number of finite pairs, from -1 to 1. Near 0 the error "
        "looks like noise; far from it the candidate is biased upwards or downwards.",
        higher_is_better=None,
    ),
    _metric(
        "exact_share",
        "Share of equal elements",
        definition="Share of all elements in which candidate and reference are equal. -0 equals 0, NaN equals NaN, "
        "an infinity equals the same infinity. For integer outputs, 1 minus this is the mismatch rate.",
        higher_is_better=True,
    ),
    _metric(
        "within_tolerance_share",
        "Share within tolerance",
        definition="Share of all elements with |e| ≤ atol + rtol · |r|, with the tolerances that torch.testing uses "
        "for the candidate's format. Equal infinities and NaNs count as within. Not measured where torch defines no "
        "tolerance.",
        higher_is_better=True,
    ),
    _metric(
        "relative_tolerance",
        "Relative tolerance (rtol)",
        definition="The rtol that torch.testing.assert_close uses by default for the candidate's format.",
        higher_is_better=None,
        is_setting=True,
    ),
    _metric(
        "absolute_tolerance",
        "Absolute tolerance (atol)",
        unit=_OUTPUT,
        definition="The atol that torch.testing.assert_close uses by default for the candidate's format.",
        higher_is_better=None,
        is_setting=True,
    ),
    _metric(
        "elements",
        "Elements",
        unit="elements",
        definition="Number of elements compared. 0 means that there was nothing to compare, not that nothing differs.",
        higher_is_better=None,
    ),
    _metric(
        "finite_pairs",
        "Finite pairs",
        unit="elements",
        definition="Elements that are finite in both outputs. Means, maxima and quantiles are over these.",
        higher_is_better=None,
    ),
    _metric(
        "ref_nonfinite",
        "Non-finite in the reference",
        unit="elements",
        definition="Elements that are infinite or NaN in the reference.",
    ),
    _metric(
        "cand_nonfinite",
        "Non-finite in the candidate",
        unit="elements",
        definition="Elements that are infinite or NaN in the candidate.",
    ),
    _metric(
        "ref_only_nonfinite",
        "Non-finite in the reference only",
        unit="elements",
        definition="Elements that are infinite or NaN in the reference and finite in the candidate.",
    ),
    _metric(
        "cand_only_nonfinite",
        "Non-finite in the candidate only",
        unit="elements",
        definition="Elements that are infinite or NaN in the candidate and finite in the reference: overflow, or a "
        "NaN that the format brought in.",
    ),
    _metric(
        "both_nonfinite",
        "Non-finite in both",
        unit="elements",
        definition="Elements that are infinite or NaN on both sides, the same or not.",
        higher_is_better=None,
    ),
    _metric(
        "nonfinite_agree",
        "Non-finite and the same",
        unit="elements",
        definition="Elements that are NaN on both sides, or the same infinity.",
        higher_is_better=None,
    ),
    _metric(
        "quantile_elements",
        "Quantile elements",
        unit="elements",
        definition="Number of elements that the median and the 99th percentile were taken from: all finite pairs, or "
        "of an output with more than 1,048,576 elements those among every k-th element.",
        higher_is_better=None,
        is_setting=True,
    ),
)
"""In the order of a table: sizes of the error first, counts last."""

_SOFTMAX = "Probabilities are the softmax of the scores, in float64."

DECISION_METRICS: tuple[MetricDefinition, ...] = (
    _metric(
        "top1_agreement",
        "Top-1 agreement",
        definition="Share of the samples whose class of the largest score is the same in both, with its 95 % interval "
        "(Wilson). Of equal scores the first counts as the largest, in both.",
        higher_is_better=True,
    ),
    _metric(
        "flips",
        "Flips",
        unit="samples",
        definition="Samples whose class of the largest score is another in the candidate.",
    ),
    _metric(
        "mean_kl",
        "Mean KL divergence",
        unit="nats",
        definition="Mean over the samples, plus or minus its standard error, of the sum of p · (ln p - ln q) over the "
        f"classes, where p and q are the probabilities of reference and candidate. 0 where they are equal. {_SOFTMAX}",
    ),
    _metric(
        "p99_kl",
        "99th percentile of the KL divergence",
        unit="nats",
        definition="99 % of the samples have at most this KL divergence.",
    ),
    _metric(
        "mean_delta_p",
        "Mean delta-p",
        definition="Change of the top-1 probability: mean over the samples, plus or minus its standard error, of the "
        "candidate's less the reference's probability of the reference's class of the largest score. Below 0, the "
        f"candidate is less sure. {_SOFTMAX}",
        higher_is_better=None,
    ),
    _metric(
        "candidate_accuracy",
        "Accuracy",
        definition="Share of the samples whose class of the largest score is the true one, in the candidate. Only "
        "measured where the input comes with true classes.",
        higher_is_better=True,
    ),
    _metric(
        "neighbour_agreement",
        "Nearest-neighbour agreement",
        definition="Of an output of one vector a sample: share of the samples whose nearest other sample, by cosine "
        "similarity, is the same in both, with its 95 % interval (Wilson). Not measured of fewer than three samples.",
        higher_is_better=True,
    ),
    _metric(
        "mean_cosine",
        "Mean cosine similarity of samples",
        definition="Mean over the samples of the cosine similarity of the candidate's vector with the reference's.",
        higher_is_better=True,
    ),
)
"""What outputs decide; thresholds take the worst output."""

_BY_NAME = {metric.name: metric for metric in (*METRICS, *DECISION_METRICS)}


def metric_named(name: str) -> MetricDefinition:
    """The definition of that field of `ErrorMetrics`, or of that number of what outputs decide.

    Raises:
        InputError: no such metric; the message names near ones, or all.
    """
    return looked_up(name, _BY_NAME, unknown="Unknown metric")
