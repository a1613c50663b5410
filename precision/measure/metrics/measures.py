"""What a format says about errors, and what one pass over float32 pairs finds."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SMALLEST_NORMAL = 2.0**-126
"""Of float32."""


@dataclass(frozen=True, kw_only=True)
class Domain:
    """What a format says about errors."""

    smallest_normal: float
    """Errors relative to references smaller than this are not taken."""
    relative_tolerance: float | None
    absolute_tolerance: float | None

    @property
    def fits_single(self) -> bool:
        """Whether float32 resolves what the format resolves."""
        return SMALLEST_NORMAL <= self.smallest_normal <= 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Measures:
    """What one pass over float32 pairs found; see `kernels.measure`."""

    domain: Domain
    found: tuple[float, ...]
    max_abs_error: float
    """Exact."""
    max_place: int
    """Of the first largest error."""
    equal: int
    """Pairs without error."""
    octaves: npt.NDArray[np.int64]
    """`(256,)`: |e| by the exponent field of float32."""
    maxima: npt.NDArray[np.float32]
    """The largest |e| of each `kernels.BLOCK` elements."""
