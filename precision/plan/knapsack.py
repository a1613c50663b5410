"""The multiple-choice knapsack: one option of each group, with the least total value within a budget of cost."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from precision.errors import InputError

MOST_PARTIAL_CHOICES = 100_000
"""Partial choices kept for each group; where there are more, the result need not be the best choice."""
_EQUAL = 1e-12
"""Values with a smaller relative difference are equal: their sums round by as much."""


IntArray = NDArray[np.intp]


class Item(NamedTuple):
    """One option."""

    value: float
    """To be minimized."""
    cost: float


class Step(NamedTuple):
    """From one option of a group to the next on the lower convex hull: a higher cost, a lower value."""

    slope: float
    """Value saved per unit of cost."""
    group: int
    option: int
    cost: float


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One option of each group."""

    options: tuple[int, ...]
    optimal: bool


class OverBudgetError(InputError):
    """No choice is within the budget."""

    def __init__(self, least: float) -> None:
        super().__init__(f"The least possible cost is {least:g}.")
        self.least = least


def choose(groups: Sequence[Sequence[Item]], budget: float, *, steps: Sequence[Step] | None = None) -> Choice:
    """The choice of least total value whose total cost is at most `budget`.

    The relaxed problem, in which options may be mixed, is solved by steps along the convex hulls of the groups, and
    rounded to a choice. Options that cannot be part of a better choice are left out. The rest, few options of few
    groups, is solved exactly by going through all partial choices that can still lead to a better choice. Values that
    differ by less than the rounding of sums are equal.

    Args:
        groups: options of each group, at least one; values and costs are finite and not negative.
        budget: in the unit of the costs.
        steps: `hull_steps` of the groups, where they are known.

    Raises:
        OverBudgetError: even the cheapest options cost more.

    Source: Sinha and Zoltners, "The Multiple-Choice Knapsack Problem", Operations Research 27 (1979); Pisinger, "A
    minimal algorithm for the multiple-choice knapsack problem", European Journal of Operational Research 83 (1995).
    """
    cheapest = cheapest_choice(groups)
    budget += abs(budget) * _EQUAL
    least = math.fsum(items[at].cost for items, at in zip(groups, cheapest, strict=True))
    if least > budget:
        raise OverBudgetError(least)
    rounded, slope = _rounded(groups, cheapest, hull_steps(groups) if steps is None else steps, budget)
    if slope is None:
        return Choice(options=rounded, optimal=True)
    reduced = [np.array([item.value + slope * item.cost for item in items]) for items in groups]
    bound = math.fsum(float(column.min()) for column in reduced) - slope * budget
    gap = total(groups, rounded).value - bound
    if gap <= _EQUAL * abs(bound):
        return Choice(options=rounded, optimal=True)
    core = [np.flatnonzero(column - column.min() < gap).tolist() for column in reduced]
    return _exact(groups, core, rounded, budget=budget, slope=slope)


def total(groups: Sequence[Sequence[Item]], options: Sequence[int]) -> Item:
    """Value and cost of a choice."""
    chosen = [items[at] for items, at in zip(groups, options, strict=True)]
    return Item(math.fsum(item.value for item in chosen), math.fsum(item.cost for item in chosen))


def hull_steps(groups: Sequence[Sequence[Item]]) -> list[Step]:
    """The steps along the lower convex hulls of all groups, from their cheapest options; the steepest first.

    After each step, what has been chosen is the least value for its cost: a point of the convex front.
    """
    steps = [step for group, items in enumerate(groups) for step in _steps(group, items)]
    return sorted(steps, key=lambda step: -step.slope)


def cheapest_choice(groups: Sequence[Sequence[Item]]) -> list[int]:
    """The cheapest option of each group; of equally cheap options, the one with the least value."""
    return [_cheapest(items) for items in groups]


def _cheapest(items: Sequence[Item]) -> int:
    return min(range(len(items)), key=lambda at: (items[at].cost, items[at].value))


def _steps(group: int, items: Sequence[Item]) -> Iterator[Step]:
    at = _cheapest(items)
    dearer = [option for option, item in enumerate(items) if item.value < items[at].value]
    while dearer:
        value, cost = items[at]
        slope, _, option = max(
            ((value - items[other].value) / (items[other].cost - cost), items[other].cost, other) for other in dearer
        )
        yield Step(slope, group, option, items[option].cost - cost)
        at = option
        dearer = [other for other in dearer if items[other].value < items[at].value]


