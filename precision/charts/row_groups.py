"""Charts with more rows than there is room for: neighbours share one."""

import math
import os.path
from collections.abc import Sequence
from typing import TypeVar

from precision.text.names import escape_plotly, plain

T = TypeVar("T")

_AXIS_CHARACTERS = 30
"""Longest label of a row; about half the width of a phone."""


def neighbours(rows: Sequence[T], limit: int) -> list[Sequence[T]]:
    """`rows` cut into at most `limit` runs of nearly equal length; where there are few, each row is a run.

    >>> neighbours("abcde", 3)
    ['ab', 'cd', 'e']
    """
    size = max(1, math.ceil(len(rows) / limit))
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def without_shared(labels: Sequence[str]) -> tuple[str, list[str]]:
    """The path of modules that all labels begin with, and the labels without it; "" where there is none.

    At least one name is left of each label.

    >>> without_shared(["encoder.0.query weight", "encoder.0.key bias"])
    ('encoder.0.', ['query weight', 'key bias'])
    >>> without_shared(["encoder.0", "encoder.01"])
    ('encoder.', ['0', '01'])
    """
    paths = [label.partition(" ")[0] for label in labels]
    same = os.path.commonprefix(paths) if len(paths) > 1 else ""  # noqa: RUF071  # cut off behind a "." next
    shared = same[: same.rfind(".") + 1]
    return shared, [label.removeprefix(shared) for label in labels]


def shared_text(shared: str) -> str:
    """A sentence part about the path that was cut off the labels; "" without one.

    >>> shared_text("encoder.0.")
    'all in encoder.0'
    """
    return f"all in {plain(shared.removesuffix('.'))}" if shared else ""


def row_name(label: str) -> str:
    """A label for an axis: of a long one the end, which differs from its siblings'.

    >>> row_name("encoder.layer.0.attention.output")
    '…oder.layer.0.attention.output'
    """
    text = plain(label, limit=None)
    return escape_plotly(text if len(text) <= _AXIS_CHARACTERS else f"…{text[1 - _AXIS_CHARACTERS :]}")


def group_label(labels: Sequence[str]) -> str:
    """One name for neighbours.

    >>> group_label(["0.weight"]), group_label(["0.weight", "0.bias", "1.weight"])
    ('0.weight', '0.weight … 1.weight (3)')
    """
    return labels[0] if len(labels) == 1 else f"{labels[0]} … {labels[-1]} ({len(labels)})"
