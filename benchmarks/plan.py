"""Milliseconds of a plan, of large made-up models: what a slider waits for.

    python -m benchmarks.plan

The last rows are what a slider waits for in the web process besides the plan; the front is kept between its moves.
The columns: the median and the slowest of all budgets, and how many of the plans are proved to be the best.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median

from precision.charts.plan_front import plot_plan_front
from precision.charts.plan_strip import plot_plan_strip
from precision.plan.front import front_of
from precision.plan.solve import least_cost, least_error
from precision.results.plan import Plan
from precision.results.sensitivity import SensitivityReport
from tests.plan.reports import random_report

SIZES = ((100, 8), (500, 8), (2000, 8))
"""Layers and formats."""
BUDGETS = 25


def budgets(report: SensitivityReport) -> list[float]:
    """Bytes between the cheapest plan and the reference, evenly spread."""
    points = front_of(report).points
    low, high = points[0].totals.stored_bytes, points[-1].totals.stored_bytes
    return [low + (high - low) * at / BUDGETS for at in range(BUDGETS)]


def main() -> None:
    """Print one table for each size."""
    for layers, formats in SIZES:
        report = random_report(layers, formats, seed=layers)
        print(f"\n{layers} layers × {formats} formats")
        print(f"{'':24} {'median ms':>10} {'slowest':>8} {'optimal':>8}")
        errors = [point.totals.squared_error or 0.0 for point in front_of(report).points]
        seconds = [layers * share / BUDGETS for share in range(BUDGETS // 2, BUDGETS)]
        print_times("least error for bytes", partial(least_error, report), budgets(report))
        print_times("least error for time", partial(least_error, report, resource="time"), seconds)
        print_times("fewest bytes for error", partial(least_cost, report), errors)
        began = time.perf_counter()
        front_of(report)
        print(f"{'front':24} {1e3 * (time.perf_counter() - began):10.1f}")
        print_charts(report)


def print_times(name: str, plan: Callable[[float], Plan], limits: list[float]) -> None:
    """One row."""
    times, optimal = [], 0
    for limit in limits:
        began = time.perf_counter()
        optimal += plan(limit).optimal
        times.append(1e3 * (time.perf_counter() - began))
    print(f"{name:24} {median(times):10.1f} {max(times):8.1f} {optimal:5}/{len(limits)}")


def print_charts(report: SensitivityReport) -> None:
    """A row for each chart of the chosen plan, and one for a whole move of the slider."""
    front = front_of(report)
    times: dict[str, list[float]] = {"chart of the front": [], "chart of the formats": [], "a slider's move": []}
    for budget in budgets(report):
        start = time.perf_counter()
        plan = least_error(report, budget)
        planned = time.perf_counter()
        plot_plan_front(front, plan, report).to_json()
        drawn = time.perf_counter()
        plot_plan_strip(plan).to_json()
        end = time.perf_counter()
        for took, seconds in zip(times.values(), (drawn - planned, end - drawn, end - start), strict=True):
            took.append(1e3 * seconds)
    for name, took in times.items():
        print(f"{name:24} {median(took):10.1f} {max(took):8.1f}")


if __name__ == "__main__":
    main()