def _rounded(
    groups: Sequence[Sequence[Item]], cheapest: Sequence[int], steps: Sequence[Step], budget: float
) -> tuple[tuple[int, ...], float | None]:
    """The choice after every step that still fits, and the slope of the first that did not; None where all fit."""
    chosen = list(cheapest)
    left = budget - total(groups, chosen).cost
    slope: float | None = None
    for step in steps:
        change = groups[step.group][step.option].cost - groups[step.group][chosen[step.group]].cost
        if change <= left:
            left -= change
            chosen[step.group] = step.option
        elif slope is None:
            slope = step.slope
    if slope is not None:
        _fill(groups, chosen, budget)
    return tuple(chosen), slope


def _fill(groups: Sequence[Sequence[Item]], chosen: list[int], budget: float) -> None:
    """Repeatedly take the option that saves most of those that fit."""
    left = budget - total(groups, chosen).cost
    while True:
        better = [
            (now.value - item.value, group, option)
            for group, items in enumerate(groups)
            for now in (items[chosen[group]],)
            for option, item in enumerate(items)
            if item.value < now.value and item.cost - now.cost <= left
        ]
        if not better:
            return
        _, group, option = max(better)
        left -= groups[group][option].cost - groups[group][chosen[group]].cost
        chosen[group] = option


def _exact(
    groups: Sequence[Sequence[Item]],
    core: Sequence[Sequence[int]],
    rounded: tuple[int, ...],
    *,
    budget: float,
    slope: float,
) -> Choice:
    """The best choice among the options of `core`, or `rounded` where that is as good.

    Group by group, it keeps the partial choices whose bound is better than `rounded` and that no other partial choice
    beats in both value and cost.
    """
    reduced = [
        np.array([groups[group][option].value + slope * groups[group][option].cost for option in options])
        for group, options in enumerate(core)
    ]
    # What the groups still to come add at least, to the bound and to the cost.
    floors = np.cumsum([0.0, *(column.min() for column in reversed(reduced))])[::-1]
    cheapest = [min(groups[group][option].cost for option in options) for group, options in enumerate(core)]
    lows = np.cumsum([0.0, *reversed(cheapest)])[::-1]
    best = total(groups, rounded).value
    values, costs = np.zeros(1), np.zeros(1)
    parents: list[tuple[IntArray, IntArray]] = []
    optimal = True
    for group, options in enumerate(core):
        if len(options) == 1:
            only = groups[group][options[0]]
            parents.append((np.zeros(values.size, dtype=np.intp), np.arange(values.size)))
            values, costs = values + only.value, costs + only.cost
            continue
        grown = np.add.outer([groups[group][option].value for option in options], values).ravel()
        spent = np.add.outer([groups[group][option].cost for option in options], costs).ravel()
        bound = grown + slope * (spent - budget) + floors[group + 1]
        order = np.flatnonzero((spent + lows[group + 1] <= budget) & (bound < best))
        order = order[np.lexsort((grown[order], spent[order]))]
        least = np.minimum.accumulate(grown[order])
        order = order[np.concatenate(([True], least[1:] < least[:-1]))[: order.size]]
        if order.size > MOST_PARTIAL_CHOICES:
            optimal = False
            order = np.sort(order[np.argsort(bound[order])[:MOST_PARTIAL_CHOICES]])
        parents.append((order // values.size, order % values.size))
        values, costs = grown[order], spent[order]
    if not values.size:
        return Choice(options=rounded, optimal=optimal)
    chosen = _traced(core, parents, int(np.argmin(values)))
    better = total(groups, chosen).value < best and total(groups, chosen).cost <= budget
    return Choice(options=chosen if better else rounded, optimal=optimal)


def _traced(core: Sequence[Sequence[int]], parents: Sequence[tuple[IntArray, IntArray]], last: int) -> tuple[int, ...]:
    """The options that led to partial choice number `last`."""
    chosen = []
    for options, (taken, before) in zip(reversed(core), reversed(parents), strict=True):
        chosen.append(options[int(taken[last])])
        last = int(before[last])
    return tuple(reversed(chosen))
