"""The numbers drawn are the numbers measured."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from precision.casting.audit import audit
from precision.casting.methods import cast
from precision.charts.axes import bytes_axis, log_axis
from precision.charts.error_by_magnitude import _magnitude_info
from precision.charts.error_ecdf import _ecdf_info
from precision.charts.error_histogram import HistogramKind, _histogram_info
from precision.charts.module_tree import MAX_NODES, ModuleTreeInfo, _module_tree_info
from precision.charts.side_by_side import _side_by_side_info
from precision.charts.stored_bytes import _stored_bytes_info
from precision.charts.stored_values import MAX_TENSORS, _stored_values_info
from precision.errors import InputError
from precision.formats import format_named
from precision.results import CastAudit
from precision.spec import CastMethod
from tests.charts.odd_results import AUDITS, OUTPUTS, metrics, output, stored, tensor
from tests.charts.odd_results import audit as synthetic

DRAWN = [name for name, output in OUTPUTS.items() if output.distributions and name != "huge counts"]


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("kind", ["signed", "absolute", "ulp"])
def test_bars_count_every_finite_pair_once(name: str, kind: HistogramKind) -> None:
    info = _histogram_info(OUTPUTS[name], "float16", kind=kind)
    assert sum(info.counts) + info.zeros == OUTPUTS[name].metrics.finite_pairs


@pytest.mark.parametrize("name", DRAWN)
def test_cells_and_strip_count_every_pair_with_a_reference(name: str) -> None:
    output = OUTPUTS[name]
    info = _magnitude_info(output, "float16")
    pairs = output.distributions.error_by_magnitude if output.distributions else None
    assert pairs is not None
    assert sum(map(sum, info.counts)) + sum(info.zero_error) == output.metrics.finite_pairs - pairs.zero_reference


def test_guides_lie_where_their_names_say() -> None:
    info = _magnitude_info(OUTPUTS["many"], "float16")
    ulp = info.guides[-1]
    assert ulp.label == "1 ULP"
    for x, y in zip(ulp.x[1:-1], ulp.y[1:-1], strict=True):
        assert y == 2.0 ** (max(math.floor(math.log2(x)), -14) - 10)
    for guide in info.guides[:-1]:
        assert guide.y[0] / guide.x[0] == pytest.approx(float(guide.label))
        assert info.x_edges[0] <= guide.x[0] < guide.x[1] <= info.x_edges[-1]


def test_the_curve_starts_at_the_exact_share_and_ends_at_one() -> None:
    info = _ecdf_info(OUTPUTS["eight"], "float16", rounding_floor=metrics([0.0, 1e-3]))
    assert info.probabilities[0] == 1 / 8
    assert info.probabilities[-1] == 1
    assert list(info.probabilities) == sorted(info.probabilities)
    assert [value for _, value in info.floors] == pytest.approx([5e-4, 1e-3])
    assert info.values[0] < 1e-4
    assert info.values[-1] > 1e-3


@settings(deadline=None, max_examples=40)
@given(st.integers(min_value=1, max_value=300), st.integers(min_value=0, max_value=5))
def test_the_curve_says_which_share_is_at_most_each_value(elements: int, zeros: int) -> None:
    errors = [float(max(n - zeros, 0)) for n in range(elements)]
    info = _ecdf_info(output([0.0] * elements, errors), "float16", rounding_floor=None)
    for value, share in list(zip(info.values, info.probabilities, strict=True))[1:-1]:
        # An interpolated quantile may miss its element by a rounding error.
        assert share == pytest.approx(sum(error <= value * (1 + 1e-12) for error in errors) / elements)


def test_the_magnitude_chart_refuses_an_unknown_format() -> None:
    with pytest.raises(InputError, match="Unknown format 'float7'"):
        _magnitude_info(OUTPUTS["eight"], "float7")


def test_pairs_are_the_preview_and_differences_are_exact() -> None:
    info = _side_by_side_info(OUTPUTS["eight"], "float16")
    assert [pair.reference for pair in info.pairs] == [0.5, -0.2, 0.3, 0.8, 0.1, 0.2, -0.4, 0.05]
    assert all(pair.difference == pair.candidate - pair.reference for pair in info.pairs)
    assert [pair.difference for pair in _side_by_side_info(OUTPUTS["nothing finite"], "float16").pairs] == [None] * 2


class Awkward(nn.Module):
    """Ties, views, a shared module, buffers of other dtypes, tensors without elements."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10)
        self.head.weight = self.embedding.weight
        self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.BatchNorm1d(4)])
        self.again = self.blocks[0]
        self.register_buffer("mask", torch.ones(3, 3, dtype=torch.bool))
        self.register_buffer("nothing", torch.empty(0))
        self.view = self.embedding.weight.detach()[:2]
        self.same_view = self.embedding.weight.detach()[1:3]


