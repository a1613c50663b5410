"""Two models side by side: every module call, and every operator in it.

Small even for large models: rows are arrays in JSON (`PackedResult`), floats have six significant digits, and values
that thousands of rows share are stored once.
"""

import math

from precision.formats import FORMATS
from precision.results.base import Result
from precision.results.origins import NonfiniteOrigin, Side
from precision.results.packed import PackedResult
from precision.results.remedies import Remedies
from precision.results.run import RunResult

NOTABLE = 0.1
"""A smaller share of neighbours that became equal is chance."""


class TensorPair(PackedResult):
    """One input or output tensor of a module, on both sides."""

    path: str
    """Its place, such as `output`, `[0]` or `hidden_states[3]`."""
    shape: tuple[int, ...]
    reference_dtype: str
    candidate_dtype: str


class LayerErrors(PackedResult):
    """The propagated error f~(x~) - f(x) of one call, over all its floating-point outputs together.

    Fields are those of `ErrorMetrics`, defined in `precision.text.metrics`; medians can be read off the histogram.
    """

    elements: int
    ref_only_nonfinite: int
    cand_only_nonfinite: int
    both_nonfinite: int
    nonfinite_agree: int
    """Both NaN, or the same infinity."""
    exact_share: float | None
    mean_abs_error: float | None = None
    max_abs_error: float | None = None
    rmse: float | None = None
    normalized_l2: float | None = None
    sqnr_db: float | None = None
    cosine_similarity: float | None = None
    mean_relative_error: float | None = None
    max_relative_error: float | None = None
    small_value_share: float | None = None
    mean_ulp_error: float | None = None
    max_ulp_error: float | None = None
    error_balance: float | None = None
    within_tolerance_share: float | None = None
    mean_signed_error: float | None = None
    mean_signed_error_se: float | None = None
    factor_error: float | None = None
    factor_error_se: float | None = None

    @property
    def finite_pairs(self) -> int:
        """Elements that are finite on both sides: those that have an error."""
        return self.elements - self.ref_only_nonfinite - self.cand_only_nonfinite - self.both_nonfinite

    @property
    def nonfinite_differ(self) -> int:
        """Pairs with a NaN or an infinity that are not the same on both sides."""
        return self.ref_only_nonfinite + self.cand_only_nonfinite + self.both_nonfinite - self.nonfinite_agree

    @property
    def is_exact(self) -> bool:
        """Whether every element is the same on both sides; False for an output without elements."""
        return self.exact_share == 1


class ErrorOctaves(PackedResult):
    """How many finite pairs have an absolute error in [2^k, 2^(k+1))."""

    first: int
    """k of the first count."""
    counts: tuple[int, ...]
    zeros: int
    """Exact pairs."""
    below: int = 0
    """Errors smaller than the first octave shown, and not zero."""

    @property
    def edges(self) -> tuple[float, ...]:
        """Values between which the counts lie, one more than counts."""
        return tuple(
            2.0 ** (self.first + i) if self.first + i < 1024 else math.inf for i in range(len(self.counts) + 1)
        )


class WorstElement(PackedResult):
    """An element with one of the largest absolute errors of its call; non-finite pairs come first."""

    path: str
    """Path of its output tensor."""
    index: tuple[int, ...]
    reference: float
    """To nine digits, enough for every float32 value."""
    candidate: float
    abs_error: float | None
    """None where either side is not finite."""


class ErrorSize(PackedResult):
    """How large one kind of error is, over the elements that are finite in every corner."""

    rmse: float
    normalized_l2: float
    """Against the reference's output."""
    max_abs_error: float


class Corners(PackedResult):
    """The parts of a layer's error: f and f~ are the layer on both sides, x and x~ its inputs on both sides.

    propagated = local + inherited + interaction, element by element.
    """

    local: ErrorSize
    """f~(x) - f(x): the layer in low precision on the reference's own input, cast as the candidate casts inputs."""
    inherited: ErrorSize
    """f(x~) - f(x): the exact layer on the candidate's input."""
    interaction: ErrorSize
    propagated: ErrorSize
    gain: float | None
    """How much the layer amplifies the relative error of its input; None where that is zero or there is none, and of a
    module's own code: what it is handed has many scales, and comes at many times."""
    input_normalized_l2: float | None
    """norm(x~ - x) / norm(x) over the floating-point inputs."""
    excluded_elements: int
    """Elements that are not finite in one of the corners; they are not in the numbers here."""
    weights_only: ErrorSize | None = None
    """The reference's arithmetic with the candidate's weights, on x. None without weights or where it fails."""
    activations_only: ErrorSize | None = None
    """The reference's layer on x rounded to the dtype (or format) of the candidate's input."""


