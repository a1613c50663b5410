"""Changes to a candidate whose outputs are broken, tried: a remedy is what helped."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from itertools import islice

import torch
from torch import Tensor

from precision.errors import ForwardError
from precision.findings.decisions_judged import Yardsticks
from precision.measure.casting.cast_model import CastModel, PreparedRun
from precision.measure.casting.changed_operators import (
    Change,
    changed_operators,
    with_eps,
    with_input,
    with_output,
)
from precision.measure.casting.forward import seeded, shortened
from precision.measure.casting.input_warnings import changed_whole_numbers
from precision.measure.lockstep.causes import domain_of
from precision.measure.lockstep.proposals import proposals
from precision.measure.metrics.comparison import overall_errors
from precision.measure.metrics.outputs import Flattened, paired
from precision.measure.models.loading import argument_names
from precision.measure.models.padding import data_output
from precision.measure.preparation import Prepared, Task, prepare
from precision.progress import Silent
from precision.results.layers import LayersReport
from precision.results.remedies import Remedies, Remedy
from precision.spec import CastMethod
from precision.spec.keep import Kept
from precision.spec.regimes import GIVEN

MAX_TRIES = 10
"""Runs of the candidate that are spent on remedies; what is left over is said to be untried."""
_DIVISIONS = ("div", "div_", "true_divide", "truediv")


def tried_remedies(task: Task, run: Prepared, report: LayersReport) -> Remedies | None:
    """What was tried against broken outputs; None where the reference does not run."""
    changed = _changed_inputs(run)
    wanted = proposals(report, run.spec, task.device_info.native_formats, changed_inputs=changed)
    try:
        with run.noise.recorded():
            reference = data_output(run.reference(run.loaded.args, run.loaded.kwargs), run.loaded)
    except (ForwardError, MemoryError, torch.OutOfMemoryError):
        return None
    tried: list[Remedy] = []
    for remedy in wanted:
        runs = sum(each.tried for each in tried)
        if remedy.kind == "scale" or runs >= MAX_TRIES:
            tried.append(remedy)
            continue
        task.progress.step("Trying remedies", 1.0, f"{runs + 1}")
        tried.append(_tried(task, run, remedy, reference))
    root = report.errors_of(0) if report.rows else None
    is_finite = root is not None and not root.cand_only_nonfinite
    return Remedies(before_db=root.sqnr_db if root and is_finite else None, tried=tuple(tried))


def _changed_inputs(run: Prepared) -> list[str]:
    """Names of arguments that the candidate casts, and that have whole numbers which become others."""
    args, kwargs = run.loaded.args, run.loaded.kwargs
    names: list[str] = list(islice(argument_names(run.loaded.module), len(args)))
    keys = [] if run.spec.weights else changed_whole_numbers(run.candidate, args, kwargs)
    return [names[key] if isinstance(key, int) else key for key in keys]


def needs_remedy(report: LayersReport) -> bool:
    """Whether outputs of the candidate are broken, or it does not run, and the reference does."""
    if report.stopped is not None:
        return report.stopped.side == "candidate" and report.stopped.operator is not None
    root = report.errors_of(0) if report.rows else None
    is_broken = root is not None and root.sqnr_db is not None and root.sqnr_db < Yardsticks().broken_below_db
    return bool(report.origins) or is_broken


def _tried(task: Task, run: Prepared, remedy: Remedy, reference: Flattened) -> Remedy:
    try:
        candidate = _cast_again(task, run, remedy)
        with seeded(candidate.device):
            prepared = candidate.prepared(run.loaded.args, run.loaded.kwargs)
            with _around(run, prepared, remedy), run.noise.replayed():
                output = data_output(prepared(), run.loaded)
        pairs = paired(reference, output).pairs
    except Exception as error:  # noqa: BLE001 - whatever a model raises: the remedy does not work
        return remedy.model_copy(update={"tried": True, "failure": shortened(str(error)) or type(error).__name__})
    errors = overall_errors(pairs, run.spec.format)
    return remedy.model_copy(
        update={"tried": True, "sqnr_db": errors.sqnr_db, "nonfinite": errors.cand_only_nonfinite},
    )


def _cast_again(task: Task, run: Prepared, remedy: Remedy) -> CastModel:
    """The candidate with another setting; the same one where an operator is the remedy."""
    settings: dict[str, object]
    match remedy.kind:
        case "input":
            settings = {"wide_inputs": (*run.spec.wide_inputs, remedy.input)}
        case "module" | "own code":
            part = Kept(remedy.fqn, own_code=remedy.kind == "own code")
            settings = {"keep": (*run.spec.keep, str(part))}
        case "format":
            settings = {"dtype": remedy.format}
        case "autocast":
            settings = {"method": CastMethod.AUTOCAST}
        case "operator wide" | "operator back":
            part = Kept(remedy.fqn, operator=remedy.operator, stays_wide=remedy.kind == "operator wide")
            return run.candidate.keeping([part], reference=run.reference)
        case _:
            return run.candidate
    spec = run.spec.model_copy(update={**settings, "regime": GIVEN})  # the loaded input is in its regime already
    return prepare(replace(task, spec=spec, given=run.loaded, progress=Silent())).candidate


def _around(run: Prepared, prepared: PreparedRun, remedy: Remedy) -> AbstractContextManager[None]:
    """What changes operators during a run, where that is the remedy."""
    if remedy.kind not in {"smallest finite", "larger eps", "clamp"}:
        return nullcontext()
    low = run.candidate.autocast_dtype or run.candidate.input_dtype
    change = partial(changed_operators, prepared.module, remedy.fqn, remedy.operator)
    info = torch.finfo(low)
    match remedy.kind:
        case "smallest finite":
            return change(with_output(lambda tensor: tensor.clamp(min=info.min)))
        case "larger eps":
            return change(_raised(remedy.operator, float(info.smallest_normal)))
        case _:
            return change(_clamped(remedy.operator, float(info.max)))


def _raised(operator: str, eps: float) -> Change:
    def from_zero(tensor: Tensor) -> Tensor:
        return torch.where(tensor == 0, eps, tensor)

    change = with_input(1 if operator in _DIVISIONS else 0, from_zero)
    own_eps = with_eps(eps)

    def either(func: Callable[..., object], given: tuple[tuple[object, ...], dict[str, object]]) -> object:
        try:
            return own_eps(func, given)
        except (TypeError, ValueError):  # it has no `eps`, or no signature
            return change(func, given)

    return either


def _clamped(operator: str, largest: float) -> Change:
    domain = domain_of(operator)
    if domain is None:
        return with_output(lambda tensor: tensor.clamp(-largest, largest))
    return with_input(0, lambda tensor: tensor.clamp(*domain))
