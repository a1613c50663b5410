"""How much every layer adds to the model's error in every format."""

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from precision.results.base import Result
from precision.results.flow import Flow
from precision.results.run import RunResult


class Contribution(Result):
    """One layer in one format."""

    squared_error: float | None
    """Mean squared error that it adds to the model's output: predicted, or measured in an exact sweep. None where the
    layer's own output is not finite in this format, or the layer has no kernel for it."""
    standard_error: float | None
    """Of `squared_error`, from the spread of the probes; None for fewer than two."""
    handed_squared_error: float | None = None
    """The same where its inputs from other layers are already in the format, so that their rounding is not counted
    twice. None where `squared_error` is None; equal to it in formats with scales, whose layers do not round outputs."""
    nonfinite: int
    """Elements of the layer's output that are infinite or NaN in this format and finite in the reference."""
    stored_bytes: int
    """Of the layer's own weights in this format, scales included."""
    time_s: float | None
    """Of the layer's calls in this format, each timed alone and once (below 2 ms, the faster of two): another run may
    differ by a factor of several; None where not native or not measured."""
    exact_squared_error: float | None
    """Measured by lowering this layer alone; None where not measured."""
    is_doubted: bool = False
    """Whether first-order theory is not to be trusted here, so that a prediction that was not measured is doubtful."""
    all_but_squared_error: float | None = None
    """Measured by lowering every layer except this one; None where not measured."""

    def best_squared_error(self, *, handed: float = 0.0) -> float | None:
        """The measured error, else the predicted one, where this share of the inputs is in the format already."""
        alone = self.squared_error
        if alone is None:
            return None
        with_handed = alone if self.handed_squared_error is None else self.handed_squared_error
        predicted = alone + handed * (with_handed - alone)
        if self.exact_squared_error is None:
            return predicted
        return self.exact_squared_error * (predicted / alone if alone and not self.is_doubted else 1.0)


class LayerSensitivity(Result):
    """One called module without submodules, or the own code of one with some, and what every format does to it."""

    fqn: str
    type: str
    block: str
    """fqn of the repeated block that contains it; empty without one."""
    is_norm: bool
    has_modules_inside: bool = False
    """Whether it stands for its own code and weights, without the modules inside; the model itself, "", also for its
    inputs and outputs."""
    calls: int
    elements: int
    """Of its own weights: parameters and floating-point buffers."""
    reference_bytes: int
    """Of all of its own tensors in the reference."""
    reference_time_s: float | None
    """Of its calls in one pass; None where not measured."""
    tied_to: tuple[str, ...]
    """fqns of the other layers that share a weight with it."""
    takes_from: tuple[str, ...] = ()
    """fqns of the layers whose unchanged outputs are its inputs."""
    passes_on: bool = False
    """Whether its output only has values of its input and zeros, like that of a ReLU."""
    contributions: tuple[Contribution, ...]
    """One for each format of the report, in that order."""


class UniformCheck(Result):
    """Every layer in one format: what the contributions predict, and what runs measure."""

    dtype: str
    predicted_squared_error: float | None
    """None where a layer has no prediction."""
    measured_squared_error: float | None
    """Of the cast itself, as `compare` runs it; None where the output is not finite, or the model does not run."""

    @property
    def ratio(self) -> float | None:
        """Predicted RMSE by the measured one; None where one is not known, or the measured one is zero."""
        predicted, measured = self.predicted_squared_error, self.measured_squared_error
        return math.sqrt(predicted / measured) if predicted is not None and measured else None


class OutsideLayers(Result):
    """A tensor that no layer holds, so that no plan changes it."""

    fqn: str
    kind: str
    """Parameter, buffer, non-persistent buffer or plain attribute."""
    bytes: int


class Projections(Result):
    """The effect of every layer's error in every format on the output, along each probe.

    Their sums over the layers of a plan show how much the errors add up or cancel.
    """

    shape: tuple[int, int, int, int]
    """2 (alone; with inputs already in the format), layers, formats, probes."""
    values: str
    """Little-endian float32 in that order, in base64; scaled so that the sum of their squares over the probes is a mean
    squared error of the output. 0 for layers whose samples mix, and where an error is not finite."""
    is_sampled: bool
    """Whether the probes are random; else there is one per output, or a combination with the same sums of products."""


class SensitivityReport(Result):
    """Every layer by every format. Squared errors are means over all floating-point output elements."""

    formats: tuple[str, ...]
    layers: tuple[LayerSensitivity, ...]
    """In the order of their first calls."""
    output_elements: int
    """Of all floating-point outputs of the model."""
    output_mean_square: float
    """Of the reference's output: SQNR = 10 log10(output_mean_square / squared_error)."""
    method: Literal["adjoint probes", "exact sweep"]
    reason: str
    """Why not adjoint probes; empty otherwise."""
    probes: int
    """Number of vectors for each number of a layer that does not mix samples; other layers have one per pass."""
    is_sampled: bool = True
    """Whether the vectors are random; else there is one per output, and to first order nothing is estimated."""
    backward_passes: int
    forward_equivalents: float
    """Time of the whole analysis, in reference passes."""
    uniform: tuple[UniformCheck, ...]
    """One for each format measured so far."""
    fixed_bytes: int
    """Weights, buffers and plain attributes outside the layers, in the reference."""
    outside: tuple[OutsideLayers, ...] = ()
    """What these are."""
    projections: Projections | None = None
    """None with too few random probes to separate joint effects from noise, or with too many numbers."""
    flows: Mapping[str, Flow] = Field(default_factory=dict, repr=False)
    """What recorded runs showed, in the reference and in each format that torch computes in."""


class SensitivityResult(RunResult):
    """One measurement of every layer's sensitivity. It does not depend on the spec's format."""

    report: SensitivityReport | None
    """None where not even the reference ran."""
