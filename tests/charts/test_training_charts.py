"""The charts of a training step, from every odd report."""

from __future__ import annotations

import html
import math
import re

import plotly.graph_objects as go
import pytest
import torch

from precision.charts.frame import DETAIL_CHARACTERS, TITLE_CHARACTERS, alt_text
from precision.charts.gradient_errors import MAX_ROWS, _gradient_errors_info, plot_gradient_errors
from precision.charts.gradient_exponents import _gradient_exponents_info, _shares, plot_gradient_exponents
from precision.findings.fit.rounding import window_of
from precision.formats import format_named
from precision.results.training import (
    GradientErrors,
    ParameterGradient,
    TrainingRecipe,
    TrainingReport,
    Way,
)
from tests.charts.odd_results import HOSTILE_NAME
from tests.measure.ranges.histograms import exponent_histogram

WAYS: tuple[Way, ...] = ("pure", "autocast")
FLOAT16, BFLOAT16 = format_named("float16"), format_named("bfloat16")
GRADIENTS = torch.tensor([0.0, 2.0**-30, 1.5 * 2.0**-26, 1.5 * 2.0**-25, 2.0**-20, 2.0**-3, -(2.0**4), 2.0**-27])


def errors(l2: float | None, underflowed: int = 0, *, nonzero: int = 10) -> GradientErrors:
    return GradientErrors(
        elements=20, nonzero=nonzero, underflowed=underflowed, infinite=0, nan=0, normalized_l2=l2,
        cosine_similarity=None,
    )  # fmt: skip


def recipe(way: Way, rows: list[GradientErrors], *, scaled: bool = False) -> TrainingRecipe:
    return TrainingRecipe(
        way=way, scaled=scaled, loss=1.0, scales=(65536.0,) if scaled else (), made=None,
        overall=rows[0] if rows else None, parameters=tuple(rows), steps=(),
    )  # fmt: skip


def report(names: list[str], *recipes: TrainingRecipe, gradients: torch.Tensor = GRADIENTS) -> TrainingReport:
    histogram = exponent_histogram(gradients)
    return TrainingReport(
        loss_words="a loss",
        loss=1.0,
        parameters=tuple(ParameterGradient(fqn=name, shape=(2,), histogram=histogram) for name in names),
        float64_missing="",
        gradients=histogram,
        without_gradient=(),
        recipes=recipes,
    )


def with_rounding(found: TrainingReport, *places: int) -> TrainingReport:
    rows = [
        row.model_copy(update={"float32_error": 1e8 if at in places else 1e-6})
        for at, row in enumerate(found.parameters)
    ]
    return found.model_copy(update={"parameters": tuple(rows)})


REPORTS = {
    "nothing": report([], gradients=torch.zeros(0)),
    "zeros": report(["a"], recipe("pure", [errors(0.0, nonzero=0)]), gradients=torch.zeros(3)),
    "failed": report(["a"], recipe("pure", [])),
    "usual": report(
        ["layers.0.weight", "layers.0.bias"],
        recipe("pure", [errors(0.5, 3), errors(1e-3)]),
        recipe("pure", [errors(1e-4), errors(1e-4)], scaled=True),
        recipe("autocast", [errors(1e-4), errors(None)]),
        recipe("autocast", [errors(float("inf")), errors(0.0)], scaled=True),
    ),
    "not finite": report(["a"], recipe("pure", [errors(None)]), gradients=torch.tensor([torch.inf, torch.nan, 1.0])),
    "far apart": report(["a"], recipe("pure", [errors(1e-30)]), gradients=torch.tensor([1e-45, 3e38])),
    "hostile": report([HOSTILE_NAME, "x" * 300], recipe("pure", [errors(0.1), errors(0.2)])),
    "broken": report(
        ["a", "b"], recipe("pure", [errors(None).model_copy(update={"nan": 3}), errors(0.1)]), recipe("autocast", [])
    ),
    "rounding": with_rounding(report(["a", "b"], recipe("pure", [errors(7e3, 9), errors(0.1)])), 0),
    "nothing but rounding": with_rounding(report(["a"], recipe("pure", [errors(7e3, 9)])), 0),
    "thousands": report(
        [f"layers.{n}.weight" for n in range(3000)], recipe("pure", [errors(1e-3 * (1 + n % 9)) for n in range(3000)])
    ),
}


def figures(found: TrainingReport) -> list[go.Figure]:
    return [
        plot_gradient_exponents(found, FLOAT16, scale=None),
        plot_gradient_exponents(found, BFLOAT16, scale=65536.0),
        plot_gradient_errors(found, "float16"),
        plot_gradient_errors(found, "bfloat16", quantity="underflow"),
    ]


@pytest.mark.parametrize("found", REPORTS.values(), ids=REPORTS.keys())
def test_every_report_is_drawn(found: TrainingReport) -> None:
    for figure in figures(found):
        text = figure.to_json()
        assert len(text) < 100_000
        assert "NaN" not in re.sub(r'"[^"]*"', "", text)
        assert "Infinity" not in text
        lines = figure.layout.title.text.split("<br>")
        assert max(map(len, map(html.unescape, lines))) <= TITLE_CHARACTERS
        details = (figure.layout.title.subtitle.text or "").split("<br>")
        assert max(map(len, map(html.unescape, details))) <= DETAIL_CHARACTERS
        assert alt_text(figure).endswith(".")
        assert "<img" not in text
        assert "\u202e" not in text


