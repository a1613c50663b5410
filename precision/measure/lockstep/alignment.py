"""Which items of two sequences belong together."""

from collections.abc import Sequence
from itertools import takewhile

MAX_CELLS = 4_000_000
"""Two sequences whose lengths multiply to more are matched only at their common beginning and end."""


def aligned(reference: Sequence[str], candidate: Sequence[str]) -> list[tuple[int | None, int | None]]:
    """Pairs of places with the same name by a longest common subsequence, in order; None where one side has none.

    What both begin and end with is matched first, so equal sequences cost nothing. Items that only one side has
    stand where they ran, the reference's before the candidate's.

    Source: Wagner & Fischer (1974), dynamic programming in O(n·m).

    >>> aligned(["linear", "add"], ["linear", "to", "add"])
    [(0, 0), (None, 1), (1, 2)]
    """
    start = in_common(reference, candidate)
    end = in_common(reference[start:][::-1], candidate[start:][::-1])
    r_end, c_end = len(reference) - end, len(candidate) - end
    middle = _subsequence(reference[start:r_end], candidate[start:c_end])
    pairs: list[tuple[int | None, int | None]] = [(i, i) for i in range(start)]
    r, c = start, start
    for i, j in [*((i + start, j + start) for i, j in middle), (r_end, c_end)]:
        pairs += [(k, None) for k in range(r, i)]
        pairs += [(None, k) for k in range(c, j)]
        if (i, j) != (r_end, c_end):
            pairs.append((i, j))
        r, c = i + 1, j + 1
    pairs += [(r_end + i, c_end + i) for i in range(end)]
    return pairs


def in_common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many items both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _subsequence(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    if not one or not other or len(one) * len(other) > MAX_CELLS:
        return []
    lengths = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i in range(len(one) - 1, -1, -1):
        row, below = lengths[i], lengths[i + 1]
        for j in range(len(other) - 1, -1, -1):
            row[j] = below[j + 1] + 1 if one[i] == other[j] else max(below[j], row[j + 1])
    matched, i, j = [], 0, 0
    while i < len(one) and j < len(other):
        if one[i] == other[j]:
            matched.append((i, j))
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return matched
