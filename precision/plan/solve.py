"""The best plan under a budget: the least error for some bytes or seconds, or the fewest of these for an error."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from precision.errors import InputError
from precision.plan.constraints import Constraints, Group, groups_of
from precision.plan.knapsack import Choice, Item, OverBudgetError, Step, choose, hull_steps
from precision.plan.totals import formats_of_layers, plan_of, uniform_choices, uniform_totals
from precision.results.plan import FrontPoint, Plan, Resource, Totals, Uniform
from precision.results.sensitivity import SensitivityReport
from precision.text.units import bytes_text, seconds_text

_TIGHTENED, _TIGHTER = 8, 0.98
"""How often, and by which factor, the limit on the summed errors is lowered where the joint error is above it."""

FREE = Constraints()
"""No constraints."""


@dataclass(frozen=True, kw_only=True)
class Planner:
    """Finds plans under constraints; what all plans of a sensitivity share is worked out once."""

    report: SensitivityReport
    """The sensitivity of the model's layers."""
    resource: Resource = "bytes"
    """What a plan costs: bytes of all weights and buffers, or seconds of all layers' calls."""
    constraints: Constraints = FREE
    """Of every plan."""
    reference: str = "float32"
    """The format of everything else."""

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The layers in groups, with only those options whose cost is known.

        Raises:
            InputError: the constraints cannot be met, or the cost of the reference's precision is not known.
        """
        found = groups_of(self.report, self.constraints, reference=self.reference)
        if any(group.options[0].cost(self.resource) is None for group in found):
            raise InputError("The layers' times were not measured: plan by bytes.")
        return tuple(
            Group(layers=group.layers, options=tuple(o for o in group.options if o.cost(self.resource) is not None))
            for group in found
        )

    @cached_property
    def items(self) -> list[list[Item]]:
        """Error and cost of every option."""
        return [
            [Item(option.squared_error, float(option.cost(self.resource) or 0)) for option in group.options]
            for group in self.groups
        ]

    @cached_property
    def steps(self) -> list[Step]:
        """From the cheapest plan to the most exact."""
        return hull_steps(self.items)

    @cached_property
    def one_format(self) -> tuple[FrontPoint, ...]:
        """One format for all layers except those that are kept: a plan has to be better than that."""
        return tuple(uniform_choices(self.report, self.constraints, reference=self.reference, known=self._uniform))

    @cached_property
    def _uniform(self) -> tuple[Uniform, ...]:
        return uniform_totals(self.report, self.reference)

    def least_error(self, budget: float) -> Plan:
        """The plan with the least predicted error that needs at most `budget` bytes or seconds.

        Chosen by the sum of the layers' errors, then compared with one format for all layers, whose error was measured.

        Raises:
            InputError: no plan is within the budget (the message says what the least is), the constraints cannot be
                met, or times were not measured.
        """
        fixed = self.report.fixed_bytes if self.resource == "bytes" else 0
        try:
            choice = choose(self.items, budget - fixed, steps=self.steps)
        except OverBudgetError as error:
            outside = f", of which {bytes_text(fixed)} lie outside the layers" if fixed else ""
            raise InputError(
                f"No plan fits in {self._amount(budget)}: the least possible is "
                f"{self._amount(error.least + fixed)}{outside}. "
                "Allow more, narrower formats, or fewer kept layers."
            ) from error
        plan = self._plan(choice)
        for uniform in self.one_format:
            cost = uniform.totals.cost(self.resource)
            if cost is not None and cost <= budget and _error(uniform.totals) < _error(plan.totals):
                plan = self._plan_of(uniform.formats, optimal=plan.optimal)
        return plan

    def least_cost(self, max_squared_error: float) -> Plan:
        """The plan with the fewest bytes or seconds whose predicted error is at most `max_squared_error`.

        There always is one, because the reference has no error.

        Args:
            max_squared_error: mean squared error of the model's output.

        Raises:
            InputError: the error is negative or NaN, the constraints cannot be met, or times were not measured.
        """
        if not max_squared_error >= 0:
            raise InputError(f"A squared error of at most {max_squared_error:g} is not possible: choose 0 or more.")
        items = [[Item(item.cost, item.value) for item in options] for options in self.items]
        plan = self._plan(choose(items, max_squared_error))
        limit = max_squared_error
        for _ in range(_TIGHTENED):
            if _error(plan.totals) <= max_squared_error:
                break
            limit *= _TIGHTER * max_squared_error / _error(plan.totals)
            plan = self._plan(choose(items, limit))
        else:
            plan = self._plan(choose(items, 0.0))
        for uniform in self.one_format:
            cost, least = uniform.totals.cost(self.resource), plan.totals.cost(self.resource)
            if cost is not None and least is not None and cost < least and _error(uniform.totals) <= max_squared_error:
                plan = self._plan_of(uniform.formats, optimal=plan.optimal)
        return plan.model_copy(update={"most_squared_error": max_squared_error})

    def _plan(self, choice: Choice) -> Plan:
        return self._plan_of(formats_of_layers(self.groups, choice.options), optimal=choice.optimal)

    def _plan_of(self, formats: Sequence[str], *, optimal: bool) -> Plan:
        return plan_of(self.report, formats, reference=self.reference, optimal=optimal, uniform=self._uniform)

    def _amount(self, amount: float) -> str:
        return bytes_text(math.floor(amount)) if self.resource == "bytes" else seconds_text(amount)


def squared_error_of(report: SensitivityReport, min_sqnr_db: float) -> float:
    """The squared error at which the output has this signal-to-quantization-noise ratio."""
    return report.output_mean_square / math.pow(10, min_sqnr_db / 10)


def _error(totals: Totals) -> float:
    return math.inf if totals.squared_error is None else totals.squared_error
