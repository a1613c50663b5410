"""Matching of two sequences of names."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precision.measure.lockstep import alignment
from precision.measure.lockstep.alignment import aligned

NAMES = st.lists(st.sampled_from("abcd"), max_size=12)


def longest(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    @cache
    def length(i: int, j: int) -> int:
        if i == len(one) or j == len(other):
            return 0
        if one[i] == other[j]:
            return 1 + length(i + 1, j + 1)
        return max(length(i + 1, j), length(i, j + 1))

    return length(0, 0)


@given(NAMES, NAMES)
def test_it_is_a_longest_common_subsequence_in_order(one: list[str], other: list[str]) -> None:
    pairs = aligned(one, other)
    assert [r for r, _ in pairs if r is not None] == list(range(len(one)))
    assert [c for _, c in pairs if c is not None] == list(range(len(other)))
    matched = [(r, c) for r, c in pairs if r is not None and c is not None]
    assert all(one[r] == other[c] for r, c in matched)
    assert len(matched) == longest(tuple(one), tuple(other))


def test_what_one_side_did_stands_where_it_ran() -> None:
    assert aligned(["a", "x", "b"], ["a", "y", "b"]) == [(0, 0), (1, None), (None, 1), (2, 2)]


def test_sequences_too_long_to_match_keep_their_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "MAX_CELLS", 3)
    pairs = aligned(list("axyzb"), list("azyxb"))
    assert [pair for pair in pairs if None not in pair] == [(0, 0), (4, 4)]
    assert len(pairs) == 8
