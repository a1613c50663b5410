"""Milliseconds of a plan, of large made-up models: what a slider waits for.

    python -m benchmarks.plan

The last rows are what a slider waits for in the web process besides the plan; the planner and the front are kept
between its moves. The columns: the median and the slowest of all budgets, and how many of the plans are proved to be
the best.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from precision.charts.plan_front import plot_plan_front
from precision.charts.plan_strip import plot_plan_strip
from precision.plan.front import front_of
from precision.plan.solve import Planner
from precision.results.plan import Front, Plan
from tests.plan.reports import random_report

SIZES = ((100, 8), (500, 8), (2000, 8))
"""Layers and formats."""
BUDGETS = 25


def budgets(front: Front) -> list[float]:
    """Bytes between the cheapest plan and the reference, evenly spread."""
    low, high = front.points[0].totals.stored_bytes, front.points[-1].totals.stored_bytes
    return [low + (high - low) * at / BUDGETS for at in range(BUDGETS)]


def main() -> None:
    """Print one table for each size."""
    for layers, formats in SIZES:
        report = random_report(layers, formats, seed=layers)
        print(f"\n{layers} layers × {formats} formats")
        began = time.perf_counter()
        planner = Planner(report=report)
        front = front_of(planner)
        print(f"{'the first front':24} {1e3 * (time.perf_counter() - began):10.1f}")
        print(f"{'':24} {'median ms':>10} {'slowest':>8} {'optimal':>8}")
        errors = [point.totals.squared_error or 0.0 for point in front.points]
        seconds = [layers * share / BUDGETS for share in range(BUDGETS // 2, BUDGETS)]
        print_times("least error for bytes", planner.least_error, budgets(front))
        print_times("least error for time", Planner(report=report, resource="time").least_error, seconds)
        print_times("fewest bytes for error", planner.least_cost, errors)
        print_charts(planner, front)


def print_times(name: str, plan: Callable[[float], Plan], limits: list[float]) -> None:
    """One row."""
    times, optimal = [], 0
    for limit in limits:
        began = time.perf_counter()
        optimal += plan(limit).optimal
        times.append(1e3 * (time.perf_counter() - began))
    print(f"{name:24} {median(times):10.1f} {max(times):8.1f} {optimal:5}/{len(limits)}")


def print_charts(planner: Planner, front: Front) -> None:
    """A row for each chart of the chosen plan, and one for a whole move of the slider."""
    times: dict[str, list[float]] = {"chart of the front": [], "chart of the formats": [], "a slider's move": []}
    for budget in budgets(front):
        start = time.perf_counter()
        plan = planner.least_error(budget)
        planned = time.perf_counter()
        plot_plan_front(front, plan, planner.report).to_json()
        drawn = time.perf_counter()
        plot_plan_strip(plan).to_json()
        end = time.perf_counter()
        for took, seconds in zip(times.values(), (drawn - planned, end - drawn, end - start), strict=True):
            took.append(1e3 * seconds)
    for name, took in times.items():
        print(f"{name:24} {median(took):10.1f} {max(took):8.1f}")


if __name__ == "__main__":
    main()
