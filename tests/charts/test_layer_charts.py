"""Charts of a lockstep run draw what was measured, from every odd report."""

from __future__ import annotations

import math
import re

import pytest

from precision.charts.error_along_depth import MAX_LAYERS, _depth_info, plot_error_along_depth
from precision.charts.error_tree import _tree_info, plot_error_tree
from precision.charts.frame import alt_text
from precision.charts.icicle import MAX_NODES
from precision.charts.layer_corners import _corners_info, plot_layer_corners
from precision.charts.layer_errors import _octaves_info, plot_layer_errors
from precision.errors import InputError
from precision.results import ErrorOctaves, LayerRow, LayersReport
from tests.charts.odd_reports import REPORTS, corners, report, row

MAX_JSON_BYTES = 500_000


@pytest.mark.parametrize("of", REPORTS.values(), ids=REPORTS.keys())
def test_every_chart_draws_every_report(of: LayersReport) -> None:
    figures = [
        plot_error_along_depth(of, "float16", limit=0.01),
        plot_error_along_depth(of, "mxfp4_e2m1"),
        plot_error_tree(of),
        *(plot_layer_corners(each, "float16") for each in of.rows[:4]),
        *(plot_layer_errors(each, "float16") for each in of.rows[:4]),
    ]
    for figure in figures:
        text = figure.to_json()
        assert len(text.encode()) < MAX_JSON_BYTES
        assert "<img" not in text
        assert not re.search(r"\b(NaN|Infinity)\b", re.sub(r'"[^"]*"', "", text))
        assert figure.layout.title.text
        assert alt_text(figure)


def test_the_curve_has_the_measured_errors_in_the_order_of_the_run() -> None:
    info = _depth_info(report([row("a", 1e-3, local=5e-4), row("b", 0.0), row("c", 2e-2)]), "float16", limit=1e-2)
    assert [(point.name, point.propagated, point.local) for point in info.points] == [
        ("a", 1e-3, 5e-4),
        ("b", 0.0, None),
        ("c", 2e-2, None),
    ]
    assert info.rounding == 2.0**-11
    assert info.title == "The error first passes 0.01 in c"
    assert "1 exact, not drawn" in info.detail


def test_a_format_with_scales_has_no_line_of_its_rounding() -> None:
    assert _depth_info(REPORTS["one"], "mxfp4_e2m1", limit=None).rounding is None


def test_infinities_come_first() -> None:
    assert _depth_info(REPORTS["broken"], "float16", limit=1e-9).title == "Infinite or NaN in b and 1 later layer call"
    assert _tree_info(REPORTS["broken"]).title == "b is the first to return infinities or NaNs"


def test_what_a_module_itself_does_to_the_error_is_a_point_of_its_own() -> None:
    leaf = row("attention.v", 1e-3, local=1e-3)
    around = row("attention", 2e-2).model_copy(update={"is_leaf": False, "finished": 1})
    same = LayerRow(
        fqn="", call=1, type="Model", depth=0, parent=None, is_leaf=False, finished=2, same_as=1, octaves=None
    )
    both = report([leaf, around, same])
    info = _depth_info(both, "bfloat16", limit=1e-2)
    assert [point.name for point in info.points] == ["attention.v", "attention"]
    assert info.title == "The error first passes 0.01 in attention"
    assert _tree_info(both).title == "Largest relative error in attention: 0.02"


def test_own_code_is_a_point_of_its_own_and_a_chart_of_parts() -> None:
    code = row("block", 2e-3).model_copy(update={"is_leaf": False, "finished": 1, "own_code": corners(2e-3, 1e-4)})
    of = report([row("block.up", 1e-3, local=1e-3), code])
    points = _depth_info(of, "bfloat16", limit=None).points
    assert [(point.name, point.row, point.local) for point in points] == [
        ("block.up", 0, 1e-3),
        ("block:code", 1, 2e-3),
        ("block", 1, None),
    ]
    assert _corners_info(code, "bfloat16").title == "Its own code adds most of it: local is 20 × inherited"
    assert "most error is added in block" in _tree_info(of).detail
    lost = code.model_copy(update={"own_code": None, "own_code_missing": "it calls itself."})
    assert _corners_info(lost, "bfloat16").empty == "it calls itself."
    assert "was compared" in str(_corners_info(row("a", None), "bfloat16").empty)


def test_exact_is_only_said_where_everything_was_compared() -> None:
    lost = row("a", 0.0, local=0.0, broken=1)
    unknown = row("a", None)
    for one in (lost, unknown):
        assert "xact" not in _depth_info(report([one]), "float16", limit=None).title
        assert "xact" not in _tree_info(report([one])).title
    excluded = lost.model_copy(update={"corners": corners(0.0, 0.0).model_copy(update={"excluded_elements": 1})})
    assert "xact" not in _corners_info(excluded, "float16").title
    emptied = lost.model_copy(update={"octaves": ErrorOctaves(first=0, counts=(), zeros=7)})
    assert "xact" not in _octaves_info(emptied, "float16").title


def test_a_chart_with_nothing_but_infinities_draws() -> None:
    figure = plot_error_along_depth(report([row("a", None, broken=8)]), "int8", limit=None)
    assert "Infinite or NaN in a" in figure.layout.title.text


