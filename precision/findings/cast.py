"""What a cast did to the stored tensors, in words."""

from __future__ import annotations

from precision.results import CastAudit
from precision.text.units import bytes_text, count_text


def changed_text(audit: CastAudit) -> str:
    """How many tensors the cast changed; of a format that no dtype stores, what holds the rounded values."""
    of = f"of {count_text(len(audit.tensors), 'tensor')}"
    rounded = [tensor for tensor in audit.tensors if tensor.rounded_to]
    if not rounded:
        return f"{sum(tensor.changed for tensor in audit.tensors):,} {of} changed dtype"
    holding = " and ".join(dict.fromkeys(tensor.dtype_after for tensor in rounded))
    return f"{len(rounded):,} {of} rounded to {rounded[0].rounded_to}, held in {holding}"


def estimated_text(audit: CastAudit) -> str:
    """What the model would take if the format were stored; empty where it is."""
    rounded = next((tensor.rounded_to for tensor in audit.tensors if tensor.rounded_to), None)
    if rounded is None or audit.estimated_bytes_after is None:
        return ""
    return f"stored in {rounded}: {bytes_text(audit.estimated_bytes_after)} (estimated)"
