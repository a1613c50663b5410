"""What a cast did to the stored tensors, in words and as a table."""

from collections.abc import Iterable

from precision.findings.tables import Table, of_kind, table_of
from precision.results import CastAudit, TensorAudit
from precision.text.units import bytes_text, count_text, fine_share_text, ratio_text, shape_text

_TENSORS = (
    *of_kind("text", "tensor", "kind", "shape", "before", "after"),
    *of_kind("bytes", "bytes before", "bytes after"),
    *of_kind("text", "tied to", "why"),
    *of_kind("count", "became ±inf or NaN", "saturated", "became zero", "became subnormal"),
    *of_kind("error", "RMS relative error", "max relative error"),
)
_PARTS = {
    "No memory saved": 1.0,
    "Half the memory": 0.5,
    "A quarter of the memory": 0.25,
    "An eighth of the memory": 0.125,
}
_NEARLY = 0.03
"""A share that is off by less is called by the name of the part."""


def audit_table(tensors: Iterable[TensorAudit]) -> Table:
    """A row for each stored tensor, before and after the cast."""
    return table_of(_TENSORS, map(_tensor, tensors))


def _tensor(tensor: TensorAudit) -> tuple[object, ...]:
    values = tensor.stored
    lost = ", tie lost" if tensor.tie_kept is False else ""
    return (
        tensor.fqn,
        tensor.kind,
        shape_text(tensor.shape),
        tensor.dtype_before,
        tensor.dtype_after,
        tensor.bytes_before,
        tensor.bytes_after,
        f"{tensor.tied_to}{lost}" if tensor.tied_to else "",
        tensor.reason,
        values and values.became_nonfinite,
        values and values.saturated,
        values and values.became_zero,
        values and values.became_subnormal,
        values and values.rms_relative_error,
        values and values.max_relative_error,
    )


def changed_text(audit: CastAudit) -> str:
    """How many tensors the cast changed; where no dtype stores the format, which dtype holds the rounded values."""
    of = f"of {count_text(len(audit.tensors), 'tensor')}"
    rounded = [tensor for tensor in audit.tensors if tensor.rounded_to]
    if not rounded:
        return f"{sum(tensor.changed for tensor in audit.tensors):,} {of} changed dtype"
    holding = " and ".join(dict.fromkeys(tensor.dtype_after for tensor in rounded))
    others = sum(tensor.changed for tensor in audit.tensors) - len(rounded)
    more = f"; {others:,} more changed dtype" if others else ""
    return f"{len(rounded):,} {of} rounded to {_rounded_to(audit)}, held in {holding}{more}"


def memory_text(audit: CastAudit) -> str:
    """What share of the reference's bytes the tensors take, in a sentence; of a format that is not stored, estimated.

    Empty for a model without tensors.
    """
    rounded = _rounded_to(audit)
    after = audit.estimated_bytes_after if rounded else audit.bytes_after
    if not audit.bytes_before or after is None:
        return ""
    share = after / audit.bytes_before
    part = next((name for name, part in _PARTS.items() if abs(share / part - 1) < _NEARLY), "")
    size = part or (f"{fine_share_text(share)} of the memory" if share < 1 else f"{ratio_text(share)} times the memory")
    if rounded:
        return f"{size} if stored in {rounded} (estimated)."
    return f"{size}." if part.startswith("No ") else f"{size} to store it."


def estimated_text(audit: CastAudit) -> str:
    """Bytes of the model if the format could be stored; empty where it is stored."""
    rounded = _rounded_to(audit)
    if not rounded or audit.estimated_bytes_after is None:
        return ""
    return f"stored in {rounded}: {bytes_text(audit.estimated_bytes_after)} (estimated)"


def _rounded_to(audit: CastAudit) -> str:
    return " and ".join(dict.fromkeys(tensor.rounded_to for tensor in audit.tensors if tensor.rounded_to))
