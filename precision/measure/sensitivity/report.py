"""The report of a sensitivity, from what was observed of the model and of its layers in every format."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from precision.findings.sensitivity.together import projections_of, squared_error_together
from precision.formats import AnyFormat, NumericFormat
from precision.measure.casting.cast_model import CastModel
from precision.measure.metrics.outputs import Flattened
from precision.measure.sensitivity import layers as layering
from precision.measure.sensitivity.adjoint import Adjoint
from precision.measure.sensitivity.exact import finite_elements, mean_square
from precision.measure.sensitivity.layers import Layer, is_leaf
from precision.measure.sensitivity.local import Estimate, LocalError, summed
from precision.results.flow import Flow
from precision.results.sensitivity import Contribution, LayerSensitivity, Projections, SensitivityReport, UniformCheck


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The reference, run."""

    layers: tuple[Layer, ...]
    output: Flattened
    """Without padding."""
    seconds: float
    work_s: float
    """Of the processor, over torch's threads."""
    began: float
    own_squared_error: float | None = None
    """Of the reference against float64; None where that was not run."""

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The tensors whose errors count."""
        return self.output.magnitudes()


@dataclass(frozen=True, kw_only=True)
class InFormat:
    """Every layer in one format."""

    fmt: AnyFormat
    errors: Mapping[str, LocalError]
    exact: Mapping[str, float | None]
    """Measured squared errors, of the layers run alone."""
    all_but: Mapping[str, float | None]
    """Of all but this layer."""
    uniform: float | None
    """Measured of the whole cast."""
    doubted: frozenset[str] = frozenset()
    """Layers whose prediction is not to be trusted; as many of them as the budget allows are in `exact`."""


def report_of(
    reference: CastModel,
    observed: Observed,
    adjoint: Adjoint | None,
    reason: str,
    done: list[InFormat],
    flows: Mapping[str, Flow],
) -> SensitivityReport:
    """Of the formats measured so far."""
    elements = finite_elements(observed.outputs)
    outside = layering.outside(reference.stored, observed.layers)
    report = SensitivityReport(
        formats=tuple(each.fmt.name for each in done),
        layers=tuple(_layer(layer, elements, adjoint, done) for layer in observed.layers),
        output_elements=sum(output.numel() for output in observed.outputs),
        output_mean_square=mean_square(observed.outputs),
        method="adjoint probes" if adjoint else "exact sweep",
        reason=reason,
        probes=adjoint.probes if adjoint else 0,
        is_sampled=adjoint is not None and adjoint.directions == "random",
        backward_passes=adjoint.backward_passes if adjoint else 0,
        forward_equivalents=(time.perf_counter() - observed.began) / observed.seconds,
        uniform=(),
        fixed_bytes=sum(each.bytes for each in outside),
        outside=outside,
        projections=_projections(observed.layers, elements, adjoint, done) if adjoint and elements else None,
        flows=flows,
    )
    return report.model_copy(update={"uniform": tuple(_uniform(each, report) for each in done)})


def _layer(layer: Layer, elements: int, adjoint: Adjoint | None, done: list[InFormat]) -> LayerSensitivity:
    errors = [each.errors[layer.fqn] for each in done if layer.fqn in each.errors]
    numeric = [each.errors.get(layer.fqn) for each in done if isinstance(each.fmt, NumericFormat)]
    return LayerSensitivity(
        fqn=layer.fqn,
        type=type(layer.module).__name__ + ("" if is_leaf(layer.module) else ", own code"),
        has_modules_inside=not is_leaf(layer.module),
        block=layer.block,
        is_norm=layer.is_norm,
        calls=layer.calls,
        elements=layering.weight_elements(layer),
        reference_bytes=layering.reference_bytes(layer),
        reference_time_s=min((error.reference_s for error in errors), default=None),
        tied_to=layer.tied_to,
        takes_from=tuple(sorted(set().union(*(error.takes_from for error in errors)))),
        passes_on=bool(numeric) and all(error is not None and error.passes_on for error in numeric),
        contributions=tuple(_contribution(layer, each, elements, adjoint) for each in done),
    )


def _contribution(layer: Layer, each: InFormat, elements: int, adjoint: Adjoint | None) -> Contribution:
    error = each.errors.get(layer.fqn, LocalError())
    exact = each.exact.get(layer.fqn)
    alone, handed = (error.estimate(), error.estimate(handed=True)) if adjoint else (None, None)
    spread = alone.standard_error if alone else None
    return Contribution(
        squared_error=_mean(alone, elements) if adjoint else exact,
        handed_squared_error=_mean(handed, elements) if adjoint else exact,
        standard_error=None if spread is None else spread / elements,
        nonfinite=error.nonfinite,
        stored_bytes=layering.stored_bytes(layer, each.fmt),
        time_s=error.low_s if each.fmt.computes and error.failure is None else None,
        exact_squared_error=exact,
        is_doubted=layer.fqn in each.doubted,
        all_but_squared_error=each.all_but.get(layer.fqn),
    )


def _mean(estimate: Estimate | None, elements: int) -> float | None:
    return estimate.value / elements if estimate else None


def _projections(
    layers: tuple[Layer, ...], elements: int, adjoint: Adjoint, done: list[InFormat]
) -> Projections | None:
    products = {}
    for column, each in enumerate(done):
        for at, layer in enumerate(layers):
            error = each.errors.get(layer.fqn)
            if error is None or not error.is_finite or not error.products or layer.fqn in each.doubted:
                continue
            for kind, of_kind in enumerate((error.products, error.handed_products)):
                products[kind, at, column] = summed(of_kind).numpy() / (adjoint.passes * elements) ** 0.5
    shape = (2, len(layers), len(done))
    return projections_of(products, shape, is_sampled=adjoint.directions == "random")


def _uniform(each: InFormat, report: SensitivityReport) -> UniformCheck:
    predicted = squared_error_together(report, (each.fmt.name,) * len(report.layers))
    return UniformCheck(
        dtype=each.fmt.name,
        predicted_squared_error=predicted,
        measured_squared_error=each.uniform,
    )
