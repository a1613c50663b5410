"""What every number of a comparison means, and how it is measured and judged."""

from dataclasses import KW_ONLY, dataclass

from precision.text.lookup import looked_up


@dataclass(frozen=True)
class MetricDefinition:
    """One field of `ErrorMetrics`, or one number about decisions: its name, how it is measured and how it is judged."""

    name: str
    """The field; for numbers about decisions, the property of the result."""
    label: str
    _: KW_ONLY
    unit: str = ""
    """Empty for plain ratios and scores."""
    definition: str
    """One or a few sentences with the formula and the zero case."""
    higher_is_better: bool | None = False
    """None where neither direction is good or bad."""
    is_quantile: bool = False
    """Whether it is taken from a sample where there are many elements."""
    is_setting: bool = False
    """Whether it only depends on the format and size of the output: how it was compared, not what was found."""


_OUTPUT = "output's unit"

METRICS: tuple[MetricDefinition, ...] = (
    MetricDefinition(
        "mean_abs_error", "Mean absolute error", unit=_OUTPUT,
        definition="Mean of |e| over the finite pairs, where e = y - r, r is the reference and y the candidate. "
        "Not measured without finite pairs, nor for integer outputs.",
    ),
    MetricDefinition(
        "median_abs_error", "Median absolute error", unit=_OUTPUT, is_quantile=True,
        definition="Half of all |e| are at most this. With an even number of elements, the mean of the middle two. "
        "Computed from all elements up to 1,048,576; from every k-th element of larger outputs, and then "
        "marked ≈; see quantile elements.",
    ),
    MetricDefinition(
        "p99_abs_error", "99th percentile of the absolute error", unit=_OUTPUT, is_quantile=True,
        definition="99 % of all |e| are at most this, interpolated linearly between neighbouring elements. "
        "Computed from the same elements as the median.",
    ),
    MetricDefinition(
        "max_abs_error", "Max absolute error", unit=_OUTPUT,
        definition="The largest |e| of all finite pairs. Pairs with an infinity or NaN are counted separately.",
    ),
    MetricDefinition(
        "rmse", "Root mean square error", unit=_OUTPUT,
        definition="sqrt(mean of e²) over the finite pairs. Large errors weigh more than in the mean.",
    ),
    MetricDefinition(
        "normalized_l2", "Normalized L2 error",
        definition="norm(e) / norm(r): the size of the error relative to the size of the reference. "
        "0 where the error is zero; infinite where the reference is zero and the error is not.",
    ),
    MetricDefinition(
        "sqnr_db", "Signal-to-noise ratio (SQNR)", unit="dB",
        definition="20 · log10(norm(r) / norm(e)); the signal is the reference. 20 dB more is an error ten times "
        "smaller; one bit is about 6 dB. +infinity where there is no error; -infinity where the reference is zero "
        "and the error is not.",
        higher_is_better=True,
    ),
    MetricDefinition(
        "cosine_similarity", "Cosine similarity",
        definition="r·y / (norm(r) · norm(y)): 1 for the same direction, 0 for unrelated ones. "
        "1 where both are zero, 0 where only one is. It ignores a common factor, so read it with another metric.",
        higher_is_better=True,
    ),
    MetricDefinition(
        "mean_relative_error", "Mean relative error",
        definition="Mean of |e| / |r| over the finite pairs whose |r| is at least the smallest normal value of the "
        "candidate's format. Smaller references, zero included, are the small-value domain, reported separately.",
    ),
    MetricDefinition(
        "max_relative_error", "Max relative error",
        definition="The largest |e| / |r| over the finite pairs whose |r| is at least the smallest normal value of "
        "the candidate's format.",
    ),
    MetricDefinition(
        "small_value_share", "Share of small values",
        definition="Share of the finite pairs whose |r| is below the smallest normal value of the candidate's "
        "format, zeros included. No relative error is computed there.",
        higher_is_better=None,
    ),
    MetricDefinition(
        "small_value_mean_abs_error", "Mean absolute error of small values", unit=_OUTPUT,
        definition="Mean of |e| over the finite pairs whose |r| is below the smallest normal value of the "
        "candidate's format. Not measured where there are none.",
    ),
    MetricDefinition(
        "small_value_max_abs_error", "Max absolute error of small values", unit=_OUTPUT,
        definition="The largest |e| over the finite pairs whose |r| is below the smallest normal value of the "
        "candidate's format. Not measured where there are none.",
    ),
    MetricDefinition(
        "mean_ulp_error", "Mean error in ULP", unit="ULP",
        definition="Mean of |e| / ulp(r), where ulp(r) = 2^(max(floor(log2|r|), smallest exponent) - mantissa bits) "
        "of the candidate's format. Rounding to nearest alone costs at most 0.5. For r = 0 the ULP is that of the "
        "smallest exponent.",
    ),
    MetricDefinition(
        "max_ulp_error", "Max error in ULP", unit="ULP",
        definition="The largest |e| / ulp(r) over the finite pairs; the ULP is that of the candidate's format at r.",
    ),
    MetricDefinition(
        "error_balance", "Error balance",
        definition="(number of y > r - number of y < r) / number of finite pairs, from -1 to 1. Near 0 the error "
        "looks like noise; far from 0 the candidate is biased upwards or downwards.",
        higher_is_better=None,
    ),
    MetricDefinition(
        "mean_signed_error", "Mean signed error", unit=_OUTPUT,
        definition="Mean of e over the finite pairs, positive where the candidate is larger. Far from 0, against its "
        "standard error, the error is systematic. Not measured with fewer than 8 pairs.",
        higher_is_better=None,
    ),
    MetricDefinition(
        "mean_signed_error_se", "Standard error of the mean signed error", unit=_OUTPUT,
        definition="Of one output, over its texts or samples, widened by Student's t; of fewer than eight no less "
        "than with independent elements. Of layers, of one sample and of several outputs together sqrt((mean of e² - "
        "(mean of e)²) / (n - 1)), as if they were independent: often they are not; then it is larger in truth.",
    ),
    MetricDefinition(
        "factor_error", "Systematic factor",
        definition="sum of r·e / sum of r²: by which share all values are too large, or too small where it is "
        "negative. A factor that is rounded once, such as a scale, shows here and not in the mean signed error.",
        higher_is_better=None,
    ),
    MetricDefinition(
        "factor_error_se", "Standard error of the systematic factor",
        definition="As that of the mean signed error; as if elements were independent sqrt((sum of e² / sum of r² - "
        "factor²) / (n - 1)).",
    ),
    MetricDefinition(
        "exact_share", "Share of equal elements",
        definition="Share of all elements in which candidate and reference are equal. -0 equals 0, NaN equals NaN, "
        "an infinity equals the same infinity. For integer outputs, 1 minus this is the mismatch rate.",
        higher_is_better=True,
    ),
    MetricDefinition(
        "within_tolerance_share", "Share within tolerance",
        definition="Share of all elements with |e| ≤ atol + rtol · |r|, with the tolerances that torch.testing uses "
        "for the candidate's format. Equal infinities and NaNs count as within. Not measured where torch defines no "
        "tolerance.",
        higher_is_better=True,
    ),
    MetricDefinition(
        "relative_tolerance", "Relative tolerance (rtol)",
        definition="The rtol that torch.testing.assert_close uses by default for the candidate's format.",
        higher_is_better=None, is_setting=True,
    ),
    MetricDefinition(
        "absolute_tolerance", "Absolute tolerance (atol)", unit=_OUTPUT,
        definition="The atol that torch.testing.assert_close uses by default for the candidate's format.",
        higher_is_better=None, is_setting=True,
    ),
    MetricDefinition(
        "elements", "Elements", unit="elements",
        definition="Number of elements compared. 0 means that there was nothing to compare, not that nothing differs.",
        higher_is_better=None,
    ),
    MetricDefinition(
        "finite_pairs", "Finite pairs", unit="elements",
        definition="Elements that are finite in both outputs. Means, maxima and quantiles are over these.",
        higher_is_better=None,
    ),
    MetricDefinition(
        "ref_nonfinite", "Non-finite in the reference", unit="elements",
        definition="Elements that are infinite or NaN in the reference.",
    ),
    MetricDefinition(
        "cand_nonfinite", "Non-finite in the candidate", unit="elements",
        definition="Elements that are infinite or NaN in the candidate.",
    ),
    MetricDefinition(
        "ref_only_nonfinite", "Non-finite in the reference only", unit="elements",
        definition="Elements that are infinite or NaN in the reference and finite in the candidate.",
    ),
    MetricDefinition(
        "cand_only_nonfinite", "Non-finite in the candidate only", unit="elements",
        definition="Elements that are infinite or NaN in the candidate and finite in the reference: overflow, or a "
        "NaN that the format caused.",
    ),
    MetricDefinition(
        "both_nonfinite", "Non-finite in both", unit="elements",
        definition="Elements that are infinite or NaN on both sides, the same or not.",
        higher_is_better=None,
    ),
    MetricDefinition(
        "nonfinite_agree", "Non-finite and the same", unit="elements",
        definition="Elements that are NaN on both sides, or the same infinity.",
        higher_is_better=None,
    ),
    MetricDefinition(
        "quantile_elements", "Quantile elements", unit="elements",
        definition="Number of elements that the median and the 99th percentile were computed from: all finite pairs; "
        "in an output with more than 1,048,576 elements, the finite pairs among every k-th element.",
        higher_is_better=None, is_setting=True,
    ),
)  # fmt: skip
"""In the order of a table: sizes of the error first, counts last."""

