"""The table of number formats. A new format is a new row; nothing else names one."""

from dataclasses import replace

from precision.errors import InputError
from precision.formats.custom import custom_format
from precision.formats.look import DefaultList, Look
from precision.formats.numeric import NumericFormat
from precision.formats.scaled import Granularity, Grouping, IntegerGrid, ScaledFormat

FORMATS: tuple[NumericFormat, ...] = (
    NumericFormat(
        name="float64", exponent_bits=11, mantissa_bits=52,
        aliases=("fp64", "double"),
        has_dtype=True, computes=True, relative_tolerance=1e-7, absolute_tolerance=1e-7,
        look=Look("purple"), oracle="numpy",
        use="Twice the bytes of float32: to check float32 itself, and for scientific computing.",
    ),
    NumericFormat(
        name="float32", exponent_bits=8, mantissa_bits=23,
        aliases=("fp32", "float"),
        has_dtype=True, computes=True, relative_tolerance=1.3e-6, absolute_tolerance=1e-5,
        look=Look("blue"), oracle="numpy",
        use="The default of torch, and the usual reference.",
    ),
    NumericFormat(
        name="tf32", exponent_bits=8, mantissa_bits=10, stored_bits=32,
        aliases=("tensorfloat32",),
        look=Look("blue", "/"),
        use="How NVIDIA's GPUs since Ampere can multiply float32: its range, float16's precision.",
    ),
    NumericFormat(
        name="bfloat16", exponent_bits=8, mantissa_bits=7,
        aliases=("bf16",),
        has_dtype=True, computes=True, relative_tolerance=1.6e-2, absolute_tolerance=1e-5,
        look=Look("green"), default_for=("sweep", "sensitivity"), oracle="ml_dtypes",
        use="float32's range in half the bytes; the usual choice for large models.",
    ),
    NumericFormat(
        name="float16", exponent_bits=5, mantissa_bits=10,
        aliases=("fp16", "half"),
        has_dtype=True, computes=True, relative_tolerance=1e-3, absolute_tolerance=1e-5,
        look=Look("red"), default_for=("sweep", "sensitivity"), oracle="numpy",
        use="Three bits more precise than bfloat16, but its largest value is 65,504.",
    ),
    NumericFormat(
        name="float8_e4m3fn", exponent_bits=4, mantissa_bits=3, specials="nan_only",
        aliases=("fp8_e4m3", "e4m3", "e4m3fn"),
        has_dtype=True,
        look=Look("orange"), default_for=("sweep", "sensitivity"), oracle="ml_dtypes",
        use="For weights and activations in 8 bits; its largest value is 448.",
    ),
    NumericFormat(
        name="float8_e5m2", exponent_bits=5, mantissa_bits=2,
        aliases=("fp8_e5m2", "e5m2"),
        has_dtype=True,
        look=Look("sky"), default_for=("sweep",), oracle="ml_dtypes",
        use="For gradients in 8 bits: float16's exponents, two bits of mantissa.",
    ),
    NumericFormat(
        name="float8_e4m3fnuz", exponent_bits=4, mantissa_bits=3, specials="fnuz",
        aliases=("fp8_e4m3fnuz", "e4m3fnuz"),
        has_dtype=True,
        look=Look("orange", "/"), oracle="ml_dtypes",
        use="The e4m3 of AMD's MI300: one zero, one NaN, and a largest value of 240.",
    ),
    NumericFormat(
        name="float8_e5m2fnuz", exponent_bits=5, mantissa_bits=2, specials="fnuz",
        aliases=("fp8_e5m2fnuz", "e5m2fnuz"),
        has_dtype=True,
        look=Look("sky", "/"), oracle="ml_dtypes",
        use="The e5m2 of AMD's MI300: one zero, one NaN and no infinities.",
    ),
    NumericFormat(
        name="float6_e3m2fn", exponent_bits=3, mantissa_bits=2, specials="finite",
        aliases=("fp6_e3m2", "e3m2", "e3m2fn"),
        look=Look("yellow"), oracle="ml_dtypes",
        use="Made for blocks with a scale, as in mxfp6; its largest value is 28.",
    ),
    NumericFormat(
        name="float6_e2m3fn", exponent_bits=2, mantissa_bits=3, specials="finite",
        aliases=("fp6_e2m3", "e2m3", "e2m3fn"),
        look=Look("yellow", "/"), oracle="ml_dtypes",
        use="Made for blocks with a scale, as in mxfp6; its largest value is 7.5.",
    ),
    NumericFormat(
        name="float4_e2m1fn", exponent_bits=2, mantissa_bits=1, specials="finite",
        aliases=("fp4_e2m1", "fp4", "e2m1", "e2m1fn"),
        look=Look("purple", "/"), oracle="ml_dtypes",
        use="Made for blocks with a scale, as in mxfp4 and nvfp4: eight magnitudes, from 0 to 6.",
    ),
)  # fmt: skip
"""Floating-point formats without scales, the widest first."""

_ROWS: dict[str, NumericFormat] = {name: row for row in FORMATS for name in (row.name, *row.aliases)}


def _mx(
    name: str, element: str, *aliases: str, look: Look, use: str, default_for: tuple[DefaultList, ...] = ()
) -> ScaledFormat:
    return ScaledFormat(
        name=name, element=_ROWS[element], scale="e8m0", granularity="block", block_size=32, aliases=aliases,
        look=look, default_for=default_for, use=use,
    )  # fmt: skip


