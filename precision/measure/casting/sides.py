"""One precision of a model: how the modules that are on its side compute, and what a run wholly in it showed."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from precision.formats import AnyFormat, NumericFormat, ScaledFormat
from precision.measure.casting.simulation import rounded_tensor
from precision.measure.rounding import storage_dtype
from precision.results.flow import Flow
from precision.spec.cast_methods import CastMethod


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """How modules in one precision compute; copies of a model share it."""

    fmt: AnyFormat
    method: CastMethod
    device: torch.device
    dtype: torch.dtype
    """What the modules' own code sees."""
    is_reference: bool = False
    widened: bool = False
    """Whether weights are stored in a dtype that does not compute, and widened at every call."""
    rounded_to: NumericFormat | None = None
    rounds_inputs: bool = True
    """Whether that holds for what modules are given."""
    rounds_outputs: bool = True
    """Whether it holds for what they return."""
    quantized_to: ScaledFormat | None = None
    autocast_dtype: torch.dtype | None = None
    flow: Flow = field(default_factory=Flow, repr=False)

    def __deepcopy__(self, _memo: object) -> Side:
        return self

    def stores(self, dtype: torch.dtype) -> bool:
        """Whether that is the dtype in which weights are only stored."""
        return self.widened and self.rounded_to is not None and dtype is storage_dtype(self.rounded_to)

    def rounded(self, tensor: Tensor) -> Tensor:
        """`tensor` as a value of a simulated format; itself elsewhere."""
        return tensor if self.rounded_to is None else rounded_tensor(tensor, self.rounded_to)
