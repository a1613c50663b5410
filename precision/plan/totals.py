"""The total cost of a choice of formats."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from precision.errors import InputError
from precision.findings.sensitivity.together import squared_error_together
from precision.formats import any_format_named
from precision.plan.constraints import Constraints, Group, kept_layers, shared_bytes
from precision.results.plan import (
    CodeLowered,
    FrontPoint,
    Plan,
    PlannedLayer,
    Resource,
    Totals,
    Uniform,
    sqnr_db,
    sum_of,
)
from precision.results.sensitivity import LayerSensitivity, SensitivityReport

_ROUNDING = 1e-9
"""So that a share that is exactly a plan's includes the plan."""


def formats_of_layers(groups: Sequence[Group], options: Sequence[int]) -> tuple[str, ...]:
    """The format of each layer, in the sensitivity's order."""
    chosen = {
        layer: group.options[at].format for group, at in zip(groups, options, strict=True) for layer in group.layers
    }
    return tuple(chosen[at] for at in range(len(chosen)))


def plan_of(
    report: SensitivityReport,
    formats: Sequence[str],
    *,
    reference: str,
    optimal: bool,
    uniform: tuple[Uniform, ...] | None = None,
) -> Plan:
    """The plan that gives each layer the format at its place in `formats`; `uniform` are `uniform_totals`, if known."""
    layers = tuple(_planned(layer, name, report, reference) for layer, name in zip(report.layers, formats, strict=True))
    return Plan(
        reference=reference,
        layers=layers,
        totals=totals_of(report, formats, reference),
        uniform=uniform_totals(report, reference) if uniform is None else uniform,
        optimal=optimal,
        outside=report.outside,
        code_lowered=_code_lowered(report, formats, reference),
        flows={name: flow for name, flow in report.flows.items() if name in {reference, *formats}},
    )


def uniform_totals(report: SensitivityReport, reference: str) -> tuple[Uniform, ...]:
    """One format for all layers: the reference's first, then each that was measured."""
    return tuple(
        Uniform(dtype=name, totals=totals_of(report, (name,) * len(report.layers), reference))
        for name in dict.fromkeys((reference, *report.formats))
    )


def _code_lowered(report: SensitivityReport, formats: Sequence[str], reference: str) -> CodeLowered | None:
    """The price of lowering own code too: in the plan's most frequent format in which torch computes, else another."""
    lowered = Counter(name for name in formats if name != reference)
    known = [name for name, _ in lowered.most_common()] + [name for name in report.formats if name != reference]
    dtype = next((name for name in known if any_format_named(name).computes), None)
    instead = [
        dtype if dtype and layer.has_modules_inside and name == reference else name
        for layer, name in zip(report.layers, formats, strict=True)
    ]
    if dtype is None or not lowered or instead == list(formats):
        return None
    error = squared_error_together(report, instead)  # also where all are then in one format: predicted as the plan is
    sizes = [_in_format(layer, name, report, reference)[1] for layer, name in zip(report.layers, instead, strict=True)]
    return CodeLowered(
        dtype=dtype,
        sqnr_db=sqnr_db(report.output_mean_square, error),
        stored_bytes=report.fixed_bytes + _bytes(report, instead, sizes),
    )


def _planned(layer: LayerSensitivity, name: str, report: SensitivityReport, reference: str) -> PlannedLayer:
    error, stored, time_s = _in_format(layer, name, report, reference)
    return PlannedLayer(
        fqn=layer.fqn,
        type=layer.type,
        format=name,
        squared_error=error or 0.0,
        stored_bytes=stored,
        time_s=time_s,
        has_modules_inside=layer.has_modules_inside,
    )


def _in_format(
    layer: LayerSensitivity, name: str, report: SensitivityReport, reference: str
) -> tuple[float | None, int, float | None]:
    """Squared error, bytes and seconds."""
    if name == reference:
        return 0.0, layer.reference_bytes, layer.reference_time_s
    choice = layer.contributions[report.formats.index(name)]
    return None if choice.nonfinite else choice.best_squared_error(), choice.stored_bytes, choice.time_s


def totals_of(report: SensitivityReport, formats: Sequence[str], reference: str) -> Totals:
    """The totals of any choice, even if layers have no prediction; layers in the same format stay tied."""
    rows = [_in_format(layer, name, report, reference) for layer, name in zip(report.layers, formats, strict=True)]
    measured = _measured(report, formats)
    error = squared_error_together(report, formats) if measured is None else measured
    return Totals(
        squared_error=error,
        is_measured=measured is not None,
        sqnr_db=sqnr_db(report.output_mean_square, error),
        stored_bytes=report.fixed_bytes + _bytes(report, formats, [stored for _, stored, _ in rows]),
        time_s=sum_of(time_s for _, _, time_s in rows),
    )


def whole_of(report: SensitivityReport, reference: str) -> Totals:
    """The totals of the reference."""
    return totals_of(report, (reference,) * len(report.layers), reference)


def share_of(whole: Totals, share: float, resource: Resource) -> float:
    """A budget: this share of the reference's bytes or seconds, with a small margin for rounding.

    Raises:
        InputError: the times were not measured.
    """
    cost = whole.cost(resource)
    if cost is None:
        raise InputError("The layers' times were not measured: plan by bytes.")
    return cost * share * (1 + _ROUNDING)


def uniform_choices(
    report: SensitivityReport, constraints: Constraints, *, reference: str, known: Iterable[Uniform]
) -> Iterator[FrontPoint]:
    """One format for all layers except those that are kept: a plan has to be better than that.

    One choice for each allowed format in which every layer has a prediction. `known` are totals that were computed
    before, without any kept layer.
    """
    kept = kept_layers(report, constraints)
    ready = {uniform.dtype: uniform.totals for uniform in known if not kept}
    for name in report.formats:
        if name != reference and (constraints.formats is None or name in constraints.formats):
            formats = tuple(reference if at in kept else name for at in range(len(report.layers)))
            totals = ready.get(name) or totals_of(report, formats, reference)
            if totals.squared_error is not None:
                yield FrontPoint(formats=formats, totals=totals)


def _measured(report: SensitivityReport, formats: Sequence[str]) -> float | None:
    """The measured error where all layers have one format and that was run; else None."""
    return next((check.measured_squared_error for check in report.uniform if {check.dtype} == set(formats)), None)


def _bytes(report: SensitivityReport, formats: Sequence[str], sizes: Sequence[int]) -> int:
    places = {layer.fqn: at for at, layer in enumerate(report.layers)}
    counted: set[int] = set()
    whole = 0
    for at, layer in enumerate(report.layers):
        if not layer.tied_to:
            whole += sizes[at]
        if not layer.tied_to or at in counted:
            continue
        tied = {at} | {
            places[other] for other in layer.tied_to if other in places and formats[places[other]] == formats[at]
        }
        whole += shared_bytes(sizes[each] for each in tied - counted)
        counted |= tied
    return whole
