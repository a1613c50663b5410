"""The results of every analysis: frozen, numbers and words only, JSON both ways, importable without torch.

`None` means not measured. Infinities and NaN are the strings "Infinity", "-Infinity" and "NaN" in JSON,
and read back as the same floats.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from precision.spec import RunSpec


class Result(BaseModel):
    """Base of all results."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


# --- where it ran -------------------------------------------------------------------------------


class DeviceInfo(Result):
    """One device of the machine that computes."""

    id: str
    """`cpu`, `cuda:0`, `mps`, `xpu:0`; on a cluster with the worker's name before it."""
    name: str
    memory_bytes: int | None
    """Total memory of the device."""
    native_formats: tuple[str, ...] = ()
    """Formats in which a matrix product was seen to run there."""


class Environment(Result):
    """What the numbers depend on besides the spec."""

    torch: str
    transformers: str | None
    python: str
    platform: str
    threads: int
    cpu_capability: str


# --- the model and its input --------------------------------------------------------------------

Provenance = Literal["trained", "random"]


class InputChoice(Result):
    """A named input that a model offers."""

    name: str
    description: str
    real: bool
    """False for random values: errors are then indicative only."""
    takes_batch: bool = True
    takes_length: bool = False
    takes_text: bool = False
    default_batch: int | None = None
    default_length: int | None = None
    max_batch: int | None = None
    max_length: int | None = None


class ModelDescription(Result):
    """What a person should know of a model before reading its numbers."""

    id: str
    title: str
    family: str
    """Group in the picker: `Article`, `Trained`, `Hugging Face, small`, `Hugging Face, full size`, `Pretrained`."""
    weights: Provenance
    licence: str
    good_for: str
    """One sentence."""
    parameters: int | None
    """Number of parameter elements, ties once; None until loaded."""
    inputs: tuple[InputChoice, ...]
    """The first is the default."""
    accuracy: str | None = None
    """Of a trained model, with the data it was measured on."""


class InputDescription(Result):
    """The input of one run, in words and shapes."""

    name: str
    real: bool
    tensors: tuple[tuple[str, str, tuple[int, ...]], ...]
    """(name, dtype, shape) of each input tensor."""


# --- the cast -----------------------------------------------------------------------------------

TensorKind = Literal["parameter", "buffer", "non-persistent buffer", "attribute"]


class StoredValues(Result):
    """What a cast did to the values stored in one tensor (counts over its elements)."""

    elements: int
    became_nonfinite: int
    """Finite before, infinite or NaN after (or saturated at the format's maximum: see `saturated`)."""
    saturated: int
    """Beyond the format's range before the cast, stored as its largest finite value."""
    became_zero: int
    """Non-zero before, zero after."""
    became_subnormal: int
    """Non-zero after, in the format's subnormal range, and normal in the format before."""
    nonfinite_before: int
    max_relative_error: float | None
    """max |cast(x) - x| / |x| over elements finite and non-zero before, finite after."""
    rms_relative_error: float | None
    max_absolute_value: float | None
    """Largest finite magnitude before."""


class TensorAudit(Result):
    """One stored tensor before and after the cast."""

    fqn: str
    kind: TensorKind
    shape: tuple[int, ...]
    dtype_before: str
    dtype_after: str
    bytes_before: int
    bytes_after: int
    counted_bytes_before: int
    """Of these, the bytes that no earlier tensor covers: summed over all tensors, the model's total."""
    counted_bytes_after: int
    tied_to: str | None
    """fqn of the first tensor that shares its storage before the cast; its bytes count there."""
    tie_kept: bool | None
    """Whether the tie still holds after the cast; None where there was none."""
    changed: bool
    reason: str
    """Why it changed, or why not."""
    stored: StoredValues | None
    """None where the values were not rounded."""


