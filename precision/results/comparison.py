"""Reference against candidate: errors of outputs."""

import math
from typing import Literal

from precision.results.base import Result
from precision.results.decisions import Decisions
from precision.spec.output_kinds import OutputKind

Word = Literal["exact", "kept", "close", "uncertain", "not attributable", "not measured", "changed", "broken"]
"""What became of what matters to an output, the best word first; comparable between formats."""
AgainstRounding = Literal["exact", "finer than the reference", "rounding only", "amplified"]
"""How an error compares with that of only rounding the outputs to the format; not comparable between formats."""


NoiseDrawn = Literal["none", "shared", "not shared"]
"""Random numbers that the forward draws: none; the same in both models; or numbers that differ."""


class ErrorMetrics(Result):
    """Errors of a candidate y against a reference r over n finite pairs; `precision.text.metrics` defines each."""

    elements: int
    finite_pairs: int
    ref_nonfinite: int
    cand_nonfinite: int
    ref_only_nonfinite: int
    cand_only_nonfinite: int
    both_nonfinite: int
    nonfinite_agree: int
    """Both NaN, or the same infinity."""
    mean_abs_error: float | None
    median_abs_error: float | None
    p99_abs_error: float | None
    max_abs_error: float | None
    max_abs_error_index: tuple[int, ...] | None
    quantile_elements: int
    """How many elements the median and the 99th percentile were taken from."""
    rmse: float | None
    normalized_l2: float | None
    sqnr_db: float | None
    cosine_similarity: float | None
    mean_relative_error: float | None
    max_relative_error: float | None
    small_value_share: float | None
    """Share of the finite pairs with |r| below the format's smallest normal."""
    small_value_mean_abs_error: float | None
    small_value_max_abs_error: float | None
    mean_ulp_error: float | None
    max_ulp_error: float | None
    error_balance: float | None
    exact_share: float | None
    """Of all elements; equal non-finite values count as equal."""
    within_tolerance_share: float | None
    """Of all elements; equal non-finite values count as within."""
    relative_tolerance: float | None
    absolute_tolerance: float | None
    mean_signed_error: float | None = None
    mean_signed_error_se: float | None = None
    factor_error: float | None = None
    factor_error_se: float | None = None

    @property
    def nonfinite_differ(self) -> int:
        """Pairs with a NaN or an infinity that differ between the two sides: no metric includes them."""
        return self.ref_only_nonfinite + self.cand_only_nonfinite + self.both_nonfinite - self.nonfinite_agree


class Histogram(Result):
    """Counts of values between edges."""

    edges: tuple[float, ...]
    """Ascending, one more than the counts; empty where there is nothing to count."""
    counts: tuple[int, ...]
    zeros: int = 0
    """Exact zeros, which a log axis cannot show; counted separately in log histograms, 0 in linear ones."""
    log: bool = False
    below: int = 0
    """Non-zero elements under the first edge: at most one in a thousand, or one in a hundred that is far lower."""


class Histogram2D(Result):
    """Counts of (|reference|, |error|) pairs on two log axes."""

    x_edges: tuple[float, ...]
    y_edges: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]
    """Row per y bin, column per x bin."""
    zero_error: tuple[int, ...]
    """Per x bin: pairs whose error is exactly zero."""
    zero_reference: int
    """Pairs whose reference is zero."""
    below: int = 0
    """Other pairs left of the first x edge, or whose error is under the first y edge and not zero."""


class ErrorDistributions(Result):
    """Binned where they are computed; a few kB for an output of any size."""

    signed: Histogram
    absolute: Histogram
    ulp: Histogram
    error_by_magnitude: Histogram2D


class ElementPair(Result):
    """One element of both outputs."""

    output: str
    index: tuple[int, ...]
    reference: int | float
    """Exact: an integer or boolean output's as an integer, any other's as a float."""
    candidate: int | float
    abs_error: float | None
    """None where either side is not finite, and for integers and booleans."""
    ulp_error: float | None


