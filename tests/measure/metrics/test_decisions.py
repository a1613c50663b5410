"""What outputs decide, against scipy, numpy in float64 and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax
from torch import Tensor

from precision.formats import format_named
from precision.measure.metrics import decisions as decisions_module
from precision.measure.metrics.comparison import compare_outputs
from precision.measure.metrics.decisions import class_decisions, decisions, margin_bins
from precision.measure.metrics.output_kinds import Known, Taken
from precision.measure.metrics.outputs import Leaf, flatten
from precision.results import ClassDecisions, Decisions, NeighbourDecisions, SampleMean
from precision.spec.output_kinds import OutputKind, kinds_of


def measured(reference: Tensor, candidate: Tensor, labels: Tensor | None = None) -> ClassDecisions:
    taken = Taken(OutputKind.CLASS_SCORES, "test")
    return class_decisions(leaf(reference), leaf(candidate), labels=labels, taken=taken)


def leaf(output: object) -> Leaf:
    return flatten(output).leaves[0]


def vectors(reference: Leaf, candidate: Leaf) -> Decisions | None:
    return decisions(reference, candidate, Known().taken(reference))


def scores(rows: int, classes: int, *, error: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    reference = 5 * torch.randn(rows, classes, generator=generator, dtype=torch.float64)
    return reference, reference + error * torch.randn(rows, classes, generator=generator, dtype=torch.float64)


def of(mean: SampleMean | None) -> SampleMean:
    assert mean is not None
    return mean


@pytest.mark.parametrize("error", [1e-6, 1e-2, 1.0, 30.0])
@pytest.mark.parametrize(("rows", "classes"), [(200, 2), (50, 10), (7, 1000)])
def test_divergence_and_delta_p_are_scipys(rows: int, classes: int, error: float) -> None:
    r, y = scores(rows, classes, error=error)
    p, q = softmax(r.numpy(), axis=1), softmax(y.numpy(), axis=1)
    kl = rel_entr(p, q).sum(axis=1)
    top = r.numpy().argmax(axis=1)
    delta = q[np.arange(rows), top] - p[np.arange(rows), top]
    found = measured(r, y)
    assert of(found.kl).mean == pytest.approx(kl.mean(), rel=1e-6, abs=1e-14)
    assert of(found.kl).p99 == pytest.approx(np.quantile(kl, 0.99), rel=1e-6, abs=1e-14)
    assert of(found.delta_p).mean == pytest.approx(delta.mean(), rel=1e-9, abs=1e-15)
    assert of(found.delta_p).minimum == pytest.approx(delta.min(), rel=1e-9, abs=1e-15)
    assert found.flips == int((top != y.numpy().argmax(axis=1)).sum())


def test_large_scores_overflow_no_exponential() -> None:
    r = torch.tensor([[1000.0, 0.0, -1000.0], [1e300, 0.0, 0.0]], dtype=torch.float64)
    y = torch.tensor([[0.0, 1000.0, -1000.0], [1e300, 0.0, 0.0]], dtype=torch.float64)
    found = measured(r, y)
    assert (found.samples, found.flips) == (2, 1)
    assert of(found.kl).maximum == pytest.approx(1000.0)
    assert of(found.kl).minimum == 0.0


def test_a_span_beyond_float64_is_left_out() -> None:
    r = torch.tensor([[1.7e308, -1.7e308], [1.0, 2.0]], dtype=torch.float64)
    found = measured(r, r)
    assert (found.samples, found.nonfinite_samples) == (1, 1)


def test_equal_outputs_have_a_divergence_of_exactly_zero() -> None:
    r, _ = scores(40, 10, error=0.0)
    found = measured(r, r)
    assert found.flips == 0
    assert (of(found.kl).mean, of(found.kl).maximum, of(found.delta_p).mean) == (0.0, 0.0, 0.0)
    assert found.top1_agreement == 1.0


def test_a_common_shift_of_the_scores_decides_nothing() -> None:
    r, _ = scores(40, 10, error=0.0)
    assert of(measured(r, r + 3.0).kl).maximum < 1e-14


def test_of_equal_scores_the_first_is_the_largest_on_both_sides() -> None:
    tie, other = torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[1.0, 1.5, 0.0]])
    assert measured(tie, tie).flips == 0
    assert measured(tie, other).flips == 1
    assert measured(other, tie).flips == 1
    assert measured(tie, tie).score_margins.below_samples == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_rows_that_are_not_finite_are_counted_and_in_no_mean(bad: float, side: int) -> None:
    r, y = scores(10, 4, error=0.1)
    sides = [r.clone(), y.clone()]
    sides[side][3, 1] = bad
    kept = torch.arange(10) != 3
    labels = torch.zeros(10, dtype=torch.int64)
    found, expected = measured(sides[0], sides[1], labels), measured(r[kept], y[kept], labels=labels[kept])
    assert found == expected.model_copy(update={"nonfinite_samples": 1})


def test_classes_that_both_sides_mask_play_no_part() -> None:
    r, y = scores(40, 4, error=2.0)
    places = [1, 2, 4, 6]
    wide_r, wide_y = torch.full((2, 40, 7), -math.inf, dtype=torch.float64)
    wide_r[:, places], wide_y[:, places] = r, y
    found, expected = measured(wide_r, wide_y), measured(r, y)
    assert found.flips == expected.flips > 0
    assert (found.samples, found.nonfinite_samples) == (40, 0)
    assert (found.mean_kl, found.mean_delta_p) == pytest.approx((expected.mean_kl, expected.mean_delta_p))
    assert (found.score_margins, found.probability_margins) == (expected.score_margins, expected.probability_margins)


def test_a_mask_of_one_side_or_of_every_class_is_left_out_and_one_class_is_no_flip() -> None:
    r = torch.tensor([[1.0, 2.0, -math.inf]] * 3 + [[-math.inf] * 3])
    y = r.clone()
    y[0, 2], y[1, 0], y[2, 1] = 0.0, -math.inf, 2.5
    found = measured(r, y)
    assert (found.samples, found.nonfinite_samples, found.flips) == (1, 3, 0)
    single = torch.tensor([[3.0, -math.inf], [3.0, 1.0]])
    found = measured(single, single)
    assert (found.samples, found.flips, found.mean_kl, found.mean_delta_p) == (2, 0, 0.0, 0.0)
    assert found.score_margins.samples == (2,)


def test_without_a_finite_row_nothing_is_measured() -> None:
    found = measured(torch.full((2, 3), math.nan), torch.zeros(2, 3), labels=torch.zeros(2))
    assert (found.samples, found.nonfinite_samples, found.kl, found.delta_p) == (0, 2, None, None)
    assert (found.top1_agreement, found.agreement_interval, found.accuracy) == (None, None, None)


@pytest.mark.parametrize("chosen", [(), ("class-probabilities",)])
def test_of_probabilities_that_add_up_along_the_channels_each_pixel_has_a_class(chosen: tuple[str, ...]) -> None:
    r, y = scores(20 * 8 * 9, 5, error=1.0)
    sides = [side.reshape(20, 8, 9, 5).movedim(-1, 1).softmax(1) for side in (r, y)]
    flips = int((sides[0].argmax(1) != sides[1].argmax(1)).sum())
    found = decisions(leaf(sides[0]), leaf(sides[1]), Known(chosen=kinds_of(chosen)).taken(leaf(sides[0])))
    assert isinstance(found, ClassDecisions)
    assert (found.flips, found.samples, found.classes, found.clusters) == (flips, 20 * 8 * 9, 5, 20)
    assert found.mean_kl == pytest.approx(measured(r, y).mean_kl, rel=1e-6)


def test_every_position_of_a_language_model_is_a_sample() -> None:
    r, y = scores(24, 5, error=3.0)
    tokens, rows = measured(r.reshape(2, 12, 5), y.reshape(2, 12, 5)), measured(r, y)
    assert (tokens.samples, tokens.flips, tokens.mean_kl) == (rows.samples, rows.flips, rows.mean_kl)
    assert (tokens.clusters, rows.clusters) == (2, None)


@pytest.mark.parametrize("elements", [1, 7, 10, 64])
def test_numbers_do_not_depend_on_the_chunks(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    r, y = scores(23, 10, error=2.0)
    whole = measured(r, y)
    monkeypatch.setattr(decisions_module, "CHUNK_ELEMENTS", elements)
    assert measured(r, y) == whole


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float8_e4m3fn])
def test_narrow_scores_are_widened_before_anything_is_computed(dtype: torch.dtype) -> None:
    r, y = scores(30, 6, error=1.0)
    low_r, low_y = r.float().to(dtype), y.float().to(dtype)
    before = low_r.float().clone()
    assert measured(low_r, low_y) == measured(low_r.float().double(), low_y.float().double())
    assert torch.equal(low_r.float(), before)


def test_the_scores_themselves_are_never_changed() -> None:
    r, y = scores(30, 6, error=1.0)
    copies = r.clone(), y.clone()
    measured(r, y)
    assert torch.equal(r, copies[0])
    assert torch.equal(y, copies[1])


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(0.0, 1e300), st.booleans()), max_size=60))
def test_bins_count_every_sample_and_flip_once_where_its_margin_is(cases: list[tuple[float, bool]]) -> None:
    margins = np.array([margin for margin, _ in cases], dtype=np.float64)
    flipped = np.array([flip for _, flip in cases], dtype=np.bool_)
    bins = margin_bins(margins, flipped)
    assert sum(bins.samples) + bins.below_samples == len(cases)
    assert sum(bins.flips) + bins.below_flips == flipped.sum()
    for low, high, count in zip(bins.edges, bins.edges[1:], bins.samples, strict=False):
        assert count == ((low <= margins) & (margins < high)).sum()


def test_margins_are_those_of_the_reference() -> None:
    r = torch.tensor([[3.0, 0.0, 1.0], [0.1, 0.0, 0.0]])
    found = measured(r, torch.tensor([[3.0, 0.0, 1.0], [0.0, 0.1, 0.0]]))
    assert found.score_margins.edges[0] == 0.0625
    assert found.score_margins.edges[-1] == 4.0
    assert (found.score_margins.samples, found.score_margins.flips) == ((1, 0, 0, 0, 0, 1), (1, 0, 0, 0, 0, 0))
    p = softmax(r.double().numpy(), axis=1)
    widest = found.probability_margins.edges
    assert widest[-2] <= p[0, 0] - p[0, 2] < widest[-1]
    assert widest[0] <= p[1, 0] - p[1, 1] < widest[1]


def test_accuracy_tells_which_flips_cost_and_which_gained() -> None:
    r = torch.tensor([[2.0, 1.0], [2.0, 1.0], [1.0, 2.0], [2.0, 1.0], [2.0, 1.0]])
    y = torch.tensor([[2.0, 1.0], [1.0, 2.0], [2.0, 1.0], [2.0, 1.0], [1.0, 2.0]])
    accuracy = measured(r, y, labels=torch.tensor([0, 0, 0, 1, 0])).accuracy
    assert accuracy is not None
    counts = (accuracy.both_right, accuracy.reference_only, accuracy.candidate_only, accuracy.both_wrong)
    assert counts == (1, 2, 1, 1)
    assert (accuracy.reference, accuracy.candidate) == (0.6, 0.4)


def test_nothing_is_decided_by_an_output_without_elements() -> None:
    empty = leaf(torch.zeros(0, 4))
    assert decisions(empty, empty, Taken(OutputKind.CLASS_SCORES, "test")) is None


@pytest.mark.slow
def test_neighbours_are_those_of_brute_force() -> None:
    generator = torch.Generator().manual_seed(5)
    r = torch.randn(300, 6, generator=generator)
    y = r + 0.3 * torch.randn(300, 6, generator=generator)
    found = vectors(leaf({"embeddings": r}), leaf({"embeddings": y}))
    assert isinstance(found, NeighbourDecisions)
    assert found.samples == 300
    assert found.changed == sum(_nearest(r, i) != _nearest(y, i) for i in range(300)) > 0
    cosines = [_cosine(a, b) for a, b in zip(r.double().numpy(), y.double().numpy(), strict=True)]
    assert found.cosine.mean == pytest.approx(np.mean(cosines))
    assert found.cosine.minimum == pytest.approx(min(cosines))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / math.sqrt((a @ a) * (b @ b)))


def _nearest(x: Tensor, i: int) -> int:
    rows = x.double().numpy()
    return max((j for j in range(len(rows)) if j != i), key=lambda j: _cosine(rows[i], rows[j]))


def test_equal_neighbours_are_no_change_and_bad_rows_are_left_out() -> None:
    r = torch.randn(5, 4).repeat(3, 1)
    same = vectors(leaf({"embeddings": r}), leaf({"embeddings": 2 * r}))
    assert isinstance(same, NeighbourDecisions)
    assert same.changed == 0
    y = r.clone()
    y[2, 0] = math.nan
    found = vectors(leaf({"embeddings": r}), leaf({"embeddings": y}))
    assert isinstance(found, NeighbourDecisions)
    assert (found.samples, found.nonfinite_samples) == (14, 1)


def test_vectors_of_zeros_have_the_defined_cosines() -> None:
    r = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1e-300, 0.0]], dtype=torch.float64)
    y = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1e300, 0.0]], dtype=torch.float64)
    found = vectors(leaf({"embeddings": r}), leaf({"embeddings": y}))
    assert isinstance(found, NeighbourDecisions)
    assert found.cosine.mean == 0.5


def test_two_vectors_have_no_neighbours_to_compare() -> None:
    two = leaf({"embeddings": torch.ones(2, 4)})
    assert vectors(two, two) is None


def test_a_comparison_carries_the_decisions_of_each_output() -> None:
    r, y = scores(8, 3, error=1.0)
    output = {"logits": r, "hidden": torch.zeros(2, 2, 2)}
    found = compare_outputs(
        reference=output,
        candidate=output | {"logits": y},
        repeat=None,
        fmt=format_named("float16"),
        known=Known(labels=torch.zeros(8)),
    )
    first, second = (row.decisions for row in found.outputs)
    assert isinstance(first, ClassDecisions)
    assert first.accuracy is not None
    assert second is None
    assert type(found).model_validate_json(found.model_dump_json()) == found
