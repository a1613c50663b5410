"""The table of number formats. A new format is a new row of `FORMATS`; nothing else names one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from precision.errors import InputError

Specials = Literal["ieee", "nan_only"]
"""`ieee`: the top exponent holds infinities and NaNs. `nan_only`: only the all-ones code is NaN (OCP "fn")."""


@dataclass(frozen=True, kw_only=True)
class NumericFormat:
    """A binary floating-point format: its field widths and everything that follows from them.

    Source: IEEE 754-2019, section 3; OCP 8-bit Floating Point Specification (OFP8) 1.0, table 1.

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
    aliases: tuple[str, ...] = ()
    computes: bool = True
    """Whether torch has kernels that compute in it; if not, arithmetic in it is simulated."""
    relative_tolerance: float | None = None
    """rtol of `torch.testing.assert_close` for this dtype; None where torch defines none."""
    absolute_tolerance: float | None = None
    """atol of `torch.testing.assert_close` for this dtype; None where torch defines none."""

    @property
    def bits(self) -> int:
        """Width of one stored value, sign included."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def bytes(self) -> int:
        """Bytes of one stored value."""
        return (self.bits + 7) // 8

    @property
    def bias(self) -> int:
        """Exponent bias."""
        return (1 << (self.exponent_bits - 1)) - 1

    @property
    def min_exponent(self) -> int:
        """Exponent (power of two) of the smallest normal value."""
        return 1 - self.bias

    @property
    def max_exponent(self) -> int:
        """Exponent (power of two) of the largest finite value."""
        return (1 << self.exponent_bits) - 1 - self.bias - (self.specials == "ieee")

    @property
    def max(self) -> float:
        """Largest finite value."""
        largest_mantissa = 2 - 2.0**-self.mantissa_bits * (1 if self.specials == "ieee" else 2)
        return largest_mantissa * 2.0**self.max_exponent

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
        """Distance from 1 to the next larger value."""
        return 2.0**-self.mantissa_bits

    @property
    def has_infinities(self) -> bool:
        """Whether the format can store infinities."""
        return self.specials == "ieee"


FORMATS: tuple[NumericFormat, ...] = (
    NumericFormat(
        name="float64", exponent_bits=11, mantissa_bits=52, aliases=("fp64", "double"),
        relative_tolerance=1e-7, absolute_tolerance=1e-7,
    ),
    NumericFormat(
        name="float32", exponent_bits=8, mantissa_bits=23, aliases=("fp32", "float"),
        relative_tolerance=1.3e-6, absolute_tolerance=1e-5,
    ),
    NumericFormat(
        name="bfloat16", exponent_bits=8, mantissa_bits=7, aliases=("bf16",),
        relative_tolerance=1.6e-2, absolute_tolerance=1e-5,
    ),
    NumericFormat(
        name="float16", exponent_bits=5, mantissa_bits=10, aliases=("fp16", "half"),
        relative_tolerance=1e-3, absolute_tolerance=1e-5,
    ),
    NumericFormat(
        name="float8_e4m3fn", exponent_bits=4, mantissa_bits=3, specials="nan_only",
        aliases=("fp8_e4m3", "e4m3"), computes=False,
    ),
    NumericFormat(
        name="float8_e5m2", exponent_bits=5, mantissa_bits=2,
        aliases=("fp8_e5m2", "e5m2"), computes=False,
    ),
)  # fmt: skip

_BY_NAME = {name: row for row in FORMATS for name in (row.name, *row.aliases)}


def format_named(name: str) -> NumericFormat:
    """The format of that name or alias; a leading `torch.` is ignored.

    Raises:
        InputError: no such format; the message lists those there are.
    """
    try:
        return _BY_NAME[name.removeprefix("torch.")]
    except KeyError:
        known = ", ".join(row.name for row in FORMATS)
        raise InputError(f"Unknown format {name!r}. Choose one of: {known}.") from None