def test_shares_below_the_window_are_those_counted_by_rounding() -> None:
    nonzero = GRADIENTS[GRADIENTS != 0]
    for scale in (None, 2.0**6, 2.0**16):
        scaled = nonzero * (scale or 1.0)
        window = window_of(FLOAT16).of_values_times(round(math.log2(scale or 1.0)))
        shares = _shares(exponent_histogram(GRADIENTS), window)
        assert shares.zero == pytest.approx(float((scaled.half() == 0).float().mean()))
        below = (scaled.half() != 0) & (scaled.abs() < 2.0**-14)
        assert shares.subnormal == pytest.approx(float(below.float().mean()))
        assert shares.overflow == pytest.approx(float(scaled.half().isinf().float().mean()))


def test_the_title_says_what_scaling_does() -> None:
    title = _gradient_exponents_info(exponent_histogram(GRADIENTS), FLOAT16, 2.0**16).title
    start = "42.9 % of the gradients are too small for float16"
    assert title == f"{start}, none once multiplied by 65,536, and 14.3 % too large"
    assert _gradient_exponents_info(exponent_histogram(GRADIENTS), FLOAT16, None).title == start
    large = _gradient_exponents_info(exponent_histogram(torch.tensor([1.0, 1e6])), FLOAT16, None).title
    assert large == "No gradient is too small for float16, and 50.0 % too large"


def test_bars_move_by_the_scale() -> None:
    figure = plot_gradient_exponents(REPORTS["usual"], FLOAT16, scale=2.0**16)
    first, second = figure.data
    assert [at + 16 for at in first.x] == list(second.x)
    assert list(first.y) == list(second.y)
    assert sum(first.y) == pytest.approx(1.0)


def test_points_are_the_errors_of_the_recipes() -> None:
    info = _gradient_errors_info(REPORTS["usual"], "float16", "error")
    assert info.labels == ("weight", "bias")
    assert [(each.recipe, each.values) for each in info.points] == [
        ("pure", (0.5, 1e-3)),
        ("pure, scaled", (1e-4, 1e-4)),
        ("autocast", (1e-4, None)),
        ("autocast, scaled", (None, 0.0)),
    ]
    assert info.title == "Largest error: 0.5 in layers.0.weight (pure)"
    lost = _gradient_errors_info(REPORTS["usual"], "float16", "underflow")
    assert lost.points[0].values == (0.3, 0.0)
    assert lost.title == "Most lost: 30 % in layers.0.weight (pure)"


def test_many_parameters_are_drawn_as_neighbours_with_the_largest() -> None:
    info = _gradient_errors_info(REPORTS["thousands"], "float16", "error")
    assert len(info.labels) == MAX_ROWS
    assert set(info.points[0].values) == {1e-3 * 9}


def test_parameters_whose_gradient_is_rounding_are_not_drawn() -> None:
    info = _gradient_errors_info(REPORTS["rounding"], "float16", "error")
    assert (info.labels, info.points[0].values) == (("b",), (0.1,))
    assert info.title == "Largest error: 0.1 in b (pure)"
    assert info.detail == "without 1 parameter whose gradient is rounding in float32 too"
    assert _gradient_errors_info(REPORTS["rounding"], "float16", "underflow").title == "No gradient becomes zero"
    none = _gradient_errors_info(REPORTS["nothing but rounding"], "float16", "error")
    assert none.empty == "Every gradient in float32 is mostly rounding error."


def test_parameters_with_an_infinite_gradient_are_said_not_to_be_drawn() -> None:
    info = _gradient_errors_info(REPORTS["broken"], "float16", "error")
    assert info.points[0].values == (None, 0.1)
    assert info.detail == "no point where a gradient is infinite or NaN: up to 1 parameter"
    assert _gradient_errors_info(REPORTS["not finite"], "float16", "error").title == "No error of a gradient is finite"


def test_points_of_equal_errors_lie_beside_each_other() -> None:
    same = report(["a"], *(recipe(way, [errors(0.1)], scaled=scaled) for way in WAYS for scaled in (False, True)))
    heights = [trace.y[0] for trace in plot_gradient_errors(same, "float16").data]
    assert len(set(heights)) == 4
    assert max(map(abs, heights)) < 0.5


def test_a_thin_tail_of_tiny_gradients_is_not_drawn_but_counted() -> None:
    tail = torch.cat([torch.full((5,), 2.0**-140), torch.full((9995,), 0.5)])
    info = _gradient_exponents_info(exponent_histogram(tail), FLOAT16, None)
    assert info.exponents[-1] == -1
    assert sum(info.shares) == pytest.approx(0.9995)
    assert "5 gradients below" in info.detail
    thick = torch.cat([torch.full((50,), 2.0**-140), torch.full((9950,), 0.5)])
    assert sum(_gradient_exponents_info(exponent_histogram(thick), FLOAT16, None).shares) == pytest.approx(1.0)
