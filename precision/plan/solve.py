"""The best plan under a budget: the least error for some bytes or seconds, or the fewest of these for an error."""

import math
from collections.abc import Sequence

from precision.errors import InputError
from precision.plan.constraints import Constraints, Group, groups_of
from precision.plan.knapsack import Choice, Item, OverBudgetError, choose
from precision.plan.totals import formats_of_layers, plan_of, uniform_choices
from precision.results.plan import Plan, Resource, Totals
from precision.results.sensitivity import SensitivityReport
from precision.text.units import bytes_text, seconds_text

_TIGHTENED, _TIGHTER = 8, 0.98
"""How often, and by which factor, the limit on the summed errors is lowered where the joint error is above it."""

FREE = Constraints()
"""No constraints."""


def least_error(
    report: SensitivityReport,
    budget: float,
    *,
    resource: Resource = "bytes",
    constraints: Constraints = FREE,
    reference: str = "float32",
) -> Plan:
    """The plan with the least predicted error that needs at most `budget`.

    Chosen by the sum of the layers' errors, then compared with one format for all layers, whose error was measured.

    Args:
        report: the sensitivity of the model's layers.
        budget: bytes of all weights and buffers, or seconds of all layers' calls.
        resource: which of these.
        constraints: of the plan.
        reference: the format of everything else.

    Raises:
        InputError: no plan is within the budget (the message says what the least is), the constraints cannot be
            met, or times were not measured.
    """
    groups = priced(groups_of(report, constraints, reference=reference), resource)
    fixed = report.fixed_bytes if resource == "bytes" else 0
    items = items_of(groups, resource)
    try:
        choice = choose(items, budget - fixed)
    except OverBudgetError as error:
        outside = f", of which {bytes_text(fixed)} lie outside the layers" if fixed else ""
        raise InputError(
            f"No plan fits in {_amount(budget, resource)}: the least possible is "
            f"{_amount(error.least + fixed, resource)}{outside}. "
            "Allow more, narrower formats, or fewer kept layers."
        ) from error
    plan = _plan(report, groups, choice, reference)
    for uniform in uniform_choices(report, constraints, reference=reference, known=plan.uniform):
        cost = uniform.totals.cost(resource)
        if cost is not None and cost <= budget and _error(uniform.totals) < _error(plan.totals):
            plan = plan_of(report, uniform.formats, reference=reference, optimal=plan.optimal)
    return plan


def least_cost(
    report: SensitivityReport,
    max_squared_error: float,
    *,
    resource: Resource = "bytes",
    constraints: Constraints = FREE,
    reference: str = "float32",
) -> Plan:
    """The plan with the fewest bytes or seconds whose predicted error is at most `max_squared_error`.

    There always is one, because the reference has no error.

    Args:
        report: the sensitivity of the model's layers.
        max_squared_error: mean squared error of the model's output.
        resource: what to minimize.
        constraints: of the plan.
        reference: the format of everything else.

    Raises:
        InputError: the error is negative or NaN, the constraints cannot be met, or times were not measured.
    """
    if not max_squared_error >= 0:
        raise InputError(f"A squared error of at most {max_squared_error:g} is not possible: choose 0 or more.")
    groups = priced(groups_of(report, constraints, reference=reference), resource)
    items = [[Item(item.cost, item.value) for item in options] for options in items_of(groups, resource)]
    plan = _plan(report, groups, choose(items, max_squared_error), reference)
    limit = max_squared_error
    for _ in range(_TIGHTENED):
        if _error(plan.totals) <= max_squared_error:
            break
        limit *= _TIGHTER * max_squared_error / _error(plan.totals)
        plan = _plan(report, groups, choose(items, limit), reference)
    else:
        plan = _plan(report, groups, choose(items, 0.0), reference)
    for uniform in uniform_choices(report, constraints, reference=reference, known=plan.uniform):
        cost, least = uniform.totals.cost(resource), plan.totals.cost(resource)
        if cost is not None and least is not None and cost < least and _error(uniform.totals) <= max_squared_error:
            plan = plan_of(report, uniform.formats, reference=reference, optimal=plan.optimal)
    return plan.model_copy(update={"most_squared_error": max_squared_error})


def squared_error_of(report: SensitivityReport, min_sqnr_db: float) -> float:
    """The squared error at which the output has this signal-to-quantization-noise ratio."""
    return report.output_mean_square / math.pow(10, min_sqnr_db / 10)


def priced(groups: Sequence[Group], resource: Resource) -> tuple[Group, ...]:
    """The groups with only those options whose cost is known.

    Raises:
        InputError: the cost of the reference's precision is not known.
    """
    priced = tuple(
        Group(layers=group.layers, options=tuple(o for o in group.options if o.cost(resource) is not None))
        for group in groups
    )
    if any(group.options[0].cost(resource) is None for group in groups):
        raise InputError("The layers' times were not measured: plan by bytes.")
    return priced


def items_of(groups: Sequence[Group], resource: Resource) -> list[list[Item]]:
    """Error and cost of every option of priced groups."""
    return [[Item(o.squared_error, float(o.cost(resource) or 0)) for o in group.options] for group in groups]


def _plan(report: SensitivityReport, groups: Sequence[Group], choice: Choice, reference: str) -> Plan:
    formats = formats_of_layers(groups, choice.options)
    return plan_of(report, formats, reference=reference, optimal=choice.optimal)


def _error(totals: Totals) -> float:
    return math.inf if totals.squared_error is None else totals.squared_error


def _amount(amount: float, resource: Resource) -> str:
    return bytes_text(math.floor(amount)) if resource == "bytes" else seconds_text(amount)
