"""Two comparisons beside each other: the settings in which they differ, and every key figure with its change."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from precision.findings.speed import compare_speed
from precision.findings.tables import Column, Kind, Table, Value, table_of, written
from precision.results import CastAudit, ClassDecisions, CompareResult, ErrorMetrics, NeighbourDecisions
from precision.results.intervals import Interval
from precision.spec import INPUT, RunSpec
from precision.text.metrics import metric_named
from precision.text.units import bytes_text, ratio_text, share_text

_INPUT = ("model", *INPUT, "regime", "reference")
"""Settings without which two errors are of other outputs."""
_SAME = 1.01
"""Up to this ratio, two errors are called the same."""
STORED = "Bytes in the format"
"""Label of a figure."""
_NOT_TIMED = "not timed"
_NEW = "New NaN or ±inf"


class Figure(NamedTuple):
    """One number of both runs."""

    label: str
    first: str
    second: str
    change: str
    """What becomes of the first in the second; empty where the two cannot be compared."""


def differing(first: RunSpec, second: RunSpec) -> Table:
    """The settings in which two runs differ."""
    rows = [
        (name.replace("_", " "), _setting(first, name), _setting(second, name))
        for name in RunSpec.model_fields
        if name != "analysis" and getattr(first, name) != getattr(second, name)
    ]
    return table_of((Column("setting"), Column("first"), Column("second")), rows)


def _setting(spec: RunSpec, name: str) -> str:
    value = getattr(spec, name)
    return ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value if value is not None else "")


def why_not_comparable(first: RunSpec, second: RunSpec) -> str:
    """Why the errors of two runs are of different outputs, in a sentence; empty where they are of the same."""
    names = [name for name in _INPUT if getattr(first, name) != getattr(second, name)]
    return f"The two differ in {' and '.join(names)}: their errors are of different outputs." if names else ""


def figures(first: CompareResult, second: CompareResult) -> tuple[Figure, ...]:
    """Every key figure that both runs have."""
    compares = not why_not_comparable(first.spec, second.spec)
    return tuple(_figures(first, second, compares=compares))


def _figures(first: CompareResult, second: CompareResult, *, compares: bool) -> Iterator[Figure]:
    if first.comparison is not None and second.comparison is not None:
        errors = first.comparison.overall, second.comparison.overall
        for name in ("mean_abs_error", "max_abs_error", "rmse"):
            yield _of_metric(name, "error", errors, _times if compares else _none)
        yield _of_metric("sqnr_db", "decibels", errors, _decibels_change if compares else _none)
        new = tuple(metrics.cand_only_nonfinite for metrics in errors)
        if any(new):
            yield Figure(_NEW, f"{new[0]:,}", f"{new[1]:,}", _count_change(*new) if compares else "")
    decided = _decided(first), _decided(second)
    if decided[0] and decided[1] and decided[0].label == decided[1].label:
        change = _decided_change(decided[0], decided[1]) if compares else ""
        yield Figure(decided[0].label, share_text(decided[0].share), share_text(decided[1].share), change)
    if first.audit is not None and second.audit is not None:
        before, after = _stored(first.audit), _stored(second.audit)
        yield Figure(STORED, before.text, after.text, _times(before.size, after.size))
    if first.cost is not None or second.cost is not None:
        yield Figure("Speed against the reference", _speed(first), _speed(second), "")


class _Stored(NamedTuple):
    size: int
    text: str


def _stored(audit: CastAudit) -> _Stored:
    if audit.estimated_bytes_after is None:
        return _Stored(audit.bytes_after, bytes_text(audit.bytes_after))
    return _Stored(audit.estimated_bytes_after, f"{bytes_text(audit.estimated_bytes_after)} (estimated)")


def _speed(result: CompareResult) -> str:
    return compare_speed(result.cost).alone if result.cost else _NOT_TIMED


def _of_metric(
    name: str, kind: Kind, errors: tuple[ErrorMetrics, ErrorMetrics], change: Callable[[float, float], str]
) -> Figure:
    first, second = (getattr(metrics, name) for metrics in errors)
    changes = "" if first is None or second is None else change(first, second)
    return Figure(metric_named(name).label, _text(first, kind), _text(second, kind), changes)


def _text(value: Value, kind: Kind) -> str:
    text = written(value, kind)
    return f"{text} dB" if kind == "decibels" and text not in ("", "exact") else text


def _none(_first: float, _second: float) -> str:
    return ""


def _times(first: float, second: float) -> str:
    if first == second:
        return "the same"
    if not first or not second:
        return "none any more" if first else "some now"
    ratio = second / first
    if 1 / _SAME < ratio < _SAME:
        return "about the same"
    return f"{ratio_text(max(ratio, 1 / ratio))} × {'larger' if ratio > 1 else 'smaller'}"


def _decibels_change(first: float, second: float) -> str:
    if first == second or not (math.isfinite(first) and math.isfinite(second)):
        return "the same" if first == second else ""
    return f"{second - first:+.1f} dB".replace("-", "−")


def _count_change(first: float, second: float) -> str:
    return "the same" if first == second else f"{second - first:+,.0f}".replace("-", "−")


class _Decided(NamedTuple):
    label: str
    share: float
    changed: int
    interval: Interval | None


def _decided(result: CompareResult) -> _Decided | None:
    """What becomes of the decisions of the first output that has some."""
    for output in result.comparison.outputs if result.comparison else ():
        decisions = output.decisions
        if isinstance(decisions, ClassDecisions) and decisions.top1_agreement is not None:
            label = metric_named("top1_agreement").label
            return _Decided(label, decisions.top1_agreement, decisions.changed_samples, decisions.agreement_interval)
        if isinstance(decisions, NeighbourDecisions):
            label = metric_named("neighbour_agreement").label
            return _Decided(label, decisions.neighbour_agreement, decisions.changed, decisions.agreement_interval)
    return None


def _decided_change(first: _Decided, second: _Decided) -> str:
    if first.changed == second.changed:
        return "the same"
    said = (
        f"{abs(second.changed - first.changed):,} {'more' if second.changed > first.changed else 'fewer'} change here"
    )
    apart = (
        first.interval
        and second.interval
        and (first.interval.high < second.interval.low or second.interval.high < first.interval.low)
    )
    return said if apart else f"{said}; may be chance"


def finding(first: CompareResult, second: CompareResult) -> str:
    """What the second is against the first, in a clause."""
    if why := why_not_comparable(first.spec, second.spec):
        return why.removesuffix(".")
    found = {figure.label: figure for figure in figures(first, second)}
    mean = found.get(metric_named("mean_abs_error").label)
    size = found.get(STORED)
    new = found.get(_NEW)
    parts = [f"{new.second} new NaN or infinities against {new.first}"] if new is not None else []
    if mean is not None and mean.change:
        parts.append(f"the mean error is {mean.change}")
    if size is not None:
        parts.append(f"the bytes are {size.change}")
    names = f"{second.spec.candidate} against {first.spec.candidate}"
    return f"{names}: {', '.join(parts) or 'nothing to compare'}"
