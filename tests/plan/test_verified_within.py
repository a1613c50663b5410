"""Plans that are run until one holds what was asked."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from precision.errors import InputError
from precision.plan.solve import Planner, squared_error_of
from precision.plan.verify import verified_within
from precision.results.plan import Plan, Verification
from precision.spec import RunSpec
from tests.plan.reports import random_report

REPORT = random_report(20, 3, seed=3)


def plan_for(min_sqnr: float) -> Plan:
    return Planner(report=REPORT).least_cost(squared_error_of(REPORT, min_sqnr))


def run_with(factor: float | None) -> Callable[[Plan], Verification]:
    """A run whose squared error is `factor` times the predicted one; None: not finite."""

    def run(plan: Plan) -> Verification:
        predicted = plan.totals.squared_error or 0.0
        return Verification(
            spec=RunSpec(), predicted_squared_error=predicted,
            measured_squared_error=None if factor is None else factor * predicted, predicted_bytes=0,
            measured_bytes=None, estimated_bytes=None, predicted_time_s=None, measured_time_s=None,
            reference_time_s=None, failure=None,
        )  # fmt: skip

    return run


@pytest.mark.parametrize(("factor", "runs", "holds"), [(0.5, 1, True), (4.0, 2, True), (None, 1, False)])
def test_a_miss_is_followed_by_a_plan_for_less_error(factor: float | None, runs: int, holds: bool) -> None:
    tried = verified_within(plan_for(40), REPORT, plan_for, run_with(factor))
    assert [each.holds for each in tried] == [False] * (runs - 1) + [holds]
    assert {each.plan.most_squared_error for each in tried} == {squared_error_of(REPORT, 40)}
    assert all(later.plan.totals.stored_bytes > first.plan.totals.stored_bytes for first, later in pairwise(tried))


def test_a_few_are_run_at_most() -> None:
    tried = verified_within(plan_for(40), REPORT, lambda _: plan_for(40), run_with(4.0))
    assert [each.holds for each in tried] == [False] * 3


def test_it_ends_where_no_plan_has_less_error() -> None:
    def none(_: float) -> Plan:
        raise InputError("no plan")

    assert len(verified_within(plan_for(40), REPORT, none, run_with(4.0))) == 1


def test_a_plan_that_was_asked_for_no_error_is_run_once() -> None:
    free = plan_for(40).model_copy(update={"most_squared_error": None})
    (only,) = verified_within(free, REPORT, plan_for, run_with(4.0))
    assert only.holds
