"""The numbers drawn are the numbers measured."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from precision.charts.axes import bytes_axis, log_axis
from precision.charts.error_by_magnitude import _magnitude_info
from precision.charts.error_histogram import _histogram_info
from precision.charts.icicle import MAX_NODES
from precision.charts.module_tree import (
    ModuleTreeInfo,
    _module_tree_info,
    drawn_boxes,
    path_within,
    plot_module_tree,
)
from precision.charts.side_by_side import _side_by_side_info
from precision.charts.stored_bytes import _stored_bytes_info
from precision.charts.stored_values import MAX_TENSORS, _stored_values_info
from precision.errors import InputError
from precision.formats import format_named
from precision.measure.casting.audit import audit
from precision.measure.casting.methods import cast
from precision.results import CastAudit
from precision.spec import CastMethod
from tests.charts.odd_results import AUDITS, OUTPUTS, compared, output, stored, tensor
from tests.charts.odd_results import audit as synthetic

DRAWN = [name for name, output in OUTPUTS.items() if output.distributions and name != "huge counts"]


@pytest.mark.parametrize("name", DRAWN)
def test_cells_and_strip_count_every_pair_with_a_reference(name: str) -> None:
    output = OUTPUTS[name]
    info = _magnitude_info(output, "float16")
    pairs = output.distributions.error_by_magnitude if output.distributions else None
    assert pairs is not None
    drawn = sum(map(sum, info.counts)) + sum(info.zero_error)
    assert drawn == output.metrics.finite_pairs - pairs.zero_reference - pairs.below
    assert pairs.below <= output.metrics.finite_pairs / 500  # a thousandth on each axis


def test_guides_lie_where_their_names_say() -> None:
    info = _magnitude_info(OUTPUTS["many"], "float16")
    ulp = info.guides[-1]
    assert ulp.label == "1 ULP"
    for x, y in zip(ulp.x[1:-1], ulp.y[1:-1], strict=True):
        assert y == 2.0 ** (max(math.floor(math.log2(x)), -14) - 10)
    for guide in info.guides[:-1]:
        assert guide.y[0] / guide.x[0] == pytest.approx(float(guide.label))
        assert info.x_edges[0] <= guide.x[0] < guide.x[1] <= info.x_edges[-1]


@pytest.mark.parametrize(
    ("up", "down", "title"),
    [
        (90, 0, "Errors lean up: 100 % of those that are not zero"),
        (1, 3, "Errors lean down: 75.0 % of those that are not zero"),
        (27, 25, "Errors go up about as often as down"),
        (0, 0, "Exact: all 1,000 errors are zero"),
    ],
)
def test_exact_elements_do_not_dilute_where_the_errors_lean(up: int, down: int, title: str) -> None:
    errors = [0.5] * up + [-0.5] * down + [0.0] * (1000 - up - down)
    info = _histogram_info((output([1.0] * 1000, errors), "float16"), kind="signed")
    assert info.title.startswith(title)


@pytest.mark.parametrize(
    ("power", "said"),
    [
        (0.0, "do not grow with the values"),
        (0.5, "grow more slowly than the values"),
        (1.0, "a steady relative error"),
        (2.0, "Errors grow faster than the values"),
    ],
)
def test_the_trend_has_a_lower_and_an_upper_bound(power: float, said: str) -> None:
    magnitudes = [10 ** (n / 500 - 3) for n in range(2000)]
    drawn = output(magnitudes, [1e-3 * magnitude**power for magnitude in magnitudes])
    assert said in _magnitude_info(drawn, "float16").title


def test_a_few_elements_far_below_do_not_turn_the_trend() -> None:
    magnitudes = [10 ** (n / 500 - 3) for n in range(2000)]
    errors = [1e-3 * magnitude for magnitude in magnitudes]
    drawn = output([*magnitudes, 1e-5, 1e-5, 1e-5], [*errors, 1e-3, 1e-3, 1e-3])
    assert "a steady relative error" in _magnitude_info(drawn, "float16").title


def test_the_magnitude_chart_refuses_an_unknown_format() -> None:
    with pytest.raises(InputError, match="Unknown format 'float7'"):
        _magnitude_info(OUTPUTS["eight"], "float7")


def test_pairs_are_the_preview_and_differences_are_exact() -> None:
    info = _side_by_side_info(OUTPUTS["eight"], "float16")
    assert [pair.reference for pair in info.pairs] == [0.5, -0.2, 0.3, 0.8, 0.1, 0.2, -0.4, 0.05]
    assert all(pair.difference == pair.candidate - pair.reference for pair in info.pairs)
    assert [pair.difference for pair in _side_by_side_info(OUTPUTS["nothing finite"], "float16").pairs] == [None] * 2


INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("reference", "candidate", "title"),
    [
        ([1.0, 2.0, INF], [1.0, 2.0, 3.0], "The difference is infinite or NaN for 1 of the 3 values shown"),
        ([1.0, 2.0, 3.0], [1.0, INF, NAN], "The difference is infinite or NaN for 2 of the 3 values shown"),
        ([INF, NAN], [-INF, INF], "The difference is infinite or NaN for 2 of the 2 values shown"),
        ([1e308, 1.0], [-1e308, 1.0], "The difference is infinite or NaN for 1 of the 2 values shown"),
        ([1.0, -INF, NAN], [1.0, -INF, NAN], "The 3 values shown are exactly equal"),
        ([1.0, INF], [1.5, INF], "The values shown differ by at most 0.5"),
    ],
)
def test_equal_is_said_only_of_equal_values(reference: list[float], candidate: list[float], title: str) -> None:
    assert _side_by_side_info(compared(reference, candidate), "float16").title == title


def test_integers_beyond_float64_are_told_apart() -> None:
    info = _side_by_side_info(compared([1, 2**53], [1, 2**53 + 1], dtype=torch.int64), "float16")
    assert [pair.difference for pair in info.pairs] == [0, 1]
    assert info.title == "The values shown differ by at most 1"


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
    assert any(node.parent == info.nodes.index(top[0]) for node in info.nodes)


def test_an_opened_box_is_drawn_with_what_is_in_it_and_knows_what_is_around_it() -> None:
    found = AUDITS["thousand modules"]
    run = next(box for box in drawn_boxes(found, "") if box.label == "0 … 82")
    inside = drawn_boxes(found, run.fqn)
    assert inside[0].fqn == run.fqn
    assert len(inside) > sum(box.parent == 0 for box in inside) + 1
    deepest = max(inside, key=lambda box: box.fqn.count("."))
    path = path_within(found, deepest.fqn)
    assert [box.fqn for box in path[:2]] == ["", run.fqn]
    assert path[-1].fqn == deepest.fqn
    assert [box.fqn for box in path_within(found, "of another model")] == [""]
    panels = plot_module_tree(found, run.fqn).data[:2]
    assert [panel.ids for panel in panels] == [tuple(str(at) for at in range(len(inside)))] * 2


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
    tied = synthetic(
        [
            tensor("a", stored=stored(zero=7)),
            tensor("b", tied_to="a", stored=stored(zero=7)),
            tensor("c", tied_to="a", tie_kept=False, stored=stored(zero=7)),
        ]
    )
    assert [row.fqn for row in _stored_values_info(tied, "float16").tensors] == ["a", "c"]
    assert _stored_values_info(tied, "float16").title == "Stored values: 14 became zero"
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


def test_ticks_of_an_axis_are_written_alike() -> None:
    powers = log_axis(1e-6, 10)["ticktext"]
    assert all("10<sup>" in text or text in ("1", "10") for text in powers)


@given(st.integers(min_value=0, max_value=2**60))
def test_byte_axes_hold_the_largest_bar(largest: int) -> None:
    axis = bytes_axis(largest)
    assert axis["tickvals"][0] == 0
    assert len(axis["tickvals"]) >= 2
    assert axis["range"][1] >= max(largest, 1)
