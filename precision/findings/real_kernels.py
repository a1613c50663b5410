"""How a simulated run compares with real kernels, in words."""

from precision.results import CompareResult, ErrorMetrics
from precision.text.units import count_text, number_text

FLOAT32_SUMS = 1e-5
"""Normalized L2 by which layers may differ only because float32 sums are in a different order; measured: 5e-7."""


def real_kernels_text(result: CompareResult) -> str:
    """How far the simulated outputs are from those of real kernels, beside the candidate's own error.

    Empty for a run that was not checked, for example because its arithmetic is real.
    """
    check = result.real_kernels
    if check is None:
        return ""
    if check.difference is None:
        return " ".join([check.reason or "No real kernel ran.", *check.stayed_simulated])
    own = result.comparison.overall.normalized_l2 if result.comparison else None
    sentences = [
        f"Real kernels: {check.on_kernel} of {count_text(check.linear_layers, 'linear layer')} ran on {check.kernel}, "
        f"{result.device.id}{_layers(check.layer_difference)}.",
        *_difference(check.difference, own),
        *check.stayed_simulated,
    ]
    if check.uncompared_outputs:
        sentences.append(f"Not compared: {count_text(check.uncompared_outputs, 'output')} with different shapes.")
    return " ".join(sentences)


def _layers(difference: float | None) -> str:
    if difference is None:
        return ""
    if not difference:
        return " and gave the simulated results on the same input"
    unlike = ", more than the order of float32 sums explains" if difference > FLOAT32_SUMS else ""
    return f" and differed from the simulated results by at most {number_text(difference)} on the same input{unlike}"


def _difference(metrics: ErrorMetrics, own: float | None) -> list[str]:
    if not metrics.elements:
        return ["There are no outputs to compare."]
    if metrics.exact_share == 1:
        return ["All outputs of the two runs are equal."]
    said = []
    if metrics.nonfinite_differ:
        said.append(f"{count_text(metrics.nonfinite_differ, 'output')} infinite or NaN and not the same on both sides.")
    if metrics.normalized_l2 is None:
        return [*said, f"The outputs of the two runs differ in {_share(metrics)} elements."]
    size = f"The outputs of the two runs differ by {number_text(metrics.normalized_l2)} (normalized L2)"
    scale = f"; the candidate's own error is {number_text(own)}" if own is not None else ""
    return [*said, f"{size}{scale}."]


def _share(metrics: ErrorMetrics) -> str:
    differ = metrics.elements - round((metrics.exact_share or 0.0) * metrics.elements)
    return f"{differ:,} of {metrics.elements:,}"
