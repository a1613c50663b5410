"""Changes to a candidate whose outputs are broken, tried: a remedy is what helped."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from itertools import islice

import torch
from torch import Tensor

from precision.errors import ForwardError
from precision.findings.decisions_judged import Yardsticks
from precision.findings.remedies import kept_by
from precision.formats import format_named
from precision.measure.casting.cast_model import CastModel, PreparedRun
from precision.measure.casting.changed_operators import (
    Arguments,
    Change,
    changed_operators,
    with_eps,
    with_input,
    with_output,
)
from precision.measure.casting.forward import seeded, shortened
from precision.measure.casting.input_warnings import damaged_inputs, inexact_inputs
from precision.measure.casting.scaled_operators import run_scaled
from precision.measure.casting.scaled_outputs import run_with_scaled_outputs
from precision.measure.lockstep.causes import domain_of
from precision.measure.lockstep.proposals import proposals, scaled_outputs, uncast
from precision.measure.metrics.comparison import overall_errors
from precision.measure.metrics.outputs import Flattened, paired
from precision.measure.models.loading import argument_names
from precision.measure.models.padding import data_output
from precision.measure.preparation import Prepared, Task, prepare
from precision.measure.rounding import dtype_name
from precision.progress import Silent
from precision.results.layers import LayersReport
from precision.results.remedies import Remedies, Remedy, ScaleStep
from precision.spec import CastMethod
from precision.spec.keep import Kept
from precision.spec.regimes import GIVEN

MAX_TRIES = 12
"""Runs of the candidate that are spent on remedies; what is left over is said to be untried."""
MAX_INPUTS = 3
"""So many inputs are left uncast, one at a time."""
DISTORTED_BELOW_DB = 20.0
"""Below this signal-to-noise ratio, where the error is a tenth of the output, inputs are left uncast although outputs
are not broken, to see whether their digits matter."""
_DIVISIONS = ("div", "div_", "true_divide", "truediv")
_WITH_EPS, _ARGUMENTS_BEFORE_EPS = ("cosine_similarity", "pairwise_distance"), 3
"""Operators with an `eps` that their callers seldom name."""
_BY_DIGITS = frozenset({"underflow", "cancellation", "domain"})
"""Kinds of origins that digits lost by an input can lead to."""


def wanted_remedies(task: Task, run: Prepared, report: LayersReport) -> list[Remedy]:
    """What to try, in order of cost; empty where outputs are neither broken nor clipped, and no input is at fault.

    Where outputs are not broken, only inputs left uncast, and scales for values that are clipped.
    """
    if report.stopped is not None and not needs_remedy(report):
        return []
    inputs = _inputs_at_fault(run, report)
    if needs_remedy(report):
        found = proposals(report, run.spec, task.device_info.native_formats, inputs=inputs)
        return [each for each in found if each.kind == "smallest finite" or not _is_padding(report)]
    return [*uncast(inputs), *scaled_outputs(report)]


def tried_remedies(task: Task, run: Prepared, report: LayersReport, wanted: Sequence[Remedy]) -> Remedies | None:
    """The same remedies, tried; None where the reference does not run.

    The first of each kind comes before the second of any, and at most `MAX_TRIES` are run.
    """
    try:
        with run.noise.recorded():
            reference = data_output(run.reference(run.loaded.args, run.loaded.kwargs), run.loaded)
    except (ForwardError, MemoryError, torch.OutOfMemoryError):
        return None
    kinds = [remedy.kind for remedy in wanted]
    turns = sorted(range(len(wanted)), key=lambda at: kinds[:at].count(kinds[at]))
    found: list[Remedy | None] = [*wanted]
    zeros = not report.origins or report.origins[0].kind == "underflow"
    for runs, at in enumerate(turns[:MAX_TRIES], start=1):
        task.progress.step("Trying remedies", 1.0, f"{runs}")
        found[at] = _tried(task, run, wanted[at], reference, zeros=zeros)
    root = report.errors_of(0) if report.rows else None
    is_finite = root is not None and not root.cand_only_nonfinite
    return Remedies(before_db=root.sqnr_db if root and is_finite else None, tried=tuple(filter(None, found)))


def _inputs_at_fault(run: Prepared, report: LayersReport) -> list[str]:
    """Names of the arguments whose cast may be at fault: first those that it damages, then any others that it changes.

    The others only where lost digits can have led to what is wrong.
    """
    if run.spec.weights:
        return []
    args, kwargs = run.loaded.args, run.loaded.kwargs
    keys = damaged_inputs(run.candidate, args, kwargs)
    root = report.errors_of(0) if report.rows else None
    is_distorted = root is not None and root.sqnr_db is not None and root.sqnr_db < DISTORTED_BELOW_DB
    if report.stopped is None and (report.origins[0].kind in _BY_DIGITS if report.origins else is_distorted):
        keys = tuple(dict.fromkeys((*keys, *inexact_inputs(run.candidate, args, kwargs))))
    names: list[str] = list(islice(argument_names(run.loaded.module), len(args)))
    return [names[key] if isinstance(key, int) else key for key in keys[:MAX_INPUTS]]


def needs_remedy(report: LayersReport) -> bool:
    """Whether outputs of the candidate are broken, or it does not run, and the reference does."""
    if report.stopped is not None:
        return report.stopped.side == "candidate" and report.stopped.operator is not None
    root = report.errors_of(0) if report.rows else None
    is_broken = root is not None and root.sqnr_db is not None and root.sqnr_db < Yardsticks().broken_below_db
    return bool(report.origins) or is_broken


def _is_padding(report: LayersReport) -> bool:
    """Whether masks alone made infinities, and the outputs that count are fine."""
    root = report.errors_of(0) if report.rows else None
    is_fine = (
        root is not None and (root.sqnr_db or 0.0) >= Yardsticks().broken_below_db and not root.cand_only_nonfinite
    )
    return is_fine and bool(report.origins) and {each.kind for each in report.origins} <= {"mask", "infinities"}


def _tried(task: Task, run: Prepared, remedy: Remedy, reference: Flattened, *, zeros: bool) -> Remedy | None:
    """What it gives; None of a scale where there is nothing to scale. `zeros` says whether values are too small."""
    try:
        candidate = _cast_again(task, run, remedy)
        with seeded(candidate.device):
            prepared = candidate.prepared(run.loaded.args, run.loaded.kwargs)
            with _around(run, prepared, remedy), run.noise.replayed():
                output, scales = _output(run, prepared, remedy, zeros=zeros)
        pairs = paired(reference, data_output(output, run.loaded)).pairs
    except Exception as error:  # noqa: BLE001 - whatever a model raises: the remedy does not work
        return remedy.model_copy(update={"tried": True, "failure": shortened(str(error)) or type(error).__name__})
    if remedy.kind == "scale" and not scales:
        return None
    errors = overall_errors(pairs, run.spec.format)
    gave = {"sqnr_db": errors.sqnr_db, "nonfinite": errors.cand_only_nonfinite, "scales": scales}
    return remedy.model_copy(update={"tried": True, **gave})


def _output(
    run: Prepared, prepared: PreparedRun, remedy: Remedy, *, zeros: bool
) -> tuple[object, tuple[ScaleStep, ...]]:
    if remedy.kind != "scale":
        return prepared(), ()
    if run.candidate.rounded_to is not None:
        return run_with_scaled_outputs(prepared, run.candidate.rounded_to)
    return run_scaled(prepared, fqn=remedy.fqn if zeros else None, wide=run.reference.input_dtype)


def _cast_again(task: Task, run: Prepared, remedy: Remedy) -> CastModel:
    """The candidate with another setting; the same one where an operator is the remedy."""
    settings: dict[str, object]
    match remedy.kind:
        case "input":
            settings = {"wide_inputs": (*run.spec.wide_inputs, remedy.input)}
        case "module" | "own code" | "own code wide":
            settings = {"keep": (*run.spec.keep, kept_by(remedy))}
        case "format":
            settings = {"dtype": remedy.format}
        case "autocast":
            settings = {"method": CastMethod.AUTOCAST}
        case "operator wide" | "operator back":
            return run.candidate.keeping([Kept.parse(kept_by(remedy))], reference=run.reference)
        case _:
            return run.candidate
    spec = run.spec.model_copy(update={**settings, "regime": GIVEN})  # the loaded input is in its regime already
    return prepare(replace(task, spec=spec, given=run.loaded, progress=Silent())).candidate


def _around(run: Prepared, prepared: PreparedRun, remedy: Remedy) -> AbstractContextManager[None]:
    """What changes operators during a run, where that is the remedy."""
    if remedy.kind not in {"smallest finite", "larger eps", "clamp"}:
        return nullcontext()
    low = run.candidate.rounded_to or format_named(
        dtype_name(run.candidate.autocast_dtype or run.candidate.input_dtype)
    )
    change = partial(changed_operators, prepared.module, remedy.fqn, remedy.operator)
    match remedy.kind:
        case "smallest finite":
            return change(with_output(lambda tensor: tensor.clamp(min=-low.max)))
        case "larger eps":
            return change(_raised(remedy.operator, low.smallest_normal))
        case _:
            return change(_clamped(remedy.operator, low.max))


def _raised(operator: str, eps: float) -> Change:
    """The operator with a larger `eps`, if it takes one, else with no 0 where it divides or is not finite at 0."""

    def from_zero(tensor: Tensor) -> Tensor:
        return torch.where(tensor == 0, eps, tensor)

    def change(func: Callable[..., object], given: Arguments) -> object:
        if "eps" in given[1] or (operator in _WITH_EPS and len(given[0]) <= _ARGUMENTS_BEFORE_EPS):
            return with_eps(eps)(func, given)
        divides = operator in _DIVISIONS and not func.__name__.startswith("__r")
        return with_input(1 if divides else 0, from_zero)(func, given)

    return change


def _clamped(operator: str, largest: float) -> Change:
    domain = domain_of(operator)
    if domain is None:
        return with_output(lambda tensor: tensor.clamp(-largest, largest))
    return with_input(0, lambda tensor: tensor.clamp(*domain))
