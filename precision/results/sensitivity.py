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
    nonfinite: int
    """Elements of the layer's output that are infinite or NaN in this format and finite in the reference."""
    stored_bytes: int
    """Of the layer's own weights in this format, scales included."""
    time_s: float | None
    """Of the layer's calls in this format; None where not native or not measured."""
    exact_squared_error: float | None
    """Measured by lowering this layer alone; None where not measured."""
    all_but_squared_error: float | None = None
    """Measured by lowering every layer but this one; None where not measured."""


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
    contributions: tuple[Contribution, ...]
    """One for each format of the report, in that order."""


class UniformCheck(Result):
    """Every layer in one format: what the contributions predict, and what a run measures."""

    dtype: str
    predicted_squared_error: float | None
    """None where a layer has no prediction."""
    measured_squared_error: float | None
    """None where the output is not finite, or the model does not run."""


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
    """Random vectors behind each number of a layer whose samples do not mix; others have one for each pass."""
    backward_passes: int
    forward_equivalents: float
    """Time of the whole analysis, in reference passes."""
    uniform: tuple[UniformCheck, ...]
    """One for each format measured so far."""
    fixed_bytes: int
    """Weights and buffers outside the layers, in the reference."""


class SensitivityResult(RunResult):
    """One measurement of every layer's sensitivity. Says nothing of the spec's own format."""

    report: SensitivityReport | None
    """None where not even the reference ran."""
