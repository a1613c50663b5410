"""One floating-point format: its field widths, and every constant that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from precision.formats.look import DefaultList, Look

Specials = Literal["ieee", "nan_only", "fnuz", "finite"]
"""Which codes are infinities, NaN and -0.

`ieee`: the top exponent holds infinities and NaNs. `nan_only`: only the codes of all ones are NaN (OCP "fn").
`fnuz`: only the code of -0 is NaN, and there is no -0. `finite`: every code is a finite value.
"""

Oracle = Literal["numpy", "ml_dtypes", "fractions"]
"""What tests compare the format's values and rounding with: a package that has it, or exact arithmetic."""


@dataclass(frozen=True, kw_only=True)
class NumericFormat:
    """A binary floating-point format: its field widths and everything that follows from them.

    Source: IEEE 754-2019, section 3; OCP 8-bit Floating Point Specification (OFP8) 1.0, table 1; OCP Microscaling
    Formats (MX) 1.0, section 5.3.

    >>> from precision.formats import format_named
    >>> format_named("float16").max
    65504.0
    >>> format_named("float8_e4m3fn").max
    448.0
    """

    name: str
    exponent_bits: int
    mantissa_bits: int
    """Explicit mantissa bits, without the hidden one."""
    specials: Specials = "ieee"
    bias_override: int | None = None
    """The exponent bias, where it is not the usual one of its kind."""
    stored_bits: int | None = None
    """Bits that a value takes in memory, where that is more than its fields need (tf32: 32)."""
    aliases: tuple[str, ...] = ()
    has_dtype: bool = False
    """Whether torch has a dtype of that name, which stores it."""
    computes: bool = False
    """Whether torch has kernels that compute in it; if not, its arithmetic is simulated."""
    relative_tolerance: float | None = None
    """rtol of `torch.testing.assert_close` for this dtype; None where torch defines none."""
    absolute_tolerance: float | None = None
    """atol of `torch.testing.assert_close` for this dtype; None where torch defines none."""
    look: Look | None = None
    """Its colour and hatching; None in the table: the first look that no other row has."""
    default_for: tuple[DefaultList, ...] = ()
    use: str = ""
    """What it is for, in one sentence; empty for typed formats."""
    oracle: Oracle = "fractions"

    @property
    def is_dialect(self) -> bool:
        """Whether it is a variant that only some hardware reads, with one zero and one NaN: offered only if asked."""
        return self.specials == "fnuz"

    @property
    def bits(self) -> int:
        """Width of its fields: sign, exponent and mantissa."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def bits_per_value(self) -> int:
        """Bits that a value takes in memory."""
        return self.stored_bits or self.bits

    def stored_bytes(self, elements: int) -> int:
        """Bytes of `elements` values stored one after the other, without gaps."""
        return -(-elements * self.bits_per_value // 8)

    @property
    def bias(self) -> int:
        """Exponent bias: 2^(exponent bits - 1) - 1, one more for `fnuz`, unless overridden."""
        if self.bias_override is not None:
            return self.bias_override
        return (1 << (self.exponent_bits - 1)) - (self.specials != "fnuz")

    @property
    def max_code(self) -> int:
        """The code, without sign, of the largest finite value."""
        reserved = {"ieee": 1 << self.mantissa_bits, "nan_only": 1, "fnuz": 0, "finite": 0}[self.specials]
        return (1 << (self.exponent_bits + self.mantissa_bits)) - 1 - reserved

    @property
    def min_exponent(self) -> int:
        """Exponent (power of two) of the smallest normal value."""
        return 1 - self.bias

    @property
    def max_exponent(self) -> int:
        """Exponent (power of two) of the largest finite value."""
        return (self.max_code >> self.mantissa_bits) - self.bias

    @property
    def max(self) -> float:
        """Largest finite value."""
        hidden = 1 << self.mantissa_bits
        significand = hidden | (self.max_code & (hidden - 1))
        return significand * 2.0**-self.mantissa_bits * 2.0**self.max_exponent

    @property
    def max_is_even(self) -> bool:
        """Whether a value halfway between the largest one and the next beyond it rounds to the largest."""
        return self.mantissa_bits > 0 and self.max_code % 2 == 0

    @property
    def smallest_normal(self) -> float:
        """Smallest positive value with a full mantissa."""
        return 2.0**self.min_exponent

    @property
    def smallest_subnormal(self) -> float:
        """Smallest positive value."""
        return 2.0 ** (self.min_exponent - self.mantissa_bits)

    @property
    def epsilon(self) -> float:
        """Distance from a power of two to the next larger value, relative to it."""
        return 2.0**-self.mantissa_bits

    @property
    def has_infinities(self) -> bool:
        """Whether the format can store infinities."""
        return self.specials == "ieee"

    @property
    def has_nan(self) -> bool:
        """Whether the format can store NaN."""
        return self.specials != "finite"

    @property
    def has_negative_zero(self) -> bool:
        """Whether zeros keep their sign."""
        return self.specials != "fnuz"

    def holds(self, other: NumericFormat) -> bool:
        """Whether every finite value of `other` is one of this format's."""
        return (
            self.mantissa_bits >= other.mantissa_bits
            and self.max >= other.max
            and self.smallest_subnormal <= other.smallest_subnormal
        )
