"""The multiple-choice knapsack against all combinations."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from precision.plan import knapsack
from precision.plan.knapsack import Item, OverBudgetError, choose, hull_steps, total

items = st.builds(Item, st.integers(0, 50).map(float), st.integers(0, 50).map(float))
problems = st.lists(st.lists(items, min_size=1, max_size=4), min_size=1, max_size=6)


def best(groups: list[list[Item]], budget: float) -> float:
    """The least value of all combinations within the budget; infinite where there is none."""
    return min(
        (
            math.fsum(item.value for item in chosen)
            for chosen in itertools.product(*groups)
            if math.fsum(item.cost for item in chosen) <= budget
        ),
        default=math.inf,
    )


@given(problems, st.integers(0, 300))
@settings(max_examples=150)
def test_it_finds_the_best_of_all_combinations(groups: list[list[Item]], budget: int) -> None:
    expected = best(groups, budget)
    if expected == math.inf:
        with pytest.raises(OverBudgetError, match="The least possible cost"):
            choose(groups, budget)
        return
    choice = choose(groups, budget)
    value, cost = total(groups, choice.options)
    assert choice.optimal
    assert cost <= budget
    assert value == expected


@pytest.mark.parametrize("seed", range(20))
def test_of_values_that_spread_over_orders_of_magnitude(seed: int) -> None:
    random = np.random.default_rng(seed)
    groups = [
        [Item(float(10 ** random.uniform(-12, -2)), float(random.integers(1, 10**9))) for _ in range(4)]
        for _ in range(8)
    ]
    least, most = (sum(end(item.cost for item in options) for options in groups) for end in (min, max))
    budget = float(least + random.uniform(0.05, 0.6) * (most - least))
    choice = choose(groups, budget)
    value, cost = total(groups, choice.options)
    assert choice.optimal
    assert cost <= budget
    assert value == pytest.approx(best(groups, budget), rel=1e-9, abs=0)


def test_hard_instances_are_solved_too() -> None:
    """Values that follow the costs closely leave no bound to cut with."""
    random = np.random.default_rng(3)
    groups = [
        [Item(1000.0 - cost + float(random.integers(0, 3)), float(cost)) for cost in random.integers(1, 1000, 3)]
        for _ in range(9)
    ]
    assert total(groups, choose(groups, 3000).options).value == best(groups, 3000)


def test_every_vertex_of_the_hull_is_the_best_for_its_cost() -> None:
    random = np.random.default_rng(0)
    groups = [[Item(*map(float, random.integers(0, 100, 2))) for _ in range(4)] for _ in range(5)]
    chosen = [min(range(4), key=lambda at: (options[at].cost, options[at].value)) for options in groups]
    for step in hull_steps(groups):
        chosen[step.group] = step.option
        value, cost = total(groups, chosen)
        assert value == best(groups, cost)
    assert total(groups, chosen).value == sum(min(item.value for item in options) for options in groups)


def test_the_least_cost_is_told() -> None:
    with pytest.raises(OverBudgetError) as caught:
        choose([[Item(1, 5), Item(0, 9)], [Item(0, 7)]], 11)
    assert caught.value.least == 12


@pytest.mark.parametrize("seed", range(6))
def test_large_instances_against_a_mixed_integer_solver(seed: int) -> None:
    random = np.random.default_rng(seed)
    groups = [
        [Item(float(10 ** random.uniform(-6, -2)), float(random.integers(1, 10**6))) for _ in range(5)]
        for _ in range(120)
    ]
    least, most = (sum(end(item.cost for item in options) for options in groups) for end in (min, max))
    budget = least + (0.1 + 0.1 * seed) * (most - least)
    choice = choose(groups, budget)
    assert choice.optimal
    assert total(groups, choice.options).cost <= budget
    assert total(groups, choice.options).value == pytest.approx(by_mixed_integers(groups, budget), rel=1e-5)


def by_mixed_integers(groups: list[list[Item]], budget: float) -> float:
    flat = [item for options in groups for item in options]
    owner = np.repeat(np.arange(len(groups)), [len(options) for options in groups])
    one_each = np.equal.outer(np.arange(len(groups)), owner).astype(float)
    solution = milp(
        [item.value for item in flat],
        integrality=np.ones(len(flat)),
        bounds=Bounds(0, 1),
        constraints=(
            LinearConstraint(one_each, 1, 1),
            LinearConstraint(np.array([[item.cost / budget for item in flat]]), 0, 1),
        ),
        options={"mip_rel_gap": 0.0},
    )
    return float(solution.fun)


def test_many_equal_layers() -> None:
    groups = [[Item(0.0, 4.0), Item(1.0, 2.0), Item(5.0, 1.0)]] * 300
    choice = choose(groups, 801)
    assert choice.optimal
    assert total(groups, choice.options) == Item(200.0 - 1 + 0.5 + 0.5, 800.0)


def test_where_there_are_too_many_partial_choices_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knapsack, "MOST_PARTIAL_CHOICES", 3)
    random = np.random.default_rng(3)
    groups = [
        [Item(1000.0 - cost + float(random.integers(0, 3)), float(cost)) for cost in random.integers(1, 1000, 3)]
        for _ in range(9)
    ]
    choice = choose(groups, 3000)
    assert not choice.optimal
    assert total(groups, choice.options).cost <= 3000
    assert total(groups, choice.options).value < 1.1 * best(groups, 3000)
