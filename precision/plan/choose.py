"""The best plan for a budget, from what a sensitivity measured."""

from collections.abc import Collection

from precision.errors import InputError
from precision.formats import any_format_named
from precision.plan.constraints import Constraints
from precision.plan.solve import Planner, squared_error_of
from precision.plan.totals import share_of, whole_of
from precision.results import SensitivityReport, SensitivityResult
from precision.results.plan import Plan, Resource


def choose(
    result: SensitivityResult,
    *,
    max_bytes: int | None = None,
    bytes_share: float | None = None,
    time_share: float | None = None,
    min_sqnr: float | None = None,
    keep: Collection[str] = (),
    keep_norms: bool = False,
    native: bool = False,
    split_ties: bool = False,
) -> Plan:
    """The best plan for one budget.

    Args:
        result: what the layers add to the error.
        max_bytes: least error within this many bytes of weights and buffers.
        bytes_share: least error within this share of the reference's bytes.
        time_share: least error within this share of the time of the reference's layers.
        min_sqnr: fewest bytes at this signal-to-quantization-noise ratio of the output, in dB.
        keep: fqns of layers that stay in the reference's precision.
        keep_norms: whether normalization layers stay in the reference's precision.
        native: whether to use only formats in which the device computes.
        split_ties: whether layers that share a weight may have two formats.

    Raises:
        InputError: not exactly one budget, nothing was measured, or no plan is within the budget.
    """
    budgets = {"max_bytes": max_bytes, "bytes_share": bytes_share, "time_share": time_share, "min_sqnr": min_sqnr}
    if sum(budget is not None for budget in budgets.values()) != 1:
        raise InputError(f"Give one budget: {', '.join(budgets)}.")
    for name in ("bytes_share", "time_share"):
        if (share := budgets[name]) is not None and not 0 < share <= 1:
            raise InputError(f"{name} = {share}: a share is above 0 and at most 1.")
    report, spec = report_in(result), result.spec
    computing = tuple(name for name in report.formats if any_format_named(name).computes)
    constraints = Constraints(
        keep=tuple(keep), keep_norms=keep_norms, formats=computing if native else None, tied_together=not split_ties
    )
    if min_sqnr is not None:
        planner = Planner(report=report, constraints=constraints, reference=spec.reference)
        return planner.least_cost(squared_error_of(report, min_sqnr))
    resource: Resource = "bytes" if time_share is None else "time"
    share = time_share if bytes_share is None else bytes_share
    budget = max_bytes if share is None else share_of(whole_of(report, spec.reference), share, resource)
    planner = Planner(report=report, resource=resource, constraints=constraints, reference=spec.reference)
    return planner.least_error(budget or 0)


def report_in(result: SensitivityResult) -> SensitivityReport:
    """What was measured.

    Raises:
        InputError: nothing was.
    """
    if result.report is None:
        raise InputError(result.failure.message if result.failure else "No layer was measured.")
    return result.report
