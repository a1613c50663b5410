import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from precision.formats import format_named
from precision.measure.metrics.chunks import pair_chunks
from precision.measure.metrics.elements import WorstElements, preview, worst_integers
from precision.measure.metrics.outputs import Leaf, flatten
from precision.measure.metrics.statistics import domain_of
from precision.results import ElementPair

FLOAT16 = format_named("float16")


def leaf(tensor: Tensor) -> Leaf:
    return flatten({"logits": tensor}).leaves[0]


def worst(reference: Tensor, candidate: Tensor, *, chunk_elements: int = 1024) -> tuple[ElementPair, ...]:
    found = WorstElements(FLOAT16, leaf(reference))
    for chunk in pair_chunks(reference, candidate, chunk_elements=chunk_elements):
        found.update(chunk)
    return found.result()


def differ_in_kind(r: float, y: float) -> bool:
    same = r == y or (math.isnan(r) and math.isnan(y))
    return not (math.isfinite(r) and math.isfinite(y)) and not same


@given(
    st.lists(st.sampled_from([0.0, 1.0, -1.0, 1.5, 2.0, -7.0, math.nan, math.inf, -math.inf]), max_size=80),
    st.sampled_from([1, 7, 1024]),
)
def test_the_worst_agree_with_a_plain_sort(values: list[float], size: int) -> None:
    reference = torch.tensor(values, dtype=torch.float64)
    candidate = reference.roll(1) if len(values) % 2 else reference.flip(0)
    pairs = list(zip(reference.tolist(), candidate.tolist(), strict=True))
    broken = [i for i, pair in enumerate(pairs) if differ_in_kind(*pair)]
    finite = [i for i, (r, y) in enumerate(pairs) if math.isfinite(r) and math.isfinite(y) and r != y]
    finite.sort(key=lambda i: (-abs(pairs[i][1] - pairs[i][0]), i))
    found = worst(reference, candidate, chunk_elements=size)
    assert [pair.index for pair in found] == [(i,) for i in [*broken, *finite][:20]]


def test_elements_tell_both_values_their_error_and_its_ulp() -> None:
    reference = torch.tensor([[1.0, 2.0], [0.0, 4.0]])
    candidate = torch.tensor([[1.0, 2.0 + 2.0**-8], [2.0**-24, math.inf]], dtype=torch.float64)
    broken, first, second = worst(reference, candidate)
    assert broken == ElementPair(
        output="logits", index=(1, 1), reference=4.0, candidate=math.inf, abs_error=None, ulp_error=None
    )
    assert (first.index, first.abs_error, first.ulp_error) == ((0, 1), 2.0**-8, 2.0)
    assert (second.index, second.abs_error, second.ulp_error) == ((1, 0), 2.0**-24, 1.0)


def test_equal_errors_are_listed_in_order_and_exact_ones_not_at_all() -> None:
    reference = torch.zeros(100)
    assert worst(reference, reference) == ()
    for size in (1, 7, 1024):
        found = worst(reference, reference + 1, chunk_elements=size)
        assert [pair.index for pair in found] == [(i,) for i in range(20)]


def test_no_elements() -> None:
    empty = torch.empty(0, 3)
    assert worst(empty, empty) == ()
    assert preview(leaf(empty), leaf(empty), FLOAT16) == ()


def test_the_preview_is_the_first_elements_in_order() -> None:
    reference = torch.arange(200.0).reshape(2, 100)
    found = preview(leaf(reference), leaf((reference + 1).half()), FLOAT16)
    assert len(found) == 64
    assert found[63].index == (0, 63)
    assert (found[63].reference, found[63].candidate, found[63].abs_error) == (63.0, 64.0, 1.0)
    (scalar,) = preview(leaf(torch.tensor(1.0)), leaf(torch.tensor(math.nan)), FLOAT16)
    assert (scalar.index, scalar.abs_error) == ((), None)