def _real_audit(method: CastMethod) -> CastAudit:
    model, fmt = Awkward(), format_named("float16")
    return audit(model, cast(model, fmt, method=method, device=torch.device("cpu")).stored, fmt=fmt, method=method)


@pytest.mark.parametrize("method", [CastMethod.TO, CastMethod.HALF, CastMethod.WEIGHTS_ONLY])
def test_bytes_drawn_are_the_audits_also_with_ties_and_views(method: CastMethod) -> None:
    found = _real_audit(method)
    _check_bytes(_module_tree_info(found), found)
    bars = _stored_bytes_info(found).dtypes
    assert sum(row.before for row in bars) == found.bytes_before
    assert sum(row.after for row in bars) == found.bytes_after


@pytest.mark.parametrize("name", [name for name in AUDITS if AUDITS[name].bytes_before])
def test_every_box_is_as_large_as_the_boxes_in_it(name: str) -> None:
    _check_bytes(_module_tree_info(AUDITS[name]), AUDITS[name])


def _check_bytes(info: ModuleTreeInfo, found: CastAudit) -> None:
    assert len(info.nodes) <= MAX_NODES
    assert info.nodes[0].bytes == (found.bytes_before, found.bytes_after)
    inside: dict[int, list[tuple[int, int]]] = {}
    for node in info.nodes[1:]:
        assert node.parent is not None
        inside.setdefault(node.parent, []).append(node.bytes)
    for parent, sizes in inside.items():
        assert info.nodes[parent].bytes == (sum(size[0] for size in sizes), sum(size[1] for size in sizes))


def test_a_long_row_of_modules_becomes_runs_that_open() -> None:
    info = _module_tree_info(AUDITS["thousand modules"])
    top = [node for node in info.nodes if node.parent == 0]
    assert len(top) == 13
    assert top[0].label == "0 … 82"
    assert any(node.parent == top[0].id for node in info.nodes)


def test_modules_that_only_wrap_another_are_one_box() -> None:
    info = _module_tree_info(AUDITS["deep"])
    assert max(node.label.count(".") for node in info.nodes) > 300
    assert len(info.nodes) < 10


def test_a_box_has_the_dtype_of_nearly_all_its_bytes() -> None:
    def root_dtypes(small: int) -> tuple[str, str]:
        found = synthetic([tensor("w", (100,)), tensor("n", (small,), before="int64", after="int64")])
        return _module_tree_info(found).nodes[0].dtypes

    assert root_dtypes(0) == ("float32", "float16")
    assert root_dtypes(1) == ("mostly float32", "mostly float16")
    assert root_dtypes(100) == ("mixed", "mixed")


def test_only_damaged_tensors_are_drawn_the_worst_first() -> None:
    info = _stored_values_info(AUDITS["damaged"], "float16")
    assert [row.fqn for row in info.tensors] == ["a.running_var", "d.weight", "b.weight"]
    assert info.tensors[2].counts == (0, 0, 10, 10**9)
    many = synthetic([tensor(f"w{i}", stored=stored(zero=i + 1)) for i in range(50)])
    assert len(_stored_values_info(many, "float16").tensors) == MAX_TENSORS


POSITIVE = st.floats(min_value=5e-324, max_value=1.7976931348623157e308, exclude_min=False)


@given(POSITIVE, POSITIVE, st.sampled_from([2, 10]))
def test_log_axes_hold_both_ends_and_label_every_tick(one: float, other: float, base: int) -> None:
    low, high = sorted((one, other))
    axis = log_axis(low, high, base=base)
    first, last = axis["range"]
    assert first <= math.log10(low) <= math.log10(high) <= last
    assert first < last
    assert all(first - 1e-9 <= math.log10(tick) <= last + 1e-9 for tick in axis["tickvals"])
    assert len(set(axis["ticktext"])) == len(axis["tickvals"]) <= 12


@given(st.integers(min_value=0, max_value=2**60))
def test_byte_axes_hold_the_largest_bar(largest: int) -> None:
    axis = bytes_axis(largest)
    assert axis["tickvals"][0] == 0
    assert len(axis["tickvals"]) >= 2
    assert axis["range"][1] >= max(largest, 1)
