"""A format for each layer, and its predicted cost."""

import math
from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import Field

from precision.results.base import Result
from precision.results.flow import Flow
from precision.results.run import Failure
from precision.results.sensitivity import OutsideLayers
from precision.spec import RunSpec

Resource = Literal["bytes", "time"]


class Totals(Result):
    """The cost of a choice of formats, and its predicted error."""

    squared_error: float | None
    """Mean squared error of the model's output, by `sensitivity.together`. None where a layer has no prediction."""
    is_measured: bool = False
    """Whether that error was measured: where all layers have one format, and that was run."""
    sqnr_db: float | None
    """Of that error; infinite where it is zero."""
    stored_bytes: int
    """Of all weights and buffers, as if every format could be stored; a weight that layers share once."""
    time_s: float | None
    """Of the layers' calls, each timed once and alone, without the operators between them; None where one was not
    measured."""

    def cost(self, resource: Resource) -> float | None:
        """Bytes or seconds; None where the time was not measured."""
        return self.stored_bytes if resource == "bytes" else self.time_s


class PlannedLayer(Result):
    """One layer and its format."""

    fqn: str
    type: str
    format: str
    squared_error: float
    """The error that it adds to the model's output."""
    stored_bytes: int
    """Of its own weights, shared ones included."""
    time_s: float | None
    has_modules_inside: bool = False
    """Whether it stands for its own code, without the modules inside."""


class Uniform(Result):
    """Every layer in one format."""

    dtype: str
    totals: Totals


class CodeLowered(Result):
    """A plan that also lowers the modules' own code that it leaves in the reference's precision: estimated."""

    dtype: str
    """The format of that code."""
    sqnr_db: float | None
    """By `sensitivity.together`, infinite without an error. None where that code has no prediction in the format."""
    stored_bytes: int
    """Of all weights and buffers; modules with own code seldom have any of their own."""


class Plan(Result):
    """A format for each layer."""

    reference: str
    """The format of all else."""
    layers: tuple[PlannedLayer, ...]
    """In the order of the sensitivity's."""
    totals: Totals
    uniform: tuple[Uniform, ...]
    """For comparison: the reference first, then every format of the sensitivity."""
    optimal: bool
    """Whether no other allowed choice is better; else it is the best choice that the search found."""
    most_squared_error: float | None = None
    """The error that was asked for; None of a plan for the least error."""
    outside: tuple[OutsideLayers, ...] = ()
    """The tensors that no layer holds, which no plan changes."""
    code_lowered: CodeLowered | None = None
    """The price of lowering `wide_code` too; None without any, or without a format in which torch computes."""
    flows: Mapping[str, Flow] = Field(default_factory=dict, repr=False)
    """What recorded runs showed in the reference and in each format that torch computes in: what the plan's code needs
    to cast what was cast when the plan ran, and nothing else."""

    @property
    def wide_code(self) -> tuple[str, ...]:
        """The modules with others inside whose own operators the plan leaves in the reference's precision.

        Empty where the plan lowers nothing at all.
        """
        if all(layer.format == self.reference for layer in self.layers):
            return ()
        return tuple(layer.fqn for layer in self.layers if layer.has_modules_inside and layer.format == self.reference)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """fqn and format of each layer: the `plan` of a `RunSpec`."""
        return tuple((layer.fqn, layer.format) for layer in self.layers)


class FrontPoint(Result):
    """A choice of formats that no other choice beats in both error and cost."""

    formats: tuple[str, ...]
    """One for each layer of the sensitivity, in its order."""
    totals: Totals


class Front(Result):
    """The choices of formats between the cheapest and the most exact one."""

    resource: Resource
    points: tuple[FrontPoint, ...]
    """The cheapest first."""


def sqnr_db(mean_square: float, squared_error: float | None) -> float | None:
    """10 log10(mean square / squared error); infinite without an error, None without either."""
    if squared_error is None:
        return None
    if squared_error == 0:
        return math.inf
    return 10 * math.log10(mean_square / squared_error) if mean_square else -math.inf


def sum_of(values: Iterable[float | None]) -> float | None:
    """The sum of all values; None where one is not known."""
    listed: list[float] = []
    for value in values:
        if value is None:
            return None
        listed.append(value)
    return math.fsum(listed)


def root(squared_error: float | None) -> float | None:
    """The root mean squared error; None without an error."""
    return None if squared_error is None else math.sqrt(squared_error)


class Verification(Result):
    """The measurements of a plan, beside its predictions; None where not measured."""

    spec: RunSpec = Field(repr=False)
    predicted_squared_error: float
    measured_squared_error: float | None
    """None where only the candidate has non-finite outputs, or the run failed."""
    predicted_bytes: int
    measured_bytes: int | None
    """By the audit; simulated formats are held in wider ones."""
    estimated_bytes: int | None
    """By the audit, as if simulated formats were stored; None where all are."""
    predicted_time_s: float | None
    """Of the layers alone."""
    measured_time_s: float | None
    """Median of whole passes."""
    reference_time_s: float | None
    """Median of whole passes of the reference."""
    failure: Failure | None
    worst_output: str = ""
    """Of several floating-point outputs, the path of the one with the least SQNR; empty otherwise."""
    worst_sqnr_db: float | None = None
    """Its SQNR."""

    @property
    def ratio(self) -> float | None:
        """Predicted root mean squared error by the measured one; None where that is zero or not measured."""
        measured = self.measured_squared_error
        return math.sqrt(self.predicted_squared_error / measured) if measured else None