_SOFTMAX = "Probabilities are the softmax of the scores, in float64."

DECISION_METRICS: tuple[MetricDefinition, ...] = (
    MetricDefinition(
        "top1_agreement", "Top-1 agreement",
        definition="Share of the samples whose class (of the largest score) is the same in both models, with its 95 % "
        "interval (Wilson). Of equal scores, the first counts as the largest.",
        higher_is_better=True,
    ),
    MetricDefinition(
        "flips", "Flips", unit="samples",
        definition="Samples whose class (of the largest score) is different in the candidate.",
    ),
    MetricDefinition(
        "mean_kl", "Mean KL divergence", unit="nats",
        definition="Mean over the samples, plus or minus its standard error, of the sum of p · (ln p - ln q) over the "
        f"classes, where p and q are the probabilities of reference and candidate. 0 where they are equal. {_SOFTMAX}",
    ),
    MetricDefinition(
        "p99_kl", "99th percentile of the KL divergence", unit="nats",
        definition="99 % of the samples have at most this KL divergence.",
    ),
    MetricDefinition(
        "mean_delta_p", "Mean delta-p",
        definition="Change of the top-1 probability: the candidate's minus the reference's probability of the "
        "reference's class, as the mean over the samples, plus or minus its standard error. Below 0, the candidate is "
        f"less sure. {_SOFTMAX}",
        higher_is_better=None,
    ),
    MetricDefinition(
        "candidate_accuracy", "Accuracy",
        definition="Share of the samples whose class in the candidate is the true class. Only measured where the input "
        "has true classes.",
        higher_is_better=True,
    ),
    MetricDefinition(
        "crossed", "Values that cross one half", unit="values",
        definition="For outputs of probabilities, each for itself: values that are above one half in one of the two "
        "models and not in the other.",
    ),
    MetricDefinition(
        "neighbour_agreement", "Nearest-neighbour agreement",
        definition="For outputs with one vector per sample: share of the samples whose nearest other sample, by cosine "
        "similarity, is the same in both, with its 95 % interval (Wilson). Not measured for fewer than three samples.",
        higher_is_better=True,
    ),
    MetricDefinition(
        "mean_cosine", "Mean cosine similarity of samples",
        definition="Mean over the samples of the cosine similarity of the candidate's vector with the reference's.",
        higher_is_better=True,
    ),
)  # fmt: skip
"""What outputs decide; a threshold is compared with the worst output."""

_BY_NAME = {metric.name: metric for metric in (*METRICS, *DECISION_METRICS)}
METRIC_NAMES = frozenset(_BY_NAME)


def metric_named(name: str) -> MetricDefinition:
    """The definition of that field of `ErrorMetrics`, or of that number about decisions.

    Raises:
        InputError: no such metric; the message lists similar names, or all.
    """
    return looked_up(name, _BY_NAME, unknown="Unknown metric")
