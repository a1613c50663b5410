"""Plans under a budget, against all combinations."""

from __future__ import annotations

import itertools
import math

import pytest

from precision.errors import InputError
from precision.plan.constraints import Constraints, groups_of
from precision.plan.front import front_of
from precision.plan.solve import Planner, squared_error_of
from precision.results.plan import Plan, Resource
from precision.results.sensitivity import SensitivityReport
from tests.plan.reports import contribution, layer, random_report, report


def every(measured: SensitivityReport, resource: Resource) -> list[tuple[float, float]]:
    """Error and cost of every combination of formats."""
    columns = []
    for each in measured.layers:
        time_s = each.reference_time_s or 0.0
        options = [(0.0, each.reference_bytes if resource == "bytes" else time_s)]
        options += [
            (choice.squared_error or 0.0, choice.stored_bytes if resource == "bytes" else choice.time_s or 0.0)
            for choice in each.contributions
        ]
        columns.append(options)
    fixed = measured.fixed_bytes if resource == "bytes" else 0
    return [
        (math.fsum(error for error, _ in chosen), fixed + math.fsum(cost for _, cost in chosen))
        for chosen in itertools.product(*columns)
    ]


def cost_of(plan: Plan, resource: Resource) -> float:
    cost = plan.totals.stored_bytes if resource == "bytes" else plan.totals.time_s
    assert cost is not None
    return cost


def formats(plan: Plan) -> dict[str, str]:
    return dict(plan.pairs)


