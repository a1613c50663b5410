"""Run a plan, to measure what was predicted."""

from collections.abc import Callable
from typing import NamedTuple

from precision import analyses
from precision.errors import InputError
from precision.progress import Progress, Silent
from precision.results import CompareResult, SensitivityReport
from precision.results.plan import Plan, Verification, sqnr_db
from precision.spec import Analysis, RunSpec

_SILENT = Silent()
_MOST_TRIES = 3


def verify(plan: Plan, spec: RunSpec, progress: Progress = _SILENT) -> Verification:
    """Compare the model in the formats of `plan` with the reference.

    Args:
        plan: what to run.
        spec: of the sensitivity that the plan was made from.
        progress: told of each stage; may raise `JobCancelledError` to stop.

    Raises:
        InputError: the spec or the plan asks for something that this machine or this model does not have.
        JobCancelledError: from `progress`.
    """
    return verification_of(plan, analyses.compare(planned_spec(plan, spec), progress))


class Tried(NamedTuple):
    """A plan that was run."""

    plan: Plan
    verification: Verification

    @property
    def holds(self) -> bool:
        """Whether it has at most the error that was asked for, measured."""
        asked, measured = self.plan.most_squared_error, self.verification.measured_squared_error
        return measured is not None and (asked is None or measured <= asked)


def verified_within(
    plan: Plan, report: SensitivityReport, again: Callable[[float], Plan], run: Callable[[Plan], Verification]
) -> list[Tried]:
    """The plan, run; and where it has more error than was asked for, plans that are asked for less, each of them run.

    The last one holds, or none of a few does.

    Args:
        plan: what to run first.
        report: what it was chosen from.
        again: a plan for another SQNR in dB, at least; raises `InputError` where there is none.
        run: measures a plan.
    """
    tried = [Tried(plan, run(plan))]
    asked = plan.most_squared_error
    while asked is not None and len(tried) < _MOST_TRIES:
        last = tried[-1].verification
        if not last.measured_squared_error or last.measured_squared_error <= asked:
            break
        limit = asked * last.predicted_squared_error / last.measured_squared_error
        try:
            nearer = again(sqnr_db(report.output_mean_square, limit) or 0.0)
        except InputError:
            break
        nearer = nearer.model_copy(update={"most_squared_error": asked})
        tried.append(Tried(nearer, run(nearer)))
    return tried


def planned_spec(plan: Plan, spec: RunSpec) -> RunSpec:
    """The comparison of `spec` that runs `plan`."""
    unread = {"dtype", "method", "keep", "formats"}
    settings = {name: value for name, value in spec.model_dump(exclude_defaults=True).items() if name not in unread}
    return RunSpec.parse({**settings, "reference": plan.reference, "plan": plan.pairs, "analysis": Analysis.COMPARE})


def verification_of(plan: Plan, result: CompareResult) -> Verification:
    """The measurements of a comparison that ran `plan`, beside the predictions."""
    overall = result.comparison.overall if result.comparison else None
    finite = overall is not None and not overall.nonfinite_differ and overall.rmse is not None
    outputs = [each for each in result.comparison.outputs if each.rounding_floor] if result.comparison else []
    known = [(each.metrics.sqnr_db, each.path) for each in outputs if each.metrics.sqnr_db is not None]
    worst, path = min(known) if len(outputs) > 1 and known else (None, "")
    return Verification(
        spec=result.spec,
        predicted_squared_error=plan.totals.squared_error or 0.0,
        measured_squared_error=overall.rmse**2 if overall and finite and overall.rmse is not None else None,
        predicted_bytes=plan.totals.stored_bytes,
        measured_bytes=result.audit.bytes_after if result.audit else None,
        estimated_bytes=result.audit.estimated_bytes_after if result.audit else None,
        predicted_time_s=plan.totals.time_s,
        measured_time_s=result.cost.candidate_time.median_s if result.cost else None,
        reference_time_s=result.cost.reference_time.median_s if result.cost else None,
        failure=result.failure,
        worst_output=path,
        worst_sqnr_db=worst,
    )
