"""The Pareto front of error against bytes or time."""

import math
from collections.abc import Iterator, Sequence

from precision.plan.knapsack import Step, cheapest_choice
from precision.plan.solve import Planner
from precision.plan.totals import formats_of_layers, totals_of
from precision.results.plan import Front, FrontPoint, Resource

POINTS = 40
"""The largest number of vertices to show."""


def front_of(planner: Planner, *, points: int = POINTS) -> Front:
    """Plans that no other plan beats, from the cheapest to the most exact.

    They are vertices of the convex hull of the summed errors of the layers: each is the best for its own cost, and for
    some price of a byte or second. `Planner.least_error` finds other plans between two of them. One format for all
    layers is a point too, unless another plan beats it.

    Args:
        planner: of the layers; says what is traded for error.
        points: the largest number, evenly spread over the cost; at least 2.

    Raises:
        InputError: the constraints cannot be met, or times were not measured.
    """
    steps = planner.steps
    chosen = cheapest_choice(planner.items)
    shown: list[FrontPoint] = []
    wanted = _spread(steps, points)
    for at in range(len(steps) + 1):
        if at:
            chosen[steps[at - 1].group] = steps[at - 1].option
        if at in wanted:
            formats = formats_of_layers(planner.groups, chosen)
            shown.append(FrontPoint(formats=formats, totals=totals_of(planner.report, formats, planner.reference)))
    shown += planner.one_format
    return Front(resource=planner.resource, points=tuple(_undominated(shown, planner.resource)))


def _undominated(points: Sequence[FrontPoint], resource: Resource) -> Iterator[FrontPoint]:
    """The points that no other point beats in both error and cost, the cheapest first."""
    least = math.inf
    priced = [(cost, point) for point in points if (cost := point.totals.cost(resource)) is not None]
    for _, point in sorted(priced, key=lambda each: (each[0], each[1].totals.squared_error or 0.0)):
        error = point.totals.squared_error
        if error is not None and error < least:
            least = error
            yield point


def _spread(steps: Sequence[Step], points: int) -> frozenset[int]:
    """Numbers of steps, from none to all, with about evenly spread costs."""
    whole = sum(step.cost for step in steps)
    wanted, cost = {0, len(steps)}, 0.0
    for at, step in enumerate(steps, start=1):
        before, cost = cost, cost + step.cost
        if int(before / whole * (points - 2)) != int(cost / whole * (points - 2)):
            wanted.add(at)
    return frozenset(wanted)
