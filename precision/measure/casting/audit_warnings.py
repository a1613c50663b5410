"""The warnings of a cast audit: what to know before reading its numbers."""

from collections.abc import Callable, Sequence

from precision.formats import AnyFormat, NumericFormat, any_format_named, ulp_format
from precision.results import StoredValues, TensorAudit
from precision.spec.cast_methods import CastMethod
from precision.text.names import plain
from precision.text.units import number_text

MOST_NAMED = 8
"""Tensors that one kind of warning names before it sums up the rest."""


def audit_warnings(rows: Sequence[TensorAudit], *, fmt: AnyFormat, method: CastMethod) -> tuple[str, ...]:
    """The warnings of an audit, most serious first: overflow, lost values, lost ties, and a cast that did nothing."""
    casting = method.call(fmt)
    return (
        *_of_values(rows, "became_nonfinite", _became_nonfinite),
        *_of_values(rows, "saturated", _saturated),
        *_each(rows, lambda row: _lost_imaginary(row, casting)),
        *_of_values(rows, "nonfinite_before", _nonfinite_before),
        *_became_zero(rows),
        *_each(rows, _lost_tie),
        *_each(rows, lambda row: _left_behind(row, fmt, method)),
        *_vacuous(rows, method),
    )


def _each(rows: Sequence[TensorAudit], warning: Callable[[TensorAudit], str | None]) -> list[str]:
    texts = [text for row in rows if (text := warning(row)) is not None]
    rest = len(texts) - MOST_NAMED
    more = [f"The same happened to {rest} more tensors; the table lists them."] if rest > 0 else []
    return [*texts[:MOST_NAMED], *more]


def _of_values(
    rows: Sequence[TensorAudit], count: str, warning: Callable[[TensorAudit, StoredValues], str | None]
) -> list[str]:
    """Of the tensors of which this count is not zero."""
    hit = {id(row): stored for row in rows if (stored := _counted(row)) is not None and getattr(stored, count)}
    return _each([row for row in rows if id(row) in hit], lambda row: warning(row, hit[id(row)]))


def _counted(row: TensorAudit) -> StoredValues | None:
    """What to warn of; a tensor that is still tied to another was counted there."""
    return None if row.tie_kept else row.stored


def _format_of(row: TensorAudit) -> AnyFormat:
    return any_format_named(row.rounded_to or row.dtype_after)


def _became_nonfinite(row: TensorAudit, stored: StoredValues) -> str:
    fmt = ulp_format(_format_of(row))
    if fmt is None:
        return f"{_count(row, stored.became_nonfinite)} became infinite or NaN in {row.rounded_to}."
    became = "infinite" if fmt.has_infinities else "NaN"
    if stored.saturated is None:  # a scale brings every value into the range, unless the scale is none
        return (
            f"{_count(row, stored.became_nonfinite)} became {became} in {fmt.name}: torchao gives a row of zeros "
            "the scale 0 and divides by it."
        )
    return (
        f"{_count(row, stored.became_nonfinite)} became {became} in {fmt.name} "
        f"(largest {number_text(stored.max_absolute_value)}, format's maximum {number_text(fmt.max)})."
    )


def _saturated(row: TensorAudit, stored: StoredValues) -> str | None:
    fmt = ulp_format(_format_of(row))
    if fmt is None:
        return None
    return (
        f"{_count(row, stored.saturated or 0)} were beyond the range of {fmt.name} and are stored as "
        f"±{number_text(fmt.max)} (largest {number_text(stored.max_absolute_value)})."
    )


def _lost_imaginary(row: TensorAudit, casting: str) -> str | None:
    if not row.dtype_before.startswith("complex") or row.dtype_after.startswith("complex"):
        return None
    return (
        f"{plain(row.fqn, limit=None)}: {casting} dropped the imaginary part of this {row.dtype_before} tensor "
        "(.half(), .bfloat16() and .float() leave complex tensors as they are)."
    )


def _nonfinite_before(row: TensorAudit, stored: StoredValues) -> str:
    return f"{_count(row, stored.nonfinite_before)} were already infinite or NaN before the cast."


def _became_zero(rows: Sequence[TensorAudit]) -> list[str]:
    """One sentence for all tensors: in a large model every layer has a few such values."""
    hit = [(row, stored) for row in rows if (stored := _counted(row)) is not None and stored.became_zero]
    if not hit:
        return []
    zeros = sum(stored.became_zero for _, stored in hit)
    elements = sum(stored.elements for row in rows if (stored := _counted(row)) is not None)
    row, most = max(hit, key=lambda pair: pair[1].became_zero)
    fmt = _format_of(row)
    smallest = (
        f"its smallest nonzero value is {number_text(fmt.smallest_subnormal)}"
        if isinstance(fmt, NumericFormat) and most.saturated is not None
        else "smaller than half a step of the scale that they share with larger values"
    )
    names = ", ".join(dict.fromkeys(_format_of(row).name for row, _ in hit))
    where = "one tensor" if len(hit) == 1 else f"{len(hit)} tensors"
    return [
        f"{zeros:,} of {elements:,} stored values became zero in {names}, in {where}; "
        f"most in {_count(row, most.became_zero)} ({smallest})."
    ]


def _lost_tie(row: TensorAudit) -> str | None:
    if row.tie_kept is not False:
        return None
    return (
        f"{plain(row.fqn, limit=None)} shared its memory with {plain(row.tied_to or '', limit=None)} before the cast; "
        "after it, each has its own copy."
    )


def _left_behind(row: TensorAudit, fmt: AnyFormat, method: CastMethod) -> str | None:
    if row.kind != "attribute" or not row.dtype_after.startswith(("float", "bfloat")):
        return None
    if row.dtype_after == fmt.name or not fmt.has_dtype or method.row.computing != "format":
        return None
    return (
        f"{plain(row.fqn, limit=None)} is a plain attribute and stays {row.dtype_after}: in forward it can raise a "
        "dtype mismatch or promote results. Register it as a buffer."
    )


def _vacuous(rows: Sequence[TensorAudit], method: CastMethod) -> list[str]:
    if not rows:
        return ["The model stores no tensors: only its inputs can be cast."]
    if method.row.running == "autocast" or any(row.changed for row in rows):
        return []
    return [
        f"0 of {len(rows)} tensors changed: there is nothing to compare unless the reference computes in another "
        "format or with other weights."
    ]


def _count(row: TensorAudit, count: int) -> str:
    elements = row.stored.elements if row.stored is not None else 0
    return f"{plain(row.fqn, limit=None)}: {count:,} of {elements:,} values"
