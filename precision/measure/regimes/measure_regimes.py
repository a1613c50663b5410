"""One model and format in every input regime, from start to end."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from precision.errors import ForwardError
from precision.measure.compare.attribution import not_attributable_to
from precision.measure.metrics.comparison import overall_errors
from precision.measure.metrics.output_kinds import Known
from precision.measure.metrics.outputs import paired
from precision.measure.metrics.samples import samples_of, worst_sample
from precision.measure.models.padding import data_output
from precision.measure.nonfinite_modules import reference_warnings, watched, without_masked_classes
from precision.measure.preparation import Prepared, Task, as_reference, failure_of, prepare
from precision.measure.regime_inputs import NOTHING_TO_SCALE, can_scale, scaled_run
from precision.progress import Progress, Silent
from precision.results.regimes import OverflowStart, RegimeRow, RegimesReport, RegimesResult
from precision.spec.regimes import GIVEN, RANDOM, USUAL, label_of

LARGEST_FACTOR = 2.0**40
"""Overflow is looked for up to this factor, and down to its reciprocal."""
_BISECTIONS = 7
"""Halvings, on a log axis, of the last doubling: the factor is known to half a percent."""
_PREPARED, _ROWS = 0.2, 0.7
"""Fractions of the whole at which the first regime begins, and the last has run."""


def measure_regimes(task: Task) -> RegimesResult:
    """Run reference and candidate on the input in every usual regime, then look for the factor at which it overflows.

    Where there is nothing to scale, the regimes that scale are left out.

    A forward that raises in one regime is a failure in its row. What is measured so far is handed on.
    """
    progress = task.progress
    given = prepare(task)
    result = RegimesResult(**dict(given.head), report=RegimesReport(rows=(), overflow=None))
    regimes = USUAL if can_scale(given.loaded) else (GIVEN, RANDOM)
    for place, regime in enumerate(regimes):
        progress.step(f"Running the {label_of(regime)}", _PREPARED + (_ROWS - _PREPARED) * place / len(regimes))
        run = given if regime == GIVEN else prepare(_in_regime(task, regime))
        row, said = _row(run, regime)
        if regime == GIVEN:
            said = (*said, *((row.not_attributable,) if row.not_attributable else ()))
            result = result.model_copy(update={"warnings": (*said, *result.warnings)})
        result = _with(result, rows=(*result.report.rows, row))
        progress.partial(result)
    return _with(result, overflow=_overflow(given, progress))


def _in_regime(task: Task, regime: str) -> Task:
    """The same in another regime, without reports of its own."""
    return replace(task, spec=task.spec.model_copy(update={"regime": regime}), progress=Silent())


def _with(result: RegimesResult, **parts: object) -> RegimesResult:
    return result.model_copy(update={"report": result.report.model_copy(update=parts)})


def _row(run: Prepared, regime: str) -> tuple[RegimeRow, tuple[str, ...]]:
    """The row, and what is to be said of the reference's own infinities and NaNs."""
    args, kwargs = run.loaded.args, run.loaded.kwargs
    try:
        with as_reference(run.spec.reference), run.noise.recorded():
            began = time.process_time()
            reference, beforehand = watched(run.reference, args, dict(kwargs))
            took = time.process_time() - began
        with run.noise.replayed():
            candidate, places = watched(run.candidate, args, dict(kwargs))
    except (ForwardError, MemoryError, torch.OutOfMemoryError) as error:
        failure = failure_of(error, f"Running the {label_of(regime)}")
        failed = RegimeRow(regime=regime, errors=None, samples=None, worst=None, first_nonfinite=None, failure=failure)
        return failed, ()
    data = data_output(reference, run.loaded)
    other = data_output(candidate, run.loaded)
    pairs = paired(data, other).pairs
    floating = [pair for pair in pairs if pair[0].has_magnitudes]
    known = Known.of(run.loaded.module, run.spec.outputs, run.loaded.labels)
    row = RegimeRow(
        regime=regime,
        errors=overall_errors(pairs, run.spec.format),
        samples=samples_of(floating),
        worst=worst_sample(floating, known=known, texts=run.loaded.texts),
        first_nonfinite=_first_new(places, beforehand),
        not_attributable=not_attributable_to(replace(run, progress=Silent()), reference, candidate, reference_s=took),
    )
    alarming = without_masked_classes(data, other, known=known)
    return row, reference_warnings(run.reference, args, dict(kwargs), alarming)


def _first_new(candidate: tuple[str, ...], reference: tuple[str, ...]) -> str | None:
    """Where the candidate first makes an infinity or NaN that the reference does not: some models mask with them."""
    return next((place for place in candidate if place not in reference), None)


def _overflow(run: Prepared, progress: Progress) -> OverflowStart:
    """The factor at which the candidate makes its first infinity or NaN that the reference has not."""
    if not can_scale(run.loaded):
        return _none(f"{NOTHING_TO_SCALE.capitalize()} The regimes that scale are left out.")
    if run.head.execution.label == "simulated":
        return _none("This simulation saturates: values beyond the range become the largest value.")
    tried = 0

    def breaks(factor: float) -> str | None:
        nonlocal tried
        tried += 1
        progress.step("Looking for the factor at which it overflows", _ROWS + (1 - _ROWS) * min(tried / 60, 1.0))
        return _breaks(run, factor)

    try:
        return _searched(breaks)
    except (ForwardError, MemoryError, torch.OutOfMemoryError) as error:
        return _none(failure_of(error, "Looking for the factor at which it overflows").message)


def _searched(breaks: Callable[[float], str | None]) -> OverflowStart:
    """Doublings or halvings from 1 to the first that breaks, or no longer does, then bisection."""
    where = breaks(1.0)
    high, low = (1.0, None) if where is not None else (None, 1.0)
    while low is None and high is not None and high > 1 / LARGEST_FACTOR:
        found = breaks(high / 2)
        high, low, where = (high / 2, None, found) if found is not None else (high, high / 2, where)
    while high is None and low is not None and low < LARGEST_FACTOR:
        found = breaks(low * 2)
        high, low, where = (low * 2, low, found) if found is not None else (None, low * 2, where)
    if high is None:
        return _none(f"Up to × 2^{math.log2(LARGEST_FACTOR):.0f}, nothing overflowed that did not in the reference.")
    for _ in range(_BISECTIONS):
        if low is None:
            break
        middle = math.sqrt(high * low)
        found = breaks(middle)
        high, low, where = (middle, low, found) if found is not None else (high, middle, where)
    return OverflowStart(factor=high, finite_at=low, where=where, reason="")


def _none(reason: str) -> OverflowStart:
    return OverflowStart(factor=None, finite_at=None, where=None, reason=reason)


def _breaks(run: Prepared, factor: float) -> str | None:
    """The module in which the candidate overflows where the reference does not; None where it does not."""
    args, kwargs = scaled_run(run.loaded, (run.candidate.stored, run.reference.stored), factor)
    _, places = watched(run.candidate, args, kwargs)
    if not places:
        return None
    return _first_new(places, watched(run.reference, args, kwargs)[1])
