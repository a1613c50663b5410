"""The dtypes in which operators computed, under autocast or after any cast, in words."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from precision.findings.tables import Table, of_kind, table_of
from precision.results import AutocastResult, LayersReport, LayersResult
from precision.text.names import plain
from precision.text.units import count_text

_MOST_NAMES = 8


def autocast_table(result: AutocastResult) -> Table:
    """A row for each operator: its rule, and what it computed in for inputs of each kind."""
    dtype = result.spec.dtype
    names = (
        *("operator", "family", "rule", "computes in, for float32 inputs"),
        *(f"for {dtype} inputs", "for mixed inputs", "with gradients", "reason"),
    )
    rows = (
        (
            operator.name,
            operator.family,
            operator.rule,
            *(", ".join(each) for each in (operator.computed, operator.computed_lower, operator.computed_mixed)),
            operator.gradients_text,
            operator.reason,
        )
        for operator in result.operators
    )
    return table_of(of_kind("text", *names), rows).without_empty("reason")


class Lowering(NamedTuple):
    """The candidate's operators by the dtype in which their kernels computed; without those that only move values."""

    dtype: str
    lowered: int
    """Operators that computed only in that format."""
    total: int
    stayed: Mapping[str, Mapping[str, int]]
    """The others: how many of each name, by dtype; several dtypes of one operator are joined."""
    promoted: int = 0
    """Operators that widened an input without the code asking."""


def lowering(result: LayersResult) -> Lowering | None:
    """The counts over all operators of a run; None where operators were not recorded."""
    report = result.report
    if report is None or not report.watched_operators:
        return None
    return together(result.spec.dtype, (one for _, one in _one_by_one(report, result.spec.dtype)))


def lowering_by_module(result: LayersResult) -> Mapping[str, Lowering]:
    """The same for every called module, by fqn, over all of its calls; empty where operators were not recorded.

    Operators of a module inside it count for that module only.
    """
    report, dtype = result.report, result.spec.dtype
    if report is None or not report.watched_operators:
        return {}
    ran: dict[str, list[Lowering]] = {row.fqn: [] for row in report.rows}
    for fqn, one in _one_by_one(report, dtype):
        ran[fqn].append(one)
    return {fqn: together(dtype, found) for fqn, found in ran.items()}


def _one_by_one(report: LayersReport, dtype: str) -> Iterator[tuple[str, Lowering]]:
    for operator in report.operators:
        if operator.candidate_dtypes is None:
            continue
        flow = report.operator_dtypes[operator.candidate_dtypes]
        if not flow.computed:
            continue
        lowered = flow.computed == (dtype,)
        stayed = {} if lowered else {" and ".join(flow.computed): {operator.name: 1}}
        yield report.rows[operator.row].fqn, Lowering(dtype, int(lowered), 1, stayed, int(flow.is_promoted))


def together(dtype: str, parts: Iterable[Lowering]) -> Lowering:
    """The counts of several groups of operators added up."""
    lowered = total = promoted = 0
    stayed: dict[str, Counter[str]] = {}
    for part in parts:
        lowered += part.lowered
        total += part.total
        promoted += part.promoted
        for other, names in part.stayed.items():
            stayed.setdefault(other, Counter()).update(names)
    return Lowering(dtype, lowered, total, stayed, promoted)


def lowering_text(found: Lowering) -> str:
    """The counts in a sentence; the most frequent names first.

    >>> lowering_text(Lowering("float16", 3, 6, {"float32": {"softmax": 2, "layer_norm": 1}}))
    '3 of 6 operators ran in float16; in float32: 2 × softmax, layer_norm.'
    """
    start = f"{found.lowered:,} of {count_text(found.total, 'operator')} ran in {found.dtype}"
    return "; ".join(filter(None, (start, _stayed(found)))) + "."


def stayed_text(found: Lowering) -> str:
    """Which operators did not run in the format, in a sentence; empty where all did.

    >>> stayed_text(Lowering("float16", 3, 6, {"float32": {"softmax": 2, "layer_norm": 1}}))
    'Not in float16, but in float32: 2 × softmax, layer_norm.'
    """
    return f"Not in {found.dtype}, but {_stayed(found)}." if found.stayed else ""


def _stayed(found: Lowering) -> str:
    return "; ".join(f"in {dtype}: {_names(names)}" for dtype, names in found.stayed.items())


def _names(counts: Mapping[str, int]) -> str:
    by_count = sorted(counts.items(), key=lambda item: -item[1])
    words = [plain(name) if count == 1 else f"{count:,} × {plain(name)}" for name, count in by_count[:_MOST_NAMES]]
    more = len(by_count) - _MOST_NAMES
    return ", ".join((*words, f"{more:,} more kinds") if more > 0 else words)