class LayerRow(PackedResult):
    """One call of one module, in both models. Rows are in the order in which the calls began."""

    fqn: str
    """Empty for the model itself."""
    call: int
    """1 for the first call of this module."""
    type: str
    depth: int
    parent: int | None
    """Row of the call that made this call."""
    is_leaf: bool
    """Whether the module has no submodules."""
    finished: int | None
    """Place in the order in which calls returned; None for a call that had not returned when the run stopped."""
    inputs: tuple[TensorPair, ...] = ()
    outputs: tuple[TensorPair, ...] = ()
    errors: LayerErrors | None = None
    """None where no floating-point output could be compared, and where `same_as` is set."""
    same_as: int | None = None
    """Row that returned the same tensors before: its numbers are also those of this call."""
    octaves: ErrorOctaves | None = None
    worst: tuple[WorstElement, ...] = ()
    corners: Corners | None = None
    corners_missing: str = ""
    """Why a requested decomposition is missing."""
    integers_differ: int = 0
    """Elements of integer and boolean outputs that differ."""
    uncompared: tuple[str, ...] = ()
    """Outputs that could not be compared, with the reason."""
    integers: int = 0
    """Elements of integer and boolean outputs that were compared."""
    clipped: int = 0
    """Elements of the candidate's outputs beyond the end of a format that saturates, counted before they were rounded
    to it."""
    own_code: Corners | None = None
    """Of a module that calls others: the errors of what its own code makes, given the same by the modules inside.
    None without code that computes."""
    own_code_missing: str = ""
    """Why these are missing."""

    @property
    def has_own_code(self) -> bool:
        """Whether it calls other modules, and its own code computes too."""
        return self.own_code is not None or bool(self.own_code_missing)

    @property
    def own(self) -> Corners | None:
        """The errors of the whole module where it calls no others, else those of its own code."""
        return self.corners or self.own_code


SCALAR = " scalar"
"""Marks a tensor without dimensions, which does not promote other tensors."""
FLOAT_BITS = {fmt.name: fmt.bits for fmt in FORMATS if fmt.computes}


class OperatorDtypes(PackedResult):
    """The dtypes of one side's operator: inputs, computation and output."""

    inputs: tuple[str, ...]
    """dtypes of its tensor arguments, in order; a tensor without dimensions has `SCALAR` after its dtype."""
    computed: tuple[str, ...]
    """Floating-point dtypes that its kernels computed in, after promotion and autocast; a kernel may accumulate in a
    wider one. Empty where values were only moved, converted or created."""
    output: str
    """dtype of its first tensor output."""

    @property
    def is_promoted(self) -> bool:
        """Whether an input was widened implicitly, because another input was wider, or by autocast."""
        widest = max((FLOAT_BITS.get(name, 0) for name in self.computed), default=0)
        return any(0 < FLOAT_BITS.get(name, 0) < widest for name in self.inputs)

    @property
    def is_lowered(self) -> bool:
        """Whether an input was narrowed to compute in fewer bits; only autocast does that."""
        widest = max((FLOAT_BITS.get(name, 0) for name in self.computed), default=64)
        return any(FLOAT_BITS.get(name, 0) > widest for name in self.inputs)


class OperatorErrors(PackedResult):
    """Errors of one operator's outputs, as in `LayerErrors`."""

    elements: int
    ref_only_nonfinite: int
    cand_only_nonfinite: int
    rmse: float | None
    normalized_l2: float | None
    max_abs_error: float | None
    exact_share: float | None
    factor_error: float | None = None
    factor_error_se: float | None = None


UNKNOWN = "?"
Source = int | str
"""Place of an operator in `LayersReport.operators`, or the name of an input; `UNKNOWN` where neither is known."""


class OutputSource(PackedResult):
    """One output tensor of the model, and the operators and inputs whose values are in it."""

    path: str
    sources: tuple[Source, ...]


class OperatorRow(PackedResult):
    """One operator call inside one module call; in the order in which they ran."""

    row: int
    """Row of the innermost module call that it ran in."""
    name: str
    """As the code calls it, such as `linear`, `softmax`, `add`."""
    shape: tuple[int, ...]
    """Of its first tensor output."""
    reference_dtypes: int | None
    """Place in `LayersReport.operator_dtypes`; None where only the candidate ran it."""
    candidate_dtypes: int | None
    """None where only the reference ran it."""
    errors: OperatorErrors | None = None
    """None for integers, for operators of only one side, and where values were freed before they could be compared."""
    integers: int = 0
    """Elements of integer and boolean outputs that were compared."""
    integers_differ: int = 0
    input_made_by: str = ""
    """What made the first input of integers that differ."""
    remark: str = ""
    """Why it was not compared."""
    became_equal: int = 0
    """Neighbouring values (or rows) along one dimension that differ in the reference and are equal in the candidate."""
    neighbours: int = 0
    """Those that differ in the reference, along that dimension."""
    beyond: int = 0
    """Elements of the reference beyond the end of the format to which the simulation rounds modules' outputs."""
    sources: tuple[Source, ...] = ()
    """Where what it was given comes from, in the candidate if that ran it; without what the model stores."""

    @property
    def only(self) -> Side | None:
        """The only side that ran it; None where both did."""
        if self.reference_dtypes is None:
            return "candidate"
        return "reference" if self.candidate_dtypes is None else None


