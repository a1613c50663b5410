"""The values of a model by power of two; `findings.fit.fitness` derives the fit of every format from them."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from precision.formats import Grouping
from precision.results.base import Result
from precision.results.packed import PackedResult
from precision.results.run import RunResult

RangeKind = Literal["parameter", "buffer", "non-persistent buffer", "input", "output"]
"""Where the values are. `input` and `output` are those of a module's calls; the root's are the model's own."""
WEIGHT_KINDS: tuple[RangeKind, ...] = ("parameter", "buffer", "non-persistent buffer")


DISTANCE_OCTAVES = 36
"""Octaves below a group's largest value in which values are counted; smaller ones vanish in every scaled format."""
FINE_STEPS = 4
"""The noise of the first octave, which matters most, is stored in this many equal parts."""
NOISE_PARTS = 10_000
"""The unit of noise shares: one part in this many."""


class GroupDistances(PackedResult):
    """Values by their distance below the largest magnitude A of the group that shares their scale.

    |x|/R tells the distance, where R is what the scale follows: A, or 2^floor(log2 A). An element is rounded with an
    error of R times a number that depends on |x|/R and the format only. So the counts by distance tell what vanishes,
    and the sums of R^2 by distance tell the noise.
    """

    block_size: int | None
    """Consecutive values that share a scale; None: all along the dimension that shares scales."""
    power_of_two: bool
    """Whether R is the power of two at or below A, or A itself."""
    first_exponent: int
    """floor(log2 A) of the values in `by_largest[0]`. Subnormal A count as of the exponent below the normal ones."""
    by_largest: tuple[int, ...]
    """Non-zero finite values by floor(log2 A) of their group."""
    counts: tuple[int, ...]
    """Non-zero finite values with |x|/R in [2^-k, 2^(1-k)), k = 0, 1, ...; what is missing is farther."""
    largest_gain: float
    """Where R is A: sum of R^2 over the values equal to it, over the sum of squares of all: the ratio of noise to
    signal were their errors as large as R. To six digits, as the next."""
    noise_gain: float
    """The same of all others."""
    noise_shares: tuple[int, ...]
    """How that is made up, by |x|/R, in `NOISE_PARTS`: the octave of the largest, from 2 down to 1 or where R is A
    from 1 down to 1/2, in `FINE_STEPS` equal parts; then octaves, as long as they matter."""

    @property
    def grouping(self) -> Grouping:
        """Of which formats it tells."""
        return Grouping(self.block_size, self.power_of_two)


class ExponentHistogram(PackedResult):
    """Values counted by floor(log2|x|), the binade; zeros, infinities and NaNs apart.

    Elements are zeros + infinite + nan + the sum of `counts`.
    """

    elements: int
    zeros: int
    infinite: int
    nan: int
    first_exponent: int
    """floor(log2|x|) of the values in `counts[0]`; 0 where there are none."""
    counts: tuple[int, ...]
    """Of the finite non-zero values, one for each exponent from the first that occurs to the last."""
    largest: float | None
    """Largest finite magnitude; None where no value is finite and non-zero, as are the next two."""
    smallest: float | None
    """Smallest non-zero magnitude."""
    norm: float | None
    """Root of the sum of squares of the finite values."""
    mantissa_bits: int
    """Mantissa bits after the leading one that no value goes beyond: 0 where all are powers of two, 10 where
    float16 rounds none of their mantissas."""
    groups: tuple[GroupDistances, ...] = ()
    """For each of `precision.formats.GROUPINGS`; none where no value is finite and non-zero, or not measured."""

    @property
    def nonzero(self) -> int:
        """How many values are finite and not zero."""
        return sum(self.counts)

    @property
    def last_exponent(self) -> int:
        """floor(log2|x|) of the largest values; one below the first where there are none."""
        return self.first_exponent + len(self.counts) - 1


class TensorRange(PackedResult):
    """The values of one stored tensor, or of one input or output of a module over all of its calls."""

    module: str
    """fqn of the module; empty for the root."""
    module_type: str
    kind: RangeKind
    name: str
    """Of a stored tensor its fqn; of an input or output its place in it, such as `input[0]` or `output`."""
    dtype: str
    """In the reference run."""
    calls: int
    """Number of calls of the module with these values; 0 for a stored tensor."""
    histogram: int
    """Place in `Ranges.histograms`; equal histograms are stored once."""

    @property
    def label(self) -> str:
        """A name that no other row has."""
        if self.kind in WEIGHT_KINDS:
            return self.name
        return f"{self.module} {self.name}" if self.module else self.name


class ModuleRanges(NamedTuple):
    """The rows of one module: its own weights, its inputs and outputs."""

    module: str
    module_type: str
    tensors: tuple[TensorRange, ...]

    @property
    def label(self) -> str:
        """fqn of the module, or words for the root."""
        return self.module or "the model itself"


def by_module(tensors: Sequence[TensorRange]) -> tuple[ModuleRanges, ...]:
    """`tensors` gathered by module, in the order of the calls, parents first.

    A module that never ran comes after the one before it in the model.
    """
    gathered: dict[str, list[TensorRange]] = {}
    for tensor in tensors:
        gathered.setdefault(tensor.module, []).append(tensor)
    order = list(dict.fromkeys(tensor.module for tensor in tensors if tensor.kind not in WEIGHT_KINDS))
    place = 0
    for module in gathered:  # those with weights come first, in the model's order
        if module not in order:
            order.insert(place, module)
        place = order.index(module) + 1
    parents_first = dict.fromkeys(parent for module in order for parent in _path(module) if parent in gathered)
    return tuple(
        ModuleRanges(module, gathered[module][0].module_type, tuple(gathered[module])) for module in parents_first
    )


def _path(module: str) -> list[str]:
    """The module and those that it is in, the root first.

    >>> _path("encoder.0")
    ['', 'encoder', 'encoder.0']
    """
    parts = module.split(".") if module else []
    return [".".join(parts[:depth]) for depth in range(len(parts) + 1)]


class Ranges(Result):
    """Every weight, input and output of one reference pass."""

    tensors: tuple[TensorRange, ...]
    """Stored tensors as in `named_modules()`, then inputs and outputs in the order of the calls."""
    histograms: tuple[ExponentHistogram, ...]
    not_called: tuple[str, ...]
    """fqns of modules without submodules whose forward was never seen to run; TorchScript cannot be watched."""

    def histogram_of(self, tensor: TensorRange) -> ExponentHistogram:
        """The values of one row."""
        return self.histograms[tensor.histogram]

    def histograms_of(self, tensors: Sequence[TensorRange]) -> tuple[ExponentHistogram, ...]:
        """The values of several rows."""
        return tuple(self.histograms[tensor.histogram] for tensor in tensors)


class RangesResult(RunResult):
    """One reference pass, by exponent. It does not depend on the spec's format: every format is judged from it."""

    ranges: Ranges | None
    """None where not even the weights could be read."""
