"""Floating-point formats that a person types: e5m7, E3M4, e4m3fnuz and the like."""

import re

from precision.errors import InputError
from precision.formats.numeric import NumericFormat, Specials

MAX_EXPONENT_BITS = 11
MAX_MANTISSA_BITS = 52
"""The fields of float64, in which every value is simulated."""

_PATTERN = re.compile(r"e([0-9]{1,3})m([0-9]{1,3})(ieee|finite|fnuz|fn)?", re.ASCII)
_SPECIALS: dict[str | None, Specials] = {
    None: "ieee",
    "ieee": "ieee",
    "fn": "nan_only",
    "fnuz": "fnuz",
    "finite": "finite",
}


def custom_format(name: str) -> NumericFormat | None:
    """The format that a name such as `e5m7` or `E3M4fn` describes; None for any other kind of name.

    The digits are the widths of exponent and mantissa. The suffix says which codes are special: without suffix or with
    `ieee`, infinities and NaNs in the top exponent; `fn`, only NaN; `fnuz`, NaN in place of -0 and a bias larger by
    one; `finite`, none. Torch has no dtype for it: it is always simulated.

    Raises:
        InputError: float64 cannot simulate this format; the message says why.
    """
    match = _PATTERN.fullmatch(name.lower())
    if match is None:
        return None
    exponent_bits, mantissa_bits, suffix = int(match[1]), int(match[2]), match[3]
    if not 1 <= exponent_bits <= MAX_EXPONENT_BITS or mantissa_bits > MAX_MANTISSA_BITS:
        raise InputError(
            f"Format {name!r}: choose 1 to {MAX_EXPONENT_BITS} exponent bits and 0 to {MAX_MANTISSA_BITS} mantissa "
            "bits, those of float64, in which it is simulated."
        )
    specials = _SPECIALS[suffix]
    canonical = f"e{exponent_bits}m{mantissa_bits}{'' if specials == 'ieee' else suffix}"
    fmt = NumericFormat(name=canonical, exponent_bits=exponent_bits, mantissa_bits=mantissa_bits, specials=specials)
    _require_sense(fmt, name)
    return fmt


def _require_sense(fmt: NumericFormat, name: str) -> None:
    if fmt.specials == "ieee" and (fmt.exponent_bits == 1 or fmt.mantissa_bits == 0):
        raise InputError(
            f"Format {name!r} has no room for infinities and NaNs: with 1 exponent bit they leave no normal value, "
            "and without mantissa bits there is no NaN. "
            f"Add a suffix: {fmt.name}fn, {fmt.name}fnuz or {fmt.name}finite."
        )
    if fmt.max_code < 1 << fmt.mantissa_bits:
        raise InputError(f"Format {name!r} has no normal value at all. Add a mantissa bit or an exponent bit.")
    if fmt.max_exponent > 1023 or fmt.min_exponent - fmt.mantissa_bits < -1074:
        raise InputError(
            f"Format {name!r} goes beyond the range of float64, in which it is simulated. "
            "Choose 10 exponent bits, or no suffix."
        )