def _integers(
    name: str, bits: int, granularity: Granularity, *, look: Look, use: str, default_for: tuple[DefaultList, ...]
) -> ScaledFormat:
    return ScaledFormat(
        name=name, element=IntegerGrid(bits=bits), scale="float32", granularity=granularity,
        look=look, default_for=default_for, use=use,
    )  # fmt: skip


SCALED_FORMATS: tuple[ScaledFormat, ...] = (
    _mx(
        "mxfp8_e4m3", "float8_e4m3fn", "mxfp8", look=Look("orange", "x"), default_for=("sweep",),
        use="float8_e4m3fn in blocks of 32 with a power of two as scale: 8 bits of the OCP standard.",
    ),
    _mx(
        "mxfp8_e5m2", "float8_e5m2", look=Look("sky", "x"),
        use="float8_e5m2 in blocks of 32 with a power of two as scale: more range than mxfp8_e4m3.",
    ),
    _integers(
        "int8_per_channel", 8, "channel", look=Look("green", "x"), default_for=("sweep",),
        use="Integers to ±127 with a scale for every channel: common for weights.",
    ),
    _integers(
        "int8", 8, "tensor", look=Look("green", "/"), default_for=("sweep", "sensitivity"),
        use="Integers to ±127 with one scale for a whole tensor: one large value makes all others coarse.",
    ),
    _mx(
        "mxfp6_e3m2", "float6_e3m2fn", look=Look("yellow", "x"),
        use="6-bit numbers in blocks of 32 with a power of two as scale: between mxfp8 and mxfp4.",
    ),
    _mx(
        "mxfp6_e2m3", "float6_e2m3fn", "mxfp6", look=Look("yellow", "+"),
        use="As mxfp6_e3m2, with one bit more of mantissa and one less of exponent.",
    ),
    ScaledFormat(
        name="nvfp4", element=_ROWS["float4_e2m1fn"], scale="e4m3", granularity="block", block_size=16,
        look=Look("purple", "+"), default_for=("sweep",),
        use="4-bit numbers in blocks of 16 with finer scales than mxfp4, for NVIDIA's Blackwell.",
    ),
    _mx(
        "mxfp4_e2m1", "float4_e2m1fn", "mxfp4", look=Look("purple", "x"), default_for=("sensitivity",),
        use="4-bit numbers in blocks of 32 with a power of two as scale: 4 bits of the OCP standard.",
    ),
    _integers(
        "int4_per_channel", 4, "channel", look=Look("red", "x"), default_for=("sweep",),
        use="Integers to ±7 with a scale for every channel: weights in about an eighth of float32's bytes.",
    ),
    _integers(
        "int4", 4, "tensor", look=Look("red", "/"), default_for=(),
        use="Integers to ±7 with one scale for a whole tensor: one large value makes all others coarse.",
    ),
)  # fmt: skip
"""Formats whose values share scales, the widest first."""

GROUPINGS: tuple[Grouping, ...] = tuple(dict.fromkeys(fmt.grouping for fmt in SCALED_FORMATS if fmt.grouping))
"""All ways to share scales within a tensor."""

AnyFormat = NumericFormat | ScaledFormat

ALL_FORMATS: tuple[AnyFormat, ...] = (*FORMATS, *SCALED_FORMATS)


def default_formats(of: DefaultList) -> tuple[str, ...]:
    """The names of the default formats of `of`, the widest first."""
    return tuple(row.name for row in ALL_FORMATS if of in row.default_for)


_SCALED_ROWS: dict[str, ScaledFormat] = {name: row for row in SCALED_FORMATS for name in (row.name, *row.aliases)}


def any_format_named(name: str) -> AnyFormat:
    """The format of that name or alias, including scaled and typed ones such as `e5m7`; see `custom_format`.

    A leading `torch.` and the case of letters are ignored. Names of the table come first: e4m3 is float8_e4m3fn.

    >>> any_format_named("mxfp4").name
    'mxfp4_e2m1'

    Raises:
        InputError: no such format; the message lists all formats.
    """
    bare = name.removeprefix("torch.").lower()
    found = _ROWS.get(bare) or _SCALED_ROWS.get(bare) or _custom(bare)
    if found is None:
        known = ", ".join(row.name for row in ALL_FORMATS)
        raise InputError(
            f"Unknown format {name[:80]!r}. Choose one of: {known}; or type one, such as e5m7 or e3m4fnuz."
        )
    return found


def _custom(name: str) -> NumericFormat | None:
    found = custom_format(name)
    # Its short name may be an alias of a row, and must not find that row next time.
    return replace(found, name=f"{found.name}ieee") if found and found.name in _ROWS else found


def format_named(name: str) -> NumericFormat:
    """The floating-point format of that name or alias, including typed ones such as `e5m7`, without scaled formats.

    >>> format_named("e5m7").bits
    13

    Raises:
        InputError: no such format; the message lists all formats.
    """
    found = any_format_named(name)
    if isinstance(found, ScaledFormat):
        raise InputError(
            f"{found.name} has scales that depend on the values, so it has no fixed range and no fixed steps. "
            "Choose a format without scales here."
        )
    return found


def ulp_format(fmt: AnyFormat) -> NumericFormat | None:
    """The format whose ULPs errors are counted in; None for scaled formats, whose steps depend on the data."""
    return fmt if isinstance(fmt, NumericFormat) else None


def formats_with(name: str) -> tuple[AnyFormat, ...]:
    """All formats of the table; a format of that name that is not in the table comes before them.

    Raises:
        InputError: no such format.
    """
    fmt = any_format_named(name)
    return ALL_FORMATS if fmt in ALL_FORMATS else (fmt, *ALL_FORMATS)
