"""Every way to cast a model to one format, from start to end."""

import torch

from precision.errors import ForwardError
from precision.formats import AnyFormat, any_format_named
from precision.measure.metrics.outputs import flatten
from precision.measure.preparation import Task, as_reference, failure_of
from precision.measure.routes.one_route import Cast, Run, follow
from precision.results.routes import RoutesReport, RoutesResult
from precision.spec.cast_methods import ROUTES, TORCHAO_FORMATS, CastMethod, formats_of, is_call, usual_method

_PREPARED = 0.15
"""Fraction of the whole at which the first route begins."""


def measure_routes(task: Task) -> RoutesResult:
    """Cast a model by every route to the format of `spec`, by those of torchao and their simulations: what each does.

    A route that fails keeps the others: its facts say why. What is measured so far is handed on.
    """
    spec, progress = task.spec, task.progress
    loaded = task.load()
    reference = task.reference(loaded)
    routes = routes_to(spec.format)
    result = RoutesResult(
        **dict(task.head(loaded, reference)),
        report=RoutesReport(baseline=None, routes=(), of=len(routes)),
    )
    stage = f"Running the {spec.reference} reference"
    progress.step(stage, 0.1)
    try:
        with as_reference(spec.reference):
            output = flatten(reference(loaded.args, loaded.kwargs))
    except (ForwardError, MemoryError, torch.OutOfMemoryError) as error:
        return result.model_copy(update={"failure": failure_of(error, stage)})
    run = Run(loaded=loaded, device=task.device, device_info=task.device_info, reference=output)
    baseline: Cast | None = None
    for place, (method, fmt) in enumerate(routes):
        progress.step(f"Casting by {method.label}", _PREPARED + (1 - _PREPARED) * place / len(routes))
        comparable = fmt == spec.format
        found, cast = follow(run, fmt, method=method, baseline=baseline if comparable else None)
        baseline = baseline or (cast if comparable else None)
        report = RoutesReport(
            baseline=baseline.method if baseline else None, routes=(*result.report.routes, found), of=len(routes)
        )
        result = result.model_copy(update={"report": report})
        progress.partial(result)
    return result


def routes_to(fmt: AnyFormat) -> tuple[tuple[CastMethod, AnyFormat], ...]:
    """Every route to `fmt`, and those of torchao, in their own formats where they lack this one.

    Each torchao route is followed by its simulation. Where no real call leads to `fmt`, its simulations come first.
    """
    routes: list[tuple[CastMethod, AnyFormat]] = []
    if not any(is_call(method, fmt) for method in ROUTES if formats_of(method, (fmt.name,))):
        routes += [(usual_method(fmt), fmt), (CastMethod.WEIGHTS_ONLY, fmt)]
    for method in ROUTES:
        for name in (formats_of(method, (fmt.name,)) or TORCHAO_FORMATS.get(method, ()))[:1]:
            routes.append((method, any_format_named(name)))
            if method.row.simulation:
                routes.append((CastMethod(method.row.simulation), any_format_named(name)))
    return tuple(dict.fromkeys(routes))