@pytest.mark.parametrize("resource", ["bytes", "time"])
@pytest.mark.parametrize("seed", range(4))
def test_the_least_error_under_a_budget(resource: Resource, seed: int) -> None:
    measured = random_report(6, 3, seed=seed, fixed_bytes=1000)
    combinations = every(measured, resource)
    for budget in sorted(cost for _, cost in combinations)[:: len(combinations) // 7]:
        plan = Planner(report=measured, resource=resource).least_error(budget)
        expected = min(error for error, cost in combinations if cost <= budget * (1 + 1e-12))
        assert plan.optimal
        assert cost_of(plan, resource) <= budget * (1 + 1e-12)
        assert plan.totals.squared_error == pytest.approx(expected, rel=1e-9, abs=1e-30)


@pytest.mark.parametrize("resource", ["bytes", "time"])
def test_the_least_cost_for_an_error(resource: Resource) -> None:
    measured = random_report(6, 3, seed=9)
    combinations = every(measured, resource)
    for limit in sorted(error for error, _ in combinations)[:: len(combinations) // 7]:
        plan = Planner(report=measured, resource=resource).least_cost(limit * (1 + 1e-9))
        expected = min(cost for error, cost in combinations if error <= limit * (1 + 1e-9))
        assert (plan.totals.squared_error or 0) <= limit * (1 + 1e-9)
        assert cost_of(plan, resource) == pytest.approx(expected, rel=1e-9)


def test_a_plan_is_never_worse_than_one_format_for_all() -> None:
    measured = random_report(60, 5, seed=1)
    for uniform in Planner(report=measured).least_error(math.inf).uniform:
        plan = Planner(report=measured).least_error(uniform.totals.stored_bytes)
        assert (plan.totals.squared_error or 0) <= (uniform.totals.squared_error or 0)
        assert plan.totals.stored_bytes <= uniform.totals.stored_bytes


def test_no_limit_keeps_everything() -> None:
    measured = random_report(5, 2, seed=0)
    plan = Planner(report=measured).least_error(math.inf)
    assert set(formats(plan).values()) == {"float32"}
    assert (plan.totals.squared_error, plan.totals.sqnr_db) == (0, math.inf)
    assert plan.totals == plan.uniform[0].totals
    assert Planner(report=measured).least_cost(0).totals.squared_error == 0


def test_a_layer_that_overflows_is_kept_wider_by_every_plan() -> None:
    layers = [
        layer("good", (contribution(1e-6, 200), contribution(1e-4, 200))),
        layer("bad", (contribution(None, 200, nonfinite=3), contribution(1e-4, 200))),
        layer("worse", (contribution(1e-9, 200, nonfinite=1), contribution(None, 200))),
    ]
    measured = report(*layers, formats=("float16", "bfloat16"))
    for budget in (800, 1000, 1200):
        chosen = formats(Planner(report=measured).least_error(budget))
        assert chosen["bad"] != "float16"
        assert chosen["worse"] == "float32"
    assert all("float16" not in point.formats[1:] for point in front_of(Planner(report=measured)).points)
    uniform = {each.dtype: each.totals.squared_error for each in Planner(report=measured).least_error(900).uniform}
    assert uniform == {"float32": 0, "float16": None, "bfloat16": None}


def test_what_cannot_be_reached_says_what_can() -> None:
    measured = random_report(4, 3, seed=2, fixed_bytes=2_000_000)
    with pytest.raises(InputError, match=r"No plan fits in 10 B: the least possible is .*, of which 1\.91 MiB lie out"):
        Planner(report=measured).least_error(10)
    with pytest.raises(InputError, match=r"No plan fits in .*s: the least possible is"):
        Planner(report=measured, resource="time").least_error(0.1)
    with pytest.raises(InputError, match="is not possible: choose 0 or more"):
        Planner(report=measured).least_cost(math.nan)


def test_kept_layers_and_norms_stay() -> None:
    measured = random_report(20, 3, seed=3)
    constraints = Constraints(keep=("block.0.layer_2", "block.1"), keep_norms=True)
    least = Planner(report=measured, constraints=constraints).least_cost(1e9)
    kept = {fqn for fqn, name in least.pairs if name == "float32"}
    assert kept == {"block.0.layer_2", "block.0.layer_9", *(f"block.1.layer_{at}" for at in range(10, 20))}
    assert all(
        set(point.formats[10:]) == {"float32"}
        for point in front_of(Planner(report=measured, constraints=constraints)).points
    )


def test_only_formats_that_are_allowed() -> None:
    measured = random_report(10, 4, seed=4)
    plan = Planner(report=measured, constraints=Constraints(formats=("bfloat16", "float16"))).least_cost(1e9)
    assert {name for _, name in plan.pairs} <= {"bfloat16", "float16"}
    with pytest.raises(InputError, match=r"not measured in float64\. Measured: bfloat16, float16"):
        Planner(report=measured, constraints=Constraints(formats=("float64",))).least_cost(1)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"no layer block\.0\.layer_77 to keep, nor one inside it. Did you mean"):
        Planner(report=random_report(4, 2, seed=0), constraints=Constraints(keep=("block.0.layer_77",))).least_error(
            1e9
        )


def tied_report() -> SensitivityReport:
    """Two layers that share 400 bytes, one of which has 40 more; and a third."""
    return report(
        layer("embedding", (contribution(1e-6, 200),), tied_to=("head",)),
        layer("middle", (contribution(1e-3, 200),)),
        layer("head", (contribution(1e-2, 220),), reference_bytes=440, tied_to=("embedding",)),
        formats=("float16",),
    )


def test_layers_that_share_a_weight_get_one_format() -> None:
    measured = tied_report()
    plan = Planner(report=measured).least_error(640)
    assert formats(plan) == {"embedding": "float32", "middle": "float16", "head": "float32"}
    assert plan.totals.stored_bytes == 640
    assert plan.uniform[0].totals.stored_bytes == 840
    assert formats(Planner(report=measured).least_error(639)) == {
        "embedding": "float16",
        "middle": "float32",
        "head": "float16",
    }
    assert Planner(report=measured).least_error(639).totals.stored_bytes == 620


def test_a_tie_may_be_split_where_that_is_allowed() -> None:
    plan = Planner(report=tied_report(), constraints=Constraints(tied_together=False)).least_error(1040)
    assert formats(plan) == {"embedding": "float16", "middle": "float32", "head": "float32"}
    assert plan.totals.stored_bytes == 1040


def test_unmeasured_times_cannot_be_planned_with() -> None:
    measured = report(layer("a", (contribution(1e-3, 1),), time_s=None), formats=("float16",))
    with pytest.raises(InputError, match="The layers' times were not measured: plan by bytes"):
        Planner(report=measured, resource="time").least_error(1.0)
    half = report(layer("a", (contribution(1e-3, 1),)), formats=("int8",))
    assert formats(Planner(report=half, resource="time").least_error(1.0)) == {"a": "float32"}
    assert Planner(report=half).least_error(100).totals.time_s is None


def test_sqnr_as_a_budget() -> None:
    measured = random_report(30, 4, seed=5)
    plan = Planner(report=measured).least_cost(squared_error_of(measured, 45.0))
    assert plan.totals.sqnr_db is not None
    assert 45.0 <= plan.totals.sqnr_db < 46.0


@pytest.mark.parametrize("resource", ["bytes", "time"])
def test_the_front_goes_from_the_cheapest_to_the_exact_and_no_plan_beats_it(resource: Resource) -> None:
    measured = random_report(5, 3, seed=6, fixed_bytes=500)
    front = front_of(Planner(report=measured, resource=resource), points=1000)
    combinations = every(measured, resource)
    for point in front.points:
        cost = point.totals.stored_bytes if resource == "bytes" else point.totals.time_s
        assert cost is not None
        expected = min(error for error, other in combinations if other <= cost * (1 + 1e-12))
        assert point.totals.squared_error == pytest.approx(expected, rel=1e-9, abs=1e-30)
    errors = [point.totals.squared_error or 0.0 for point in front.points]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] == 0


def test_a_front_of_many_layers_is_a_few_dozen_points() -> None:
    front = front_of(Planner(report=random_report(300, 8, seed=7)))
    assert 20 <= len(front.points) <= 40
    assert len({point.totals.stored_bytes for point in front.points}) == len(front.points)


def test_a_model_without_layers() -> None:
    empty = report(formats=("float16",), fixed_bytes=8)
    assert Planner(report=empty).least_error(8).totals.stored_bytes == 8
    assert len(front_of(Planner(report=empty)).points) == 1


def test_the_best_plan_of_a_large_model_is_found() -> None:
    plan = Planner(report=random_report(500, 8, seed=8)).least_error(21_000_000)
    assert plan.optimal
    assert plan.totals.stored_bytes <= 21_000_000


def test_a_format_that_saves_nothing_is_no_option() -> None:
    norm = layer("norm", (contribution(0.0, 264), contribution(1e-9, 264, time_s=0.5)), reference_bytes=264)
    found = report(norm, formats=("int8", "float16"))
    (group,) = groups_of(found, Constraints(), reference="float32")
    assert [option.format for option in group.options] == ["float32", "float16"]