def test_of_thousands_of_layers_the_worst_are_drawn_in_order() -> None:
    info = _depth_info(REPORTS["thousands"], "float16", limit=None)
    assert len(info.points) == MAX_LAYERS
    assert [point.row for point in info.points] == sorted(point.row for point in info.points)
    assert min(point.propagated or 0 for point in info.points) >= 5e-4
    assert len(_tree_info(REPORTS["thousands"]).nodes) <= MAX_NODES


def test_the_tree_hangs_every_module_on_the_nearest_around_it() -> None:
    nodes = _tree_info(report([row("a.x", 1e-3), row("a.y", 3e-3), row("b", 2e-3), row("a", 3e-3)])).nodes
    labels = {node.label: nodes[node.parent].label if node.parent is not None else None for node in nodes}
    assert labels == {"model": None, "a": "model", "b": "model", "x": "a", "y": "a"}
    assert {node.label: node.leaves for node in nodes} == {"model": 3, "a": 2, "b": 1, "x": 1, "y": 1}


def test_the_tree_leads_to_where_most_error_is_added() -> None:
    leaves = [row("a.x", 1e-3, local=1e-3), row("a.y", 3e-3, local=2e-3), row("b", 4e-3, local=1e-3)]
    info = _tree_info(report([*leaves, row("a", 3e-3)]))
    assert {node.label: node.origin for node in info.nodes} == {
        "model": "inside", "a": "inside", "b": "", "x": "", "y": "here"
    }  # fmt: skip
    assert info.detail.endswith("; thick outline: most error is added in a.y")
    box = plot_error_tree(report([row("a", 1e-3, local=1e-3), row("b", 1e-3, local=5e-4)])).data[0]
    assert dict(zip(box.labels, box.marker.line.width, strict=True)) == {"model": 3, "a": 3, "b": 0.5}
    assert "relative error 0.001, most is added here" in box.text


def test_the_tree_leads_to_the_first_infinity() -> None:
    broken = [row("a", 1e-3, local=1e-3), row("b", None, broken=1), row("c", None, broken=1)]
    info = _tree_info(report(broken))
    assert {node.label: node.origin for node in info.nodes} == {"model": "inside", "a": "", "b": "here", "c": ""}
    assert info.detail.endswith("; thick outline: where the first one appears")


def test_the_tree_of_an_exact_run_leads_nowhere() -> None:
    info = _tree_info(report([row("a", 0.0, local=0.0)]))
    assert not any(node.origin for node in info.nodes)
    assert "outline" not in info.detail


def test_a_module_called_twice_has_the_worse_error() -> None:
    (_, node) = _tree_info(report([row("a", 1e-3), row("a", 4e-3, call=2)])).nodes
    assert node.error == 4e-3


@pytest.mark.parametrize(
    ("local", "inherited", "said"),
    [
        (0.0, 0.0, "Exact"),
        (1e-3, 0.0, "This layer adds all of the error"),
        (0.0, 1e-3, "All of the error comes with the input"),
        (1e-3, 9e-4, "About as much"),
        (1e-2, 1e-3, "This layer adds most of it: local is 10 ×"),
        (1e-3, 1e-2, "Most comes with the input: inherited is 10 ×"),
    ],
)
def test_the_corners_say_where_most_comes_from(local: float, inherited: float, said: str) -> None:
    info = _corners_info(row("a", inherited, local=local), "float16")
    assert info.title.startswith(said)
    assert {part.label: part.normalized_l2 for part in info.parts}["local: f~(x) − f(x)"] == local


def test_the_corners_are_dots_since_a_logarithmic_axis_has_no_zero() -> None:
    one = corners(1e-3, 1e-2)
    lost = one.model_copy(update={"local": one.local.model_copy(update={"normalized_l2": math.inf})})
    figure = plot_layer_corners(row("a", 1e-2, local=1e-3).model_copy(update={"corners": lost}), "float16")
    (dots,) = figure.data
    assert (dots.type, dots.mode) == ("scatter", "markers+text")
    at = {label.partition(":")[0]: place for place, label in enumerate(dots.y)}
    assert [dots.marker.symbol[at[name]] for name in ("inherited", "interaction", "local")] == ["circle", "star", "x"]
    assert dots.x[at["inherited"]] == 1e-2
    assert dots.x[at["interaction"]] < 1e-2 < dots.x[at["local"]]
    assert dots.text[at["interaction"]] == "0"
    assert "f~(x~) − f(x~) − f~(x) + f(x)" in dots.customdata[at["interaction"]]


@pytest.mark.parametrize("size", [5e-324, 1.7e308])
def test_the_corners_of_the_smallest_and_largest_errors_draw(size: float) -> None:
    figure = plot_layer_corners(row("a", size, local=size), "float16")
    assert all(math.isfinite(end) for end in figure.layout.xaxis.range)
    assert all(0 < place < math.inf for place in figure.data[0].x)


def test_the_octaves_count_everything_once() -> None:
    octaves = ErrorOctaves(first=-3, counts=(1, 5, 2), zeros=4, below=3)
    info = _octaves_info(row("a", 1e-3, broken=2).model_copy(update={"octaves": octaves}), "float16")
    assert info.edges == (0.125, 0.25, 0.5, 1.0)
    assert info.title == "Errors are most often between 0.25 and 0.5"
    assert info.detail == "15 elements; 26.7 % exact, not drawn; 3 smaller ones not drawn; 2 infinite or NaN left out"


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(InputError, match="Unknown format"):
        plot_error_along_depth(REPORTS["one"], "float7")
