"""What autocast, or any cast, did to the operators of a model's own run, in words. Needs no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from precision.names import plain
from precision.results import LayersResult
from precision.units import count_text

_MOST_NAMES = 8


class Lowering(NamedTuple):
    """The candidate's operators by the dtype in which their kernels computed; those that only move values left out."""

    dtype: str
    """The format that was asked for."""
    lowered: int
    """Operators that computed in it alone."""
    total: int
    stayed: Mapping[str, Mapping[str, int]]
    """Of the others: how many of each name, by dtype; one that computed in several is under all of them, joined."""


def lowering(result: LayersResult) -> Lowering | None:
    """Counted over the operators in the report; None where operators were not watched."""
    report, dtype = result.report, result.spec.dtype
    if report is None or not report.watched_operators:
        return None
    lowered = total = 0
    stayed: dict[str, Counter[str]] = {}
    for operator in report.operators:
        if operator.candidate_dtypes is None:
            continue
        computed = report.operator_dtypes[operator.candidate_dtypes].computed
        if not computed:
            continue
        total += 1
        if computed == (dtype,):
            lowered += 1
        else:
            stayed.setdefault(" and ".join(computed), Counter())[operator.name] += 1
    return Lowering(dtype, lowered, total, stayed)


def lowering_text(found: Lowering) -> str:
    """The counts in a sentence; names in the order of how often they occur.

    >>> lowering_text(Lowering("float16", 3, 6, {"float32": {"softmax": 2, "layer_norm": 1}}))
    '3 of 6 operators ran in float16; in float32: 2 × softmax, layer_norm.'
    """
    start = f"{found.lowered:,} of {count_text(found.total, 'operator')} ran in {found.dtype}"
    return "; ".join((start, *(f"in {dtype}: {_names(names)}" for dtype, names in found.stayed.items()))) + "."


def _names(counts: Mapping[str, int]) -> str:
    by_count = sorted(counts.items(), key=lambda item: -item[1])
    words = [plain(name) if count == 1 else f"{count:,} × {plain(name)}" for name, count in by_count[:_MOST_NAMES]]
    more = len(by_count) - _MOST_NAMES
    return ", ".join((*words, f"{more:,} more kinds") if more > 0 else words)
