"""The tree of operators' dtypes, against counts by hand, of models that run."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

from precision.charts.dtype_tree import DtypeTreeInfo, _dtype_tree_info, plot_dtype_tree
from precision.charts.frame import alt_text
from precision.charts.icicle import MAX_NODES
from precision.results import LayersResult
from precision.spec import Analysis, CastMethod, RunSpec
from tests.runs import compare_layers, with_model

MAX_JSON_BYTES = 500_000


class Block(nn.Module):
    """Linear layers with a softmax of its own, a norm, and one that does nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.nothing, self.again = nn.Linear(4, 4), nn.LayerNorm(4), nn.Identity(), None
        self.tied = self.first

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.nothing(self.norm(self.tied(self.first(x))))
        return y.softmax(dim=-1)


class Functional(nn.Module):
    """No module in it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(4))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight).exp()


class Promoting(nn.Module):
    """Adds float32, whatever it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(self.linear(x), torch.ones(4))


class Moves(nn.Module):
    """Computes nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clone()


def run(monkeypatch: pytest.MonkeyPatch, module: nn.Module, method: str = "autocast", dtype: str = "bfloat16",
        ) -> LayersResult:  # fmt: skip
    with_model(monkeypatch, module, torch.rand(2, 4))
    return compare_layers(RunSpec(dtype=dtype, method=CastMethod(method), analysis=Analysis.LAYERS))


def counts(info: DtypeTreeInfo) -> dict[str, tuple[int, int]]:
    return {node.label: (node.found.lowered, node.found.total) for node in info.nodes}


def test_every_module_counts_what_runs_in_it_in_all_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, nn.Sequential(Block(), nn.Linear(4, 4)))
    info = _dtype_tree_info(result)
    # the norm's float32 weights widen the bfloat16 that it is handed; softmax computes in the norm's bfloat16
    report = result.report
    assert report is not None
    hand = [report.operator_dtypes[each.candidate_dtypes or 0].computed for each in report.operators]
    assert (sum(each == ("bfloat16",) for each in hand), len(hand)) == counts(info)["model"]
    assert counts(info) == {
        "model": (4, 5), "0": (3, 4), "own operators": (1, 1), "first": (2, 2), "norm": (0, 1), "nothing": (0, 0),
        "1": (1, 1),
    }  # fmt: skip
    assert next(node.what for node in info.nodes if node.label == "first") == "0.first (Linear, 2 calls)"
    assert info.title == "4 of 5 operators ran in bfloat16; what did not is in 0.norm"
    assert info.detail.startswith("2 of 6 modules run only in bfloat16, 2 in part, 1 not at all; 1 computes nothing")


def test_what_a_module_holds_is_the_sum_of_its_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    info = _dtype_tree_info(run(monkeypatch, nn.Sequential(*(Block() for _ in range(3)))))
    for at, node in enumerate(info.nodes):
        inside = [other for other in info.nodes if other.parent == at]
        if inside:
            assert node.layers == sum(other.layers for other in inside)
            assert node.found.total == sum(other.found.total for other in inside)
            assert node.found.lowered == sum(other.found.lowered for other in inside)


def test_a_model_of_functions_alone_is_one_box(monkeypatch: pytest.MonkeyPatch) -> None:
    info = _dtype_tree_info(run(monkeypatch, Functional()))
    assert counts(info) == {"model": (2, 2)}


def test_a_plain_cast_shows_what_it_promotes_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, Promoting(), "to")
    info = _dtype_tree_info(result)
    assert info.title == "1 of 2 operators ran in bfloat16; what did not is in the model itself"
    assert counts(info) == {"model": (1, 2), "own operators": (0, 1), "linear": (1, 1)}
    box = plot_dtype_tree(result).data[0]
    assert box.text[1] == "1 in float32"
    assert "1 operator silently promoted an input." in box.hovertext[1].replace("<br>", " ")


def test_a_simulated_format_computes_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    info = _dtype_tree_info(run(monkeypatch, Functional(), dtype="int8", method="dynamic"))
    assert info.title == "2 of 2 operators ran in float32"
    assert "int8 is simulated: kernels compute in another dtype" in info.detail


def test_where_nothing_computes_the_figure_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, Moves(), "to")
    assert _dtype_tree_info(result).empty == "The model only moves values."
    gone = result.model_copy(update={"report": None})
    assert _dtype_tree_info(gone).empty == "No operator was seen before the run ended."
    assert alt_text(plot_dtype_tree(gone))


def test_wholly_in_part_not_and_nothing_look_unlike_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mixed(Block):
        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.nothing(self.first(self.norm(x)))
            return y

    figure = plot_dtype_tree(run(monkeypatch, Mixed()))
    box = figure.data[0]
    shapes = dict(zip(box.labels, box.marker.pattern.shape, strict=True))
    assert shapes == {"model": "/", "norm": "", "first": "", "nothing": "."}
    captions = dict(zip(box.labels, box.text, strict=True))
    assert captions == {"model": "1 of 2 in bfloat16", "norm": "1 in float32", "first": "1 in bfloat16",
                        "nothing": "computes nothing"}  # fmt: skip
    assert len({bar.name for bar in figure.data[1:]}) == 4


@pytest.mark.slow
def test_a_thousand_modules_with_odd_names_draw_small(monkeypatch: pytest.MonkeyPatch) -> None:
    many = nn.Sequential(*(nn.Linear(4, 4) for _ in range(1000)))
    many.add_module("<img src=x>%{y}" + "x" * 200, nn.LayerNorm(4))
    result = run(monkeypatch, many)
    info = _dtype_tree_info(result)
    assert 100 < len(info.nodes) <= MAX_NODES
    assert (info.nodes[0].found.total, info.nodes[0].layers) == (1001, 1001)
    text = plot_dtype_tree(result).to_json()
    assert len(text.encode()) < MAX_JSON_BYTES
    assert "<img" not in text
    assert not re.search(r"\b(NaN|Infinity)\b", re.sub(r'"[^"]*"', "", text))
