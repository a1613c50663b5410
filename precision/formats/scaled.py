"""Formats whose values share scales: the MX formats, NVFP4, and symmetric integers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from precision.formats.look import DefaultList, Look
from precision.formats.numeric import NumericFormat

Scale = Literal["e8m0", "e4m3", "float32"]
"""How a scale is stored.

`e8m0`: a power of two from 2^-127 to 2^127 in one byte. `e4m3`: a float8_e4m3fn, itself scaled by one float32 of the
whole tensor. `float32`: a float32.
"""
Granularity = Literal["tensor", "channel", "block"]
"""How many values share a scale: all, all along one dimension, or `block_size` consecutive ones along it."""

_SCALE_BITS: dict[Scale, int] = {"e8m0": 8, "e4m3": 8, "float32": 32}
_TENSOR_SCALE_BITS = 32
E8M0_EXPONENTS = (-127, 127)
"""Exponents of the smallest and of the largest scale that e8m0 stores."""


class Grouping(NamedTuple):
    """Which values share a scale, and how the scale is chosen from them."""

    block_size: int | None
    """Number of consecutive values with one scale; None: all values along the dimension."""
    power_of_two: bool
    """Whether the scale depends on the power of two below the largest magnitude, or on that magnitude itself."""


@dataclass(frozen=True, kw_only=True)
class IntegerGrid:
    """Signed integers of `bits` bits, symmetric about zero: the most negative code is not used."""

    bits: int

    @property
    def name(self) -> str:
        """Such as int8."""
        return f"int{self.bits}"

    @property
    def max(self) -> float:
        """The largest integer, 2^(bits - 1) - 1."""
        return float((1 << (self.bits - 1)) - 1)


@dataclass(frozen=True, kw_only=True)
class ScaledFormat:
    """Narrow elements, and scales that groups of elements share: a value is its element times its scale.

    It has no exponent range, largest value or ULP: these depend on the values that share a scale. The rules that choose
    the scales are in `precision.measure.rounding.round_to`.

    Source: OCP Microscaling Formats (MX) 1.0, sections 5 and 6; NVIDIA, "Pretraining Large Language Models with
    NVFP4" (2025), section 2.

    >>> from precision.formats import SCALED_FORMATS
    >>> {fmt.name: fmt.bits_per_value for fmt in SCALED_FORMATS if "4" in fmt.name and fmt.block_size}["nvfp4"]
    4.5
    """

    name: str
    element: NumericFormat | IntegerGrid
    scale: Scale
    granularity: Granularity
    block_size: int | None = None
    """Values that share a scale; None where the granularity is not `block`."""
    aliases: tuple[str, ...] = ()
    look: Look | None = None
    """Its colour and hatching; None in the table: the first look that no other row has."""
    default_for: tuple[DefaultList, ...] = ()
    use: str = ""
    """What it is for, in one sentence; empty for typed formats."""

    @property
    def computes(self) -> bool:
        """False: torch has no kernels for it, so its arithmetic is simulated."""
        return False

    @property
    def has_dtype(self) -> bool:
        """False: no torch dtype stores it, because its scales are a separate tensor."""
        return False

    @property
    def bits_per_value(self) -> float:
        """Bits of an element with its share of the block's scale; scales of a whole tensor or channel do not count."""
        return self.element.bits + (_SCALE_BITS[self.scale] / self.block_size if self.block_size else 0)

    @property
    def element_exponent(self) -> int:
        """Exponent (power of two) of the element's largest value."""
        return math.frexp(self.element.max)[1] - 1

    @property
    def grouping(self) -> Grouping | None:
        """Which values share a scale; None where the whole tensor has one scale."""
        if self.granularity == "tensor":
            return None
        return Grouping(self.block_size, self.scale == "e8m0")

    def scales(self, shape: Sequence[int]) -> int:
        """How many scales a tensor of `shape` has; that of the whole tensor in NVFP4 is not counted.

        Groups run along the last dimension; an incomplete last block has a scale of its own.
        """
        if not math.prod(shape):
            return 0
        if self.granularity == "tensor":
            return 1
        groups = math.prod(shape[:-1])
        last = shape[-1] if len(shape) else 1
        return groups if self.block_size is None else groups * -(-last // self.block_size)

    def stored_bytes(self, shape: Sequence[int]) -> int:
        """Bytes of a tensor of `shape`, elements packed without gaps, and all its scales."""
        elements = math.prod(shape)
        scale_bits = self.scales(shape) * _SCALE_BITS[self.scale]
        if self.scale == "e4m3" and elements:
            scale_bits += _TENSOR_SCALE_BITS
        return -(-elements * self.element.bits // 8) + scale_bits // 8
