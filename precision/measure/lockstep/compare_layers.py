"""One comparison layer by layer, from start to end: load, cast, run both in lockstep."""

import torch

from precision.measure.compare.attribution import not_attributable
from precision.measure.lockstep.director import Options
from precision.measure.lockstep.remedies import needs_remedy, tried_remedies
from precision.measure.lockstep.run import run_lockstep
from precision.measure.metrics.output_kinds import Known
from precision.measure.models.padding import data_positions
from precision.measure.preparation import Task, failure_of, prepare
from precision.results import Failure
from precision.results.layers import LayersReport, LayersResult

_CAST = 0.25
"""Fraction of the whole at which both models start to run."""


def compare_layers(task: Task) -> LayersResult:
    """Run both models side by side, and measure what differs after every module and every operator.

    A forward that raises does not lose what was measured before it: the result then has a `failure`, and its report
    what was compared until then. That is handed on now and then, for runs that end in another way.
    """
    run, spec, progress = prepare(task), task.spec, task.progress
    stage = f"Running {spec.reference} and {spec.candidate} side by side"
    progress.step(stage, _CAST)

    def on_call(name: str, fraction: float) -> None:
        progress.step(stage, _CAST + (1 - _CAST) * fraction, name)

    report: LayersReport | None = None
    failure = None

    def on_partial(partial: LayersReport) -> None:
        nonlocal report
        report = partial
        progress.partial(LayersResult(**dict(run.head), report=partial))

    try:
        report = run_lockstep(
            run.reference,
            run.candidate,
            run.loaded.args,
            run.loaded.kwargs,
            options=Options(
                fmt=spec.format,
                operators=True,
                decompose=True,
                verify=True,
                data=data_positions(run.loaded),
                known=Known.of(run.loaded.module, spec.outputs, run.loaded.labels),
            ),
            on_call=on_call,
            on_partial=on_partial,
        )
        if report.stopped is not None:
            failure = Failure(stage=stage, where=report.stopped.fqn, message=report.stopped.message)
    except (MemoryError, torch.OutOfMemoryError) as error:
        failure = failure_of(error, stage)
    remedies, why = None, ""
    if report is not None and needs_remedy(report):
        progress.partial(LayersResult(**dict(run.head), report=report))
        why = not_attributable(run)
        remedies = None if why else tried_remedies(task, run, report)
    result = LayersResult(**dict(run.head), report=report, remedies=remedies)
    said = (*((why,) if why else ()), *_caveats(report))
    return result.model_copy(update={"failure": failure, "warnings": (*said, *result.warnings)})


def _caveats(report: LayersReport | None) -> tuple[str, ...]:
    """Reasons in the run not to read too much into its rows."""
    if report is None or report.observer is None or not report.observer.changed:
        return ()
    check = report.observer
    equal = {"reference": check.reference_equal, "candidate": check.candidate_equal}
    sides = [name for name in equal if not equal[name]]
    return (
        f"The {' and the '.join(sides)} gave different outputs with and without observation: a fused path was switched "
        "off, or the model is not deterministic.",
    )
