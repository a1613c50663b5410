"""Bytes count once, and a tie is shared memory."""

from __future__ import annotations

import random

import torch

from precision.measure.casting.memory_spans import MemorySpans


def test_separate_tensors_add_up() -> None:
    spans = MemorySpans([("a", torch.ones(3)), ("b", torch.ones(2, dtype=torch.float64))])
    assert (spans.owned("a"), spans.owned("b"), spans.total) == (12, 16, 28)
    assert spans.tied_to("b") is None
    assert not spans.overlap("a", "b")


def test_the_same_tensor_counts_where_it_comes_first() -> None:
    shared = torch.ones(3)
    spans = MemorySpans([("a", shared), ("b", shared), ("c", shared)])
    assert (spans.owned("a"), spans.owned("b"), spans.total) == (12, 0, 12)
    assert (spans.tied_to("a"), spans.tied_to("b"), spans.tied_to("c")) == (None, "a", "a")
    assert spans.size("b") == 12


def test_a_view_is_tied_to_its_base() -> None:
    base = torch.ones(4, 4)
    spans = MemorySpans([("base", base), ("row", base[2]), ("turned", base.t())])
    assert (spans.tied_to("row"), spans.tied_to("turned"), spans.total) == ("base", "base", 64)


def test_a_base_after_its_view_owns_the_rest() -> None:
    base = torch.ones(10)
    spans = MemorySpans([("middle", base[3:5]), ("end", base[8:]), ("base", base)])
    assert (spans.owned("middle"), spans.owned("end"), spans.owned("base")) == (8, 8, 24)
    assert spans.tied_to("base") == "middle"
    assert spans.overlap("end", "base")


def test_neighbours_in_one_storage_are_not_tied() -> None:
    flat = torch.ones(10)
    spans = MemorySpans([("a", flat[:4]), ("b", flat[4:]), ("c", flat[4:4])])
    assert (spans.tied_to("b"), spans.owned("a"), spans.owned("b"), spans.total) == (None, 16, 24, 40)
    assert spans.tied_to("c") is None


def test_empty_tensors_cover_nothing_and_are_not_tied() -> None:
    empty = torch.empty(0)
    spans = MemorySpans([("a", empty), ("b", empty), ("scalar", torch.tensor(1.0))])
    assert (spans.size("a"), spans.tied_to("b"), spans.total) == (0, None, 4)


def test_an_expanded_tensor_covers_what_it_stores() -> None:
    assert MemorySpans([("wide", torch.ones(1).expand(1000))]).total == 4


def test_random_views_against_a_set_of_bytes() -> None:
    rng = random.Random(0)  # noqa: S311 - not for secrets
    for _ in range(200):
        flat = torch.zeros(32, dtype=torch.int8)
        ranges = [sorted((rng.randrange(33), rng.randrange(33))) for _ in range(rng.randrange(1, 9))]
        spans = MemorySpans((str(i), flat[a:b]) for i, (a, b) in enumerate(ranges))
        covered: set[int] = set()
        for i, (a, b) in enumerate(ranges):
            assert spans.owned(str(i)) == len(set(range(a, b)) - covered)
            covered |= set(range(a, b))
            first = next((str(j) for j, (c, d) in enumerate(ranges[:i]) if max(a, c) < min(b, d)), None)
            assert spans.tied_to(str(i)) == first
        assert spans.total == len(covered)