class Float64Truth(Result):
    """The errors of both models against one more run in float64; all None where it did not run."""

    reference: ErrorMetrics | None
    """The reference's own error."""
    candidate: ErrorMetrics | None
    reason: str | None
    """Why there is no float64 run; None where there is one."""

    @property
    def own_share(self) -> float | None:
        """RMSE of the reference / RMSE of the candidate, both against float64: infinite where only the candidate's is
        zero. None where one is not measured or both are zero.
        """
        reference, candidate = (None if side is None else side.rmse for side in (self.reference, self.candidate))
        if reference is None or candidate is None or reference == candidate == 0:
            return None
        return reference / candidate if candidate else math.inf


class OutputComparison(Result):
    """One tensor of the output structure."""

    path: str
    """Its place, such as `logits`, `[0]` or `hidden_states[3]`."""
    shape: tuple[int, ...]
    reference_dtype: str
    candidate_dtype: str
    metrics: ErrorMetrics
    distributions: ErrorDistributions | None
    """None for integer and empty tensors."""
    worst: tuple[ElementPair, ...]
    """Largest absolute error first; before them, pairs that differ and are not both finite. Pairs without error
    are left out. For integers, the first that differ."""
    preview: tuple[ElementPair, ...]
    """The first elements, in order."""
    decisions: Decisions | None = None
    """None where it is not known what the output decides."""
    kind: OutputKind = OutputKind.OTHER
    kind_reason: str = ""
    """Why it was taken for that, in a sentence."""
    rounding_floor: ErrorMetrics | None = None
    """Of only rounding the reference's output to the candidate's format; None for integer outputs."""
    rounding_floor_absolute: Histogram | None = None
    """The absolute errors of that."""
    repeat_floor: ErrorMetrics | None = None
    """Between two runs of the reference; None where there was one run. Integer outputs have a share of equal elements
    only."""
    truth: Float64Truth | None = None
    """Both against float64; None where it did not run, and for integer outputs."""

    @property
    def differs_as_integer(self) -> int:
        """Elements of an integer or boolean output that differ; 0 for any other."""
        if not self.reference_dtype.startswith(("int", "uint", "bool")) or self.metrics.exact_share is None:
            return 0
        return self.metrics.elements - round(self.metrics.exact_share * self.metrics.elements)


class Comparison(Result):
    """Reference against candidate, every output tensor."""

    outputs: tuple[OutputComparison, ...]
    overall: ErrorMetrics
    """Over all floating-point outputs together (all outputs, where none is floating)."""
    rounding_floor: ErrorMetrics
    """Of only rounding the reference's output to the candidate's format."""
    repeat_floor: ErrorMetrics
    """Between two runs of the reference."""
    uncompared: tuple[str, ...]
    """Outputs that one side does not have, or that have different shapes or kinds, with the reason."""
    notes: tuple[str, ...]
    """Notes on the structure of the outputs, including `uncompared`."""
    truth: Float64Truth | None = None
    """None in results of analyses that do not need it."""
    noise: NoiseDrawn = "none"


class RealKernelCheck(Result):
    """A simulated candidate run once more, with its linear layers on a real kernel."""

    kernel: str | None
    """Its name in torch; None where there is none."""
    on_kernel: int
    """Linear layers whose products it all computed."""
    linear_layers: int
    """Linear layers that are cast."""
    stayed_simulated: tuple[str, ...]
    """Why the other layers did not run on it, in sentences."""
    layer_difference: float | None
    """The largest normalized L2 of a layer's output on the kernel against its simulated one, on the same input."""
    difference: ErrorMetrics | None
    """The model's outputs on the kernel against the simulated ones as the reference; None where nothing ran on it."""
    uncompared_outputs: int
    """Outputs that only one run has, or whose shapes differ."""
    reason: str | None
    """Why nothing was compared; None where it was."""


class RoundingVerdict(Result):
    """How an error compares with rounding: one word, a sentence about this run, and the rule behind it."""

    word: AgainstRounding
    sentence: str
    rule: str


class Verdict(Result):
    """What became of what matters to the worst output: one word, a sentence about this run, and the rule behind it."""

    word: Word
    sentence: str
    rule: str
    output: str = ""
    """The path of the output that decides; empty where there is only one, or none."""
    against_rounding: RoundingVerdict | None = None
    """Of that output; None where its error has no size."""
