"""Many rows in a chart of few: runs of neighbours drawn as one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def neighbours(rows: Sequence[T], limit: int) -> list[Sequence[T]]:
    """`rows` cut into at most `limit` runs of nearly equal length, each row alone where they are few enough.

    >>> neighbours("abcde", 3)
    ['ab', 'cd', 'e']
    """
    size = max(1, math.ceil(len(rows) / limit))
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def group_label(labels: Sequence[str]) -> str:
    """One name for neighbours.

    >>> group_label(["0.weight"]), group_label(["0.weight", "0.bias", "1.weight"])
    ('0.weight', '0.weight … 1.weight (3)')
    """
    return labels[0] if len(labels) == 1 else f"{labels[0]} … {labels[-1]} ({len(labels)})"
