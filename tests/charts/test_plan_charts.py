"""The charts of sensitivities and of plans, from every odd report."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator

import numpy as np
import plotly.graph_objects as go
import pytest

from precision.charts.frame import DETAIL_CHARACTERS, TITLE_CHARACTERS, alt_text
from precision.charts.plan_front import MeasuredPlan, _plan_front_info, plot_plan_front
from precision.charts.plan_strip import _plan_strip_info, plot_plan_strip
from precision.charts.predicted_exact import _predicted_exact_info, plot_predicted_exact
from precision.charts.sensitivity_heatmap import MAX_ROWS, _sensitivity_heatmap_info, plot_sensitivity_heatmap
from precision.charts.strip import MAX_BARS
from precision.plan.front import front_of
from precision.plan.solve import Planner
from precision.results import LayerSensitivity, SensitivityReport, UniformCheck
from precision.results.plan import Resource
from tests.charts.odd_results import HOSTILE_NAME
from tests.plan.reports import contribution, layer, random_report, report

OWN_TAGS = re.compile(r"</?(br|b|sup|extra)/?>")
MAX_JSON_BYTES = 500_000
FORMATS = ("float16", "int8")


def of(fqn: str, *errors: float | None, exact: float | None = None, nonfinite: int = 0) -> LayerSensitivity:
    made = [contribution(error, 100, time_s=0.5, nonfinite=nonfinite if error is None else 0) for error in errors]
    factor = {"exact_squared_error": None} if exact is None else {}
    return layer(
        fqn,
        tuple(
            each.model_copy(update=factor or {"exact_squared_error": (each.squared_error or 0.0) * (exact or 0.0)})
            for each in made
        ),
    )


def with_uniform(made: SensitivityReport, *pairs: tuple[float | None, float | None]) -> SensitivityReport:
    checks = tuple(
        UniformCheck(dtype=name, predicted_squared_error=predicted, measured_squared_error=measured)
        for name, (predicted, measured) in zip(made.formats, pairs, strict=False)
    )
    return made.model_copy(update={"uniform": checks})


def exactly(made: SensitivityReport) -> SensitivityReport:
    """With each measured error a tenth more than the predicted one, give or take a little by layer."""
    random = np.random.default_rng(0)
    layers = [
        each.model_copy(
            update={
                "contributions": tuple(
                    one.model_copy(
                        update={"exact_squared_error": (one.squared_error or 0) * 1.1 * random.uniform(0.9, 1.1)}
                    )
                    for one in each.contributions
                )
            }
        )
        for each in made.layers
    ]
    return made.model_copy(update={"layers": tuple(layers)})


REPORTS: dict[str, SensitivityReport] = {
    "no layer": report(formats=FORMATS),
    "no format": report(of("a"), formats=()),
    "one": report(of("a", 1e-4, 1e-3), formats=FORMATS),
    "exact": report(of("a", 0.0, 0.0), of("b", 0.0, 0.0), formats=FORMATS),
    "nothing finite": report(of("a", None, None, nonfinite=4), of("b", None, None, nonfinite=2), formats=FORMATS),
    "does not run": report(of("a", None, 1e-3), of("b", 1e-5, 1e-3), formats=FORMATS),
    "zero reference": report(of("a", 1e-4, 0.0), formats=FORMATS).model_copy(update={"output_mean_square": 0.0}),
    "enormous": report(of("a", 1e300, 1e-300), of("b", 1e-300, 1e300), formats=FORMATS),
    "worse than nothing": report(of("a", 1e4, 1e6), formats=FORMATS),
    "hostile": report(of(HOSTILE_NAME, 1e-4, 1e-3, exact=1.1), of("b", 1e-4, None, nonfinite=1), formats=FORMATS),
    "the model": report(of("", 1e-4, 1e-3), formats=FORMATS),
    "no bytes": report(layer("a", (contribution(1e-3, 0),), reference_bytes=0), formats=("float16",)),
    "no times": report(layer("a", (contribution(1e-3, 10),), time_s=None), formats=("float16",)),
    "many": exactly(random_report(1500, 8, seed=1)),
    "checked": with_uniform(
        exactly(random_report(40, 3, seed=2)), (1e-4, 1.1e-4), (2e-5, 2e-5), (None, None)
    ),
}  # fmt: skip


def every_chart(made: SensitivityReport) -> Iterator[go.Figure]:
    yield plot_sensitivity_heatmap(made)
    yield plot_sensitivity_heatmap(made, by="block", order="model order")
    yield plot_predicted_exact(made)
    if not made.layers or not made.formats:
        return
    plan = Planner(report=made).least_error(math.inf)
    yield plot_plan_strip(plan)
    resources: tuple[Resource, ...] = ("bytes", "time")
    for resource in resources:
        if all(each.reference_time_s is not None for each in made.layers):
            front = front_of(Planner(report=made, resource=resource))
            yield plot_plan_front(front, plan, made)
            runs = [MeasuredPlan(HOSTILE_NAME, error, plan.totals) for error in (0.0, 1e-3)]
            yield plot_plan_front(front, plan, made, runs=runs)


@pytest.mark.slow
@pytest.mark.parametrize("name", REPORTS)
def test_every_report_is_drawn(name: str) -> None:
    for figure in every_chart(REPORTS[name]):
        text = figure.to_json()
        assert len(text.encode()) < MAX_JSON_BYTES
        bare = re.sub(r'"[^"]*"', "", text)
        assert "NaN" not in bare
        assert "Infinity" not in bare
        assert "<" not in OWN_TAGS.sub("", text.encode().decode("unicode_escape"))
        assert max(map(len, map(html.unescape, figure.layout.title.text.split("<br>")))) <= TITLE_CHARACTERS
        detail = figure.layout.title.subtitle.text or ""
        assert max(map(len, map(html.unescape, detail.split("<br>")))) <= DETAIL_CHARACTERS
        assert alt_text(figure).endswith(".")


@pytest.mark.parametrize("name", ["no layer", "no format"])
def test_a_figure_without_layers_says_why(name: str) -> None:
    for figure in every_chart(REPORTS[name]):
        assert not figure.data
        assert figure.layout.annotations[0].text


def test_the_heatmap_writes_decibels_and_marks_what_has_none() -> None:
    made = report(of("a", 1e-4, 0.0), of("b", None, 1e-3, nonfinite=2), of("c", None, 10.0), formats=FORMATS)
    figure = plot_sensitivity_heatmap(made, order="model order")
    written = [
        (y, x, text)
        for trace in figure.data
        if trace.type == "scatter"
        for x, y, text in zip(trace.x, trace.y, trace.text, strict=True)
    ]
    assert [text for _, _, text in sorted(written)] == ["40", "=", "▲", "30", "–", "−10"]
    assert (
        _sensitivity_heatmap_info(made, by="layer", order="model order").title
        == "2 of 3 layers cannot compute in some format"
    )
    (row,) = _sensitivity_heatmap_info(REPORTS["one"], by="layer", order="worst first").rows
    assert row.name == "a"
    assert plot_sensitivity_heatmap(REPORTS["one"]).layout.title.text == "The least SQNR is 30 dB: a in int8"


@pytest.mark.slow
def test_of_many_layers_the_worst_are_drawn_or_neighbours_together_with_the_worst() -> None:
    worst = _sensitivity_heatmap_info(REPORTS["many"], by="layer", order="worst first")
    assert len(worst.rows) == MAX_ROWS
    assert f"the {MAX_ROWS} worst of 1,500 layers" in worst.detail
    together = _sensitivity_heatmap_info(REPORTS["many"], by="layer", order="model order")
    assert len(together.rows) == MAX_ROWS
    whole = [
        max(each.contributions[at].best_squared_error() or 0 for each in REPORTS["many"].layers) for at in range(8)
    ]
    drawn = [max(row.cells[at].squared_error or 0 for row in together.rows) for at in range(8)]
    assert drawn == whole


def test_the_correlation_is_that_of_the_logarithms_of_all_pairs() -> None:
    info = _predicted_exact_info(REPORTS["many"])
    made = [
        (math.log(one.squared_error or 0), math.log(one.exact_squared_error or 0))
        for each in REPORTS["many"].layers
        for one in each.contributions[:1]
    ]
    x, y = (np.array(side) - np.mean(side) for side in zip(*made, strict=True))
    assert info.formats[0].correlation == pytest.approx(float((x * y).sum() / math.sqrt((x**2).sum() * (y**2).sum())))
    assert info.formats[0].layers == 1500 > len(info.formats[0].pairs)
    assert "correlation at least" in info.title


def test_without_exact_runs_whole_casts_alone_are_compared() -> None:
    made = with_uniform(report(of("a", 1e-4, 1e-3), formats=FORMATS), (4e-4, 1e-4), (1e-3, None))
    info = _predicted_exact_info(made)
    assert [each.format for each in info.formats] == ["float16"]
    uniform = info.formats[0].uniform
    assert uniform is not None
    assert [uniform.predicted, uniform.measured] == pytest.approx([2e-2, 1e-2])
    assert info.title == "For the whole model, the predicted error is 2 times the measured one"
    assert [list(trace.text) for trace in plot_predicted_exact(made).data[1:]] == [["float16"]]


def test_an_exact_sweep_is_no_check_of_itself() -> None:
    made = report(of("a", 1e-4, 1e-3, exact=1.0), formats=FORMATS).model_copy(update={"method": "exact sweep"})
    assert not _predicted_exact_info(made).formats


def test_the_front_shows_whole_casts_and_what_was_measured_where_they_cost() -> None:
    made = REPORTS["checked"]
    plan = Planner(report=made).least_error(
        0.5 * Planner(report=made).least_error(math.inf).uniform[0].totals.stored_bytes
    )
    runs = [MeasuredPlan("some plan", 3e-4, plan.totals)]
    info = _plan_front_info(front_of(Planner(report=made)), plan, made, runs=runs)
    costs = [dot.cost for dot in info.front]
    assert costs == sorted(costs)
    assert [dot.sqnr_db for dot in info.front] == sorted(dot.sqnr_db for dot in info.front)
    assert [dot.dtype for dot in info.predicted] == ["float32", *made.formats[:2]]
    assert info.predicted[1].sqnr_db == pytest.approx(40.0)
    assert [dot.dtype for dot in info.measured] == [*made.formats[:2], ""]
    assert [dot.sqnr_db for dot in info.measured] == pytest.approx([-10 * math.log10(e) for e in (1.1e-4, 2e-5, 3e-4)])
    assert info.measured[0].cost == plan.uniform[1].totals.stored_bytes
    assert info.chosen.cost == plan.totals.stored_bytes
    drawn = plot_plan_front(front_of(Planner(report=made)), plan, made, runs=runs)
    assert [each[0] for each in drawn.data[0].customdata] == list(range(len(info.front)))


def test_a_whole_cast_that_is_not_finite_is_left_out_and_counted() -> None:
    made = report(of("a", None, 1e-3, nonfinite=1), of("b", 1e-4, 1e-3), formats=FORMATS)
    info = _plan_front_info(front_of(Planner(report=made)), Planner(report=made).least_error(math.inf), made, runs=())
    assert [dot.dtype for dot in info.predicted] == ["float32", "int8"]
    assert "1 without a finite error or a cost left out" in info.detail


def test_the_strip_has_a_bar_for_each_layer_or_for_neighbours_by_share() -> None:
    few = _plan_strip_info(Planner(report=REPORTS["checked"]).least_error(0.4 * 4 * 2e6))
    assert len(few.bars) == 40
    assert all(bar.layers == 1 for bar in few.bars)
    many = _plan_strip_info(Planner(report=REPORTS["many"]).least_error(math.inf))
    assert len(many.bars) <= MAX_BARS
    assert sum(bar.layers for bar in many.bars) == 1500
    assert many.title == "All 1,500 layers in float32"
