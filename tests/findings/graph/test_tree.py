"""A run as a graph: which boxes there are, what is folded, and which way errors take."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from precision.findings.fit.table import fit_table
from precision.findings.graph.measures import NONFINITE, dtypes_read, errors_read, fits_read, sensitivities_read
from precision.findings.graph.paths import nonfinite_path, worst_path
from precision.findings.graph.tree import Box, Graph, graph_of
from precision.findings.sensitivity.rows import rows_of
from precision.results.layers import LayersReport
from precision.spec import RunSpec
from tests.measure.lockstep.side_by_side import lockstep
from tests.runs import compare_layers, measure_ranges, measure_sensitivity

X = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.linear, self.drop = nn.LayerNorm(8), nn.Linear(8, 8), nn.Dropout()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.drop(self.linear(self.norm(x)))
        return y


class Deep(nn.Module):
    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.stem = nn.Linear(8, 8)
        self.blocks = nn.ModuleList(Residual() for _ in range(blocks))
        self.head = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return {"logits": self.head(x), "hidden": x}


def deep(blocks: int) -> tuple[Graph, LayersReport]:
    torch.manual_seed(0)
    report = lockstep(Deep(blocks), X, name="bfloat16", operators=True, decompose=True)
    return graph_of(report), report


def labels(box: Box) -> list[tuple[str, str, str]]:
    return [(each.kind, each.label, each.about) for each in box.inside]


def test_modules_alike_that_follow_each_other_are_one_stack() -> None:
    graph, _ = deep(4)
    assert labels(graph.model) == [
        ("input", "x", ""),
        ("module", "stem", "Linear"),
        ("stack", "blocks.0 … 3", "4 × Residual"),
        ("module", "head", "Sequential"),
        ("output", "logits", ""),
        ("output", "hidden", ""),
    ]
    stack = graph.model.inside[2]
    assert [box.label for box in stack.inside] == ["blocks.0", "blocks.1", "blocks.2", "blocks.3"]
    assert labels(stack.inside[0]) == [
        ("module", "norm", "LayerNorm"),
        ("module", "linear", "Linear"),
        ("operator", "add", "4 × 8"),
    ]
    assert stack.carried == stack.inside[-1].carried


def test_blocks_of_a_sequential_are_folded_too_and_layers_are_not() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(*(Residual() for _ in range(3)), *(nn.ReLU() for _ in range(3)))
    graph = graph_of(lockstep(module, X, operators=True))
    assert [(box.kind, box.label) for box in graph.model.inside] == [
        ("input", "input"),
        ("stack", "Residual 0 … 2"),
        ("module", "ReLU 3"),
        ("module", "ReLU 4"),
        ("module", "ReLU 5"),
        ("output", "output"),
    ]


def test_two_alike_are_not_folded_and_numbers_come_after_types() -> None:
    graph, _ = deep(2)
    assert [box.kind for box in graph.model.inside] == ["input", *["module"] * 4, "output", "output"]
    assert labels(graph.named["head"]) == [
        ("module", "Linear 0", ""),
        ("module", "ReLU 1", ""),
        ("module", "Linear 2", ""),
    ]


def test_edges_go_from_where_values_are_made_to_where_they_are_read() -> None:
    graph, _ = deep(2)
    named = [(source.name, target.name) for source, target in graph.edges]
    assert ("input x", "stem") in named
    assert ("blocks.0:add", "blocks.1.norm") in named
    assert ("blocks.0:add", "blocks.1:add") in named
    assert {source for source, target in named if target == "output hidden"} == {"blocks.1:add"}
    assert len(named) == len(set(named))
    assert graph.unknown == 0
    assert not any(box.inside for edge in graph.edges for box in edge)


def test_names_are_unique_and_every_row_and_operator_is_its_own() -> None:
    graph, report = deep(4)
    boxes = list(graph.model.all)
    assert len(graph.named) == len(boxes)
    for box in boxes:
        if box.row is not None and box.kind in ("model", "module"):
            errors = report.errors_of(box.row)
            assert box.carried == (errors.normalized_l2 if errors else None)
            own = report.rows[box.row].own
            assert box.born == (own.local.normalized_l2 if own else None)


def test_a_constant_is_an_operator_that_is_given_nothing() -> None:
    class Positions(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.arange(8)

    graph = graph_of(lockstep(Positions(), X, operators=True))
    assert labels(graph.model)[1:3] == [("constant", "arange", "8"), ("operator", "add", "4 × 8")]


def test_a_model_of_one_layer() -> None:
    graph = graph_of(lockstep(nn.Linear(8, 8), X, operators=True))
    assert [(a.name, b.name) for a, b in graph.edges] == [
        ("input input", "the model (Linear):linear"),
        ("the model (Linear):linear", "output output"),
    ]


def test_the_path_of_the_first_infinity_begins_where_it_is_made_and_ends_at_the_output() -> None:
    report = compare_layers(RunSpec(model="overflow")).report
    assert report is not None
    graph = graph_of(report)
    path = nonfinite_path(graph, report)
    assert path[0].name == "blocks.0.feed_forward:mul"
    assert path[-1].kind == "output"
    assert all(box.is_broken for box in path[:-1])
    readings = errors_read(graph, lambda box: box.carried)
    assert readings[path[0]].text == NONFINITE
    assert readings[path[0]].share is None


def test_without_one_there_is_no_such_path_and_the_worst_goes_from_the_input_to_the_largest_error() -> None:
    graph, report = deep(4)
    assert nonfinite_path(graph, report) == ()
    path = worst_path(graph)
    assert path[0].name == "input x"
    assert path[-1].carried == max(box.carried or 0 for box in graph.model.leaves)
    assert all(after in graph.after[before] for before, after in pairwise(path))


def test_bars_are_longer_for_larger_errors() -> None:
    graph, _ = deep(4)
    readings = errors_read(graph, lambda box: box.carried, with_born=True)
    leaves = sorted((box for box in graph.model.leaves if box.carried), key=lambda box: box.carried or 0)
    shares = [readings[box].share for box in leaves]
    assert shares == sorted(shares, key=lambda share: share or 0)
    assert shares[-1] == 1
    assert all(readings[box].born <= (readings[box].share or 0) for box in leaves if box.born == box.carried)


def test_categories_are_the_dtypes_and_the_verdicts_on_the_fit() -> None:
    report = compare_layers(RunSpec(model="overflow")).report
    ranges = measure_ranges(RunSpec(model="overflow")).ranges
    assert report is not None
    graph = graph_of(report)
    named = graph.named
    assert dtypes_read(graph)[named["head"]].category == "float16"
    assert ranges is not None
    fits = fits_read(graph, report, ranges, fit_table(ranges), "float16")
    assert (
        fits[named["blocks.0.feed_forward.wo"]].category == "needs scaling"
    )  # by one power of two, for all its values
    assert named["blocks.0.feed_forward:mul"] not in fits


@pytest.mark.slow
def test_sensitivities_are_those_of_the_page_mixed_precision() -> None:
    report = compare_layers(RunSpec(dtype="bfloat16")).report
    found = measure_sensitivity(RunSpec()).report
    assert report is not None
    graph = graph_of(report)
    assert found is not None
    readings = sensitivities_read(graph, report, found, "bfloat16")
    rows = {row.name: row.cells for row in rows_of(found, by="layer", order="model order")}
    worst = max(readings, key=lambda box: readings[box].share or 0)
    place = found.formats.index("bfloat16")
    assert worst.name == min(rows, key=lambda name: rows[name][place].sqnr_db or 0)