def test_integers_show_their_mismatches_without_a_size() -> None:
    reference = torch.arange(60).reshape(3, 20)
    candidate = reference.clone()
    candidate[1:, :] = 0
    found = worst_integers(leaf(reference), leaf(candidate), FLOAT16)
    assert [pair.index for pair in found] == [(1, i) for i in range(20)]
    assert (found[3].reference, found[3].candidate, found[3].abs_error) == (23, 0, None)
    (flag,) = preview(leaf(torch.tensor([True])), leaf(torch.tensor([False])), FLOAT16)
    assert (flag.reference, flag.candidate, flag.abs_error) == (1, 0, None)
    assert not isinstance(flag.reference, (bool, float))


INTEGERS = [
    (torch.int64, [2**53, 2**53 + 1, 2**63 - 1, -(2**63)]),
    (torch.uint64, [0, 2**64 - 1]),
    (torch.int8, [-128, 127]),
]


@pytest.mark.parametrize(("dtype", "values"), INTEGERS)
def test_integers_are_shown_exactly(dtype: torch.dtype, values: list[int]) -> None:
    reference = torch.tensor(values, dtype=dtype)
    candidate = torch.tensor(values[::-1], dtype=dtype)
    for found in (
        preview(leaf(reference), leaf(candidate), FLOAT16),
        worst_integers(leaf(reference), leaf(candidate), FLOAT16),
    ):
        shown = [value for pair in found for value in (pair.reference, pair.candidate)]
        assert shown == [value for pair in zip(values, values[::-1], strict=True) for value in pair]
        assert {type(value) for value in shown} == {int}
        assert [ElementPair.model_validate_json(pair.model_dump_json()) for pair in found] == list(found)


@given(st.integers(min_value=-(2**63), max_value=2**64 - 1) | st.floats())
def test_a_value_comes_back_from_json_as_it_was(value: float) -> None:
    pair = ElementPair(output="y", index=(), reference=value, candidate=value, abs_error=None, ulp_error=None)
    for back in (
        ElementPair.model_validate_json(pair.model_dump_json()),
        ElementPair.model_validate(pair.model_dump(mode="json")),
    ):
        assert type(back.reference) is type(value)
        assert repr(back.reference) == repr(value)


@pytest.mark.parametrize(("r", "quantum"), [(0.0, -24), (2.0**-16, -24), (1.0, -10), (1.99, -10), (-2.0, -9), (1e5, 6)])
def test_the_ulp_is_that_of_the_format_at_the_reference(r: float, quantum: int) -> None:
    reference = torch.tensor([r], dtype=torch.float64)
    (pair,) = preview(leaf(reference), leaf(reference + 3 * 2.0**quantum), FLOAT16)
    assert pair.ulp_error == pytest.approx(3.0, rel=1e-9)


@pytest.mark.parametrize("limit", [3, 20])
@pytest.mark.parametrize("kind", ["noise", "grid", "constant", "one", "rising"])
def test_the_worst_of_a_large_output_agree_with_a_plain_sort(kind: str, limit: int) -> None:
    reference = torch.randn(300_001, generator=torch.Generator().manual_seed(0))
    candidate = {
        "noise": reference.half(),
        "grid": (reference * 8).round() / 8,
        "constant": reference * 0,
        "one": reference.index_fill(0, torch.tensor([200_000]), 7.0),
        "rising": reference + torch.linspace(0, 1, 300_001),
    }[kind]
    if kind == "constant":
        reference = torch.ones_like(reference)
    found = WorstElements(FLOAT16, leaf(reference), limit=limit)
    for chunk in pair_chunks(reference, candidate, domain=domain_of(FLOAT16)):
        found.update(chunk)
    error = (candidate.double() - reference.double()).abs()
    order = torch.argsort(error, descending=True, stable=True)[:limit].tolist()
    assert [pair.index for pair in found.result()] == [(i,) for i in order if error[i] > 0]