class ModuleNode(Result):
    """One module of the tree, with the bytes stored directly in it (ties once, children apart)."""

    fqn: str
    """Empty for the root."""
    type: str
    bytes_before: int
    bytes_after: int


class CastAudit(Result):
    """Every tensor a model stores, before and after a cast."""

    tensors: tuple[TensorAudit, ...]
    modules: tuple[ModuleNode, ...]
    bytes_before: int
    """Parameters and buffers, persistent or not, and plain attributes; each storage once."""
    bytes_after: int
    warnings: tuple[str, ...]


# --- the comparison -----------------------------------------------------------------------------


class ErrorMetrics(Result):
    """Errors of a candidate y against a reference r over n finite pairs; see `glossary` for definitions."""

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

    @property
    def nonfinite_differ(self) -> int:
        """Pairs with a NaN or an infinity that are not the same on both sides: no error of theirs is in any metric."""
        return self.ref_only_nonfinite + self.cand_only_nonfinite + self.both_nonfinite - self.nonfinite_agree


class Histogram(Result):
    """Counts of values between edges."""

    edges: tuple[float, ...]
    """Ascending, one more than the counts; empty where there is nothing to count."""
    counts: tuple[int, ...]
    zeros: int = 0
    """Exact zeros, which a log axis cannot show; counted apart on log histograms, 0 on linear ones."""
    log: bool = False


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


class Ecdf(Result):
    """Empirical distribution of the absolute error: `values[i]` is the quantile at `probabilities[i]`."""

    probabilities: tuple[float, ...]
    values: tuple[float, ...]


class ErrorDistributions(Result):
    """Binned where computed; a few kB whatever the size of the output."""

    signed: Histogram
    absolute: Histogram
    ulp: Histogram
    ecdf: Ecdf
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
    """Largest absolute error first; pairs that are not both finite, and not the same, come before all. Pairs
    without error are left out. Of integers, the first that differ."""
    preview: tuple[ElementPair, ...]
    """The first elements, in order."""

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
    """Of merely rounding the reference's output to the candidate's format."""
    repeat_floor: ErrorMetrics
    """Between two runs of the reference."""
    uncompared: tuple[str, ...]
    """Outputs of which the candidate has another shape or kind, or that one side lacks, with the reason."""
    notes: tuple[str, ...]
    """What else is to be known of the outputs' structure; `uncompared` among it."""


# --- cost ---------------------------------------------------------------------------------------


class Timing(Result):
    """Time of one forward pass by `torch.utils.benchmark`, over blocks of equally many runs in a row."""

    median_s: float
    """Of the blocks' times per run."""
    iqr_s: float
    """Interquartile range of the blocks' times per run."""
    blocks: int
    runs: int
    """In all blocks together."""
    threads: int
    warnings: tuple[str, ...]


class Cost(Result):
    """Time of both models, measured in turns in one run."""

    reference_time: Timing
    candidate_time: Timing


# --- one run ------------------------------------------------------------------------------------

ExecutionLabel = Literal["native", "upcast", "simulated", "unsupported"]


class Execution(Result):
    """How the candidate really computed."""

    label: ExecutionLabel
    explanation: str


class Failure(Result):
    """Why a run stopped; what was measured before it is in the same result."""

    stage: str
    where: str | None
    """fqn of the module."""
    message: str


class CompareResult(Result):
    """Everything one comparison measured; later parts are None where it stopped early (see `failure`)."""

    spec: RunSpec
    model: ModelDescription
    input: InputDescription | None
    device: DeviceInfo
    environment: Environment
    execution: Execution
    audit: CastAudit | None
    comparison: Comparison | None
    cost: Cost | None
    failure: Failure | None
    warnings: tuple[str, ...]
    elapsed_s: float

    @property
    def candidate_name(self) -> str:
        """The candidate's format, with the word that its times need where its arithmetic is not real."""
        return f"{self.spec.dtype} (simulated)" if self.execution.label == "simulated" else self.spec.dtype