class Divergence(Result):
    """Where the two models took different paths."""

    fqn: str
    """Module in whose call the paths differ."""
    call: int
    reference_next: str | None
    """What the reference's code called or left next; None where it stopped."""
    candidate_next: str | None
    reference_skipped: tuple[str, ...]
    """Modules that only the reference called from there (the first few)."""
    candidate_skipped: tuple[str, ...]
    resumed: bool
    """Whether both returned from that call, so that later calls were compared."""


class Stopped(Result):
    """Why one side could not continue; everything before it is in the report."""

    side: Side | None
    """None where the run as a whole ended."""
    fqn: str | None
    """Module that it happened in; None where no module had begun."""
    operator: str | None
    """Operator that raised, where it is known."""
    message: str
    mixed: tuple[str, ...] = ()
    """The operator's tensors whose dtype differs from the others, each with its place and dtype."""
    keep: str | None = None
    """Module that, kept in the reference's precision, may avoid it."""
    made_in: str | None = None
    """Module whose code first gave the tensor of the other dtype that dtype."""


class ObserverCheck(Result):
    """Whether a run without any hook gives, bit for bit, the outputs of the observed one."""

    reference_equal: bool
    candidate_equal: bool

    @property
    def changed(self) -> bool:
        """Whether observing changed anything."""
        return not (self.reference_equal and self.candidate_equal)


class LayersReport(Result):
    """Both models, call by call."""

    rows: tuple[LayerRow, ...]
    operators: tuple[OperatorRow, ...]
    """Empty unless operators were recorded."""
    operator_dtypes: tuple[OperatorDtypes, ...]
    origins: tuple[NonfiniteOrigin, ...]
    """The first of those that reach an output or spoil a value, masks last; empty where there are none."""
    divergences: tuple[Divergence, ...]
    not_called: tuple[str, ...]
    """Modules whose forward neither side called: unused, or part of a fused kernel."""
    stopped: Stopped | None
    observer: ObserverCheck | None
    """None where it was not checked."""
    watched_operators: bool
    decomposed: bool
    calls: int
    """Module calls compared; more than rows where there are too many to keep."""
    compared_elements: int
    """Over all calls whose tensors were read; the sum of the rows' elements where all rows are kept."""
    operator_calls: int
    notes: tuple[str, ...]
    reference_origin: NonfiniteOrigin | None = None
    """Where the reference's own NaN or infinity comes from; None where its outputs are finite."""
    output_sources: tuple[OutputSource, ...] = ()
    """Of the candidate; empty unless operators were recorded and the run came to its end."""
    masked_elements: int = 0
    """Of the model's outputs: -inf by which both sides mask classes, which is no alarm."""

    @property
    def first_other_choice(self) -> OperatorRow | None:
        """The first operator whose integer or boolean results differ; None without any."""
        return next((operator for operator in self.operators if operator.integers_differ), None)

    @property
    def first_merger(self) -> OperatorRow | None:
        """The first operator that makes a notable share of neighbours equal; None without any."""
        return next(
            (each for each in self.operators if each.became_equal and each.became_equal >= NOTABLE * each.neighbours),
            None,
        )

    @property
    def first_clipped(self) -> LayerRow | None:
        """The first module call whose outputs were clipped; None without any."""
        return next((row for row in self.rows if row.clipped), None)

    @property
    def first_beyond(self) -> OperatorRow | None:
        """The first operator with results beyond the end, in a call of unclipped outputs; None without any."""
        return next((each for each in self.operators if each.beyond and not self.rows[each.row].clipped), None)

    def dtypes_of(self, operator: OperatorRow) -> OperatorDtypes | None:
        """The dtypes of an operator: the candidate's, or the reference's where only the reference ran it."""
        place = operator.reference_dtypes if operator.candidate_dtypes is None else operator.candidate_dtypes
        return None if place is None else self.operator_dtypes[place]

    def errors_of(self, row: int) -> LayerErrors | None:
        """The errors of a row, or of the row that returned the same tensors."""
        found = self.rows[row]
        return found.errors if found.same_as is None else self.rows[found.same_as].errors

    @property
    def is_exact(self) -> bool:
        """Whether everything was compared, and every element is the same on both sides."""
        compared = [self.errors_of(at) for at, row in enumerate(self.rows) if row.outputs]
        return (
            self.stopped is None
            and bool(compared)
            and all(errors is not None and errors.is_exact for errors in compared)
            and not any(row.integers_differ or row.uncompared for row in self.rows)
        )


class LayersResult(RunResult):
    """One comparison layer by layer."""

    remedies: Remedies | None = None
    """What was tried where an output is broken; None where none is."""

    report: LayersReport | None
    """None where the run stopped before both models ran."""
