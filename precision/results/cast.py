"""What a cast did to a model."""

from typing import Literal

from precision.results.base import Result

TensorKind = Literal["parameter", "buffer", "non-persistent buffer", "attribute"]


class StoredValues(Result):
    """What a cast did to the values stored in one tensor (counts over its elements)."""

    elements: int
    became_nonfinite: int
    """Finite before, infinite or NaN after (or saturated at the format's maximum: see `saturated`)."""
    saturated: int | None
    """Beyond the format's range before the cast, stored as its largest finite value. None in scaled formats."""
    became_zero: int
    """Non-zero before, zero after."""
    became_subnormal: int | None
    """Non-zero after, in the format's subnormal range, and normal in the format before. None in scaled formats."""
    nonfinite_before: int
    max_relative_error: float | None
    """max |cast(x) - x| / |x| over elements finite and non-zero before, finite after."""
    rms_relative_error: float | None
    max_absolute_value: float | None
    """Largest finite magnitude before."""


class TensorAudit(Result):
    """One stored tensor before and after the cast."""

    fqn: str
    kind: TensorKind
    shape: tuple[int, ...]
    dtype_before: str
    dtype_after: str
    bytes_before: int
    bytes_after: int
    counted_bytes_before: int
    """The bytes that no earlier tensor shares; summed over all tensors, the model's total."""
    counted_bytes_after: int
    tied_to: str | None
    """fqn of the first tensor that shares its storage before the cast; its bytes count there."""
    tie_kept: bool | None
    """Whether the tie still holds after the cast; None where there was none."""
    changed: bool
    reason: str
    """Why it changed, or why not."""
    stored: StoredValues | None
    """None where the values were not rounded."""
    rounded_to: str | None = None
    """The format that its values were rounded to, where that is not `dtype_after`: a wider dtype holds them, or torchao
    stores them with separate scales."""
    estimated_bytes_after: int | None = None
    """Bytes of the tensor in that format, with scales; None where the format has a dtype."""


class ModuleNode(Result):
    """One module of the tree, with the bytes stored directly in it (ties once, children apart)."""

    fqn: str
    """Empty for the root."""
    type: str
    bytes_before: int
    bytes_after: int


class CastAudit(Result):
    """Every tensor a model stores, before and after a cast."""

    tensors: tuple[TensorAudit, ...]
    modules: tuple[ModuleNode, ...]
    bytes_before: int
    """Parameters and buffers, persistent or not, and plain attributes; each storage once."""
    bytes_after: int
    estimated_bytes_after: int | None = None
    """Bytes of the model if the format could be stored; None where it is stored."""
    warnings: tuple[str, ...]
