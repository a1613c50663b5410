"""How much every layer adds to the model's error in every format."""

from __future__ import annotations

from typing import Literal

from precision.results.base import Result
from precision.results.run import RunResult


class Contribution(Result):
    """One layer in one format."""

    squared_error: float | None
    """Mean squared error that it adds to the model's output, predicted, or measured in an exact sweep. None where the
    layer's own output is not finite in this format, or it has no kernel for it."""
    standard_error: float | None
    """Of `squared_error`, from the spread of the probes; None for fewer than two."""
    handed_squared_error: float | None = None
    """The same where the inputs that other layers hand it are in the format already, so that their rounding is not
    counted twice. None where `squared_error` is; equal to it in formats with scales, whose layers round nothing they
    hand on."""
    nonfinite: int
    """Elements of the layer's output that are infinite or NaN in this format and finite in the reference."""
    stored_bytes: int
    """Of the layer's own weights in this format, scales included."""
    time_s: float | None
    """Of the layer's calls in this format, each timed by itself and once (the quicker of two below 2 ms): it may be
    several times another run's; None where not native or not measured."""
    exact_squared_error: float | None
    """Measured by lowering this layer alone; None where not measured."""
    all_but_squared_error: float | None = None
    """Measured by lowering every layer but this one; None where not measured."""

    def best_squared_error(self, *, is_handed: bool = False) -> float | None:
        """Measured where it was, else predicted; of the measured one the share that is the layer's own.

        Args:
            is_handed: whether its inputs are in the format already.
        """
        predicted = self.squared_error
        handed = predicted if self.handed_squared_error is None else self.handed_squared_error
        if self.exact_squared_error is None or not predicted or handed is None:
            return handed if is_handed else predicted
        return self.exact_squared_error * (handed / predicted if is_handed else 1.0)


class LayerSensitivity(Result):
    """One module without submodules whose forward is called, and what every format does to it."""

    fqn: str
    type: str
    block: str
    """fqn of the repeated block around it; empty for none."""
    is_norm: bool
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
    """fqns of the layers whose outputs it is handed, unchanged."""
    passes_on: bool = False
    """Whether its output holds values of its input and zeros alone, as that of a ReLU."""
    contributions: tuple[Contribution, ...]
    """One for each format of the report, in that order."""


class UniformCheck(Result):
    """Every layer in one format: what the contributions predict, and what a run measures."""

    dtype: str
    predicted_squared_error: float | None
    """None where a layer has no prediction."""
    measured_squared_error: float | None
    """None where the output is not finite, or the model does not run."""


class Projections(Result):
    """What every layer's error in every format does to the output, along each probe.

    Their sums over the layers of a plan tell what the errors add or cancel together.
    """

    shape: tuple[int, int, int, int]
    """2 (alone; with its handed inputs in the format already), layers, formats, probes."""
    values: str
    """Little-endian float32 in that order, in base64; scaled so that the sum of their squares over the probes is a mean
    squared error of the output. 0 for layers whose samples mix, and where an error is not finite."""
    is_sampled: bool
    """Whether the probes are random; else each is an output's own, or a combination that keeps all sums of products."""


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
    """Vectors behind each number of a layer whose samples do not mix; others have one for each pass."""
    is_sampled: bool = True
    """Whether these are random; else there is one for each output, and to first order nothing is estimated."""
    backward_passes: int
    forward_equivalents: float
    """Time of the whole analysis, in reference passes."""
    uniform: tuple[UniformCheck, ...]
    """One for each format measured so far."""
    fixed_bytes: int
    """Weights and buffers outside the layers, in the reference."""
    projections: Projections | None = None
    """None where there are too few random probes to tell from noise what layers do together, or too many numbers."""


class SensitivityResult(RunResult):
    """One measurement of every layer's sensitivity. Says nothing of the spec's own format."""

    report: SensitivityReport | None
    """None where not even the reference ran."""
