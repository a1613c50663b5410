"""One number format, one number in it, and one number in every format, as text and as JSON."""

import math
from dataclasses import asdict

from precision.cli.heading import paragraphs
from precision.cli.tables import columns, json_text, table_text
from precision.errors import InputError
from precision.findings.format_tables import number_table
from precision.findings.numbers import SCALE_RULES, error_text, finding, formula, scaled_finding
from precision.formats import ALL_FORMATS, AnyFormat, NumericFormat, ScaledFormat, any_format_named
from precision.formats.anatomy import NumberAnatomy
from precision.formats.constants import constants
from precision.formats.number_in_format import NumberInFormat, in_every_format, in_format, is_exact
from precision.formats.typed_number import code_text, dissect_typed, exact_text, read_number


def format_text(name: str) -> str:
    """The constants of one number format, one a line.

    Raises:
        InputError: unknown format.
    """
    fmt = any_format_named(name)
    known = {label: value for label, value in asdict(constants(fmt)).items() if value is not None}
    rows = [[label.replace("_", " "), _plain(value)] for label, value in known.items()]
    arithmetic = "real" if fmt.computes else "simulated"
    return columns([*rows, ["dtype in torch", _plain(fmt.has_dtype)], ["arithmetic", arithmetic]])


def formats_json(name: str | None) -> str:
    """The constants of one number format, or of all, as JSON; null where a format has no such constant.

    Raises:
        InputError: unknown format.
    """
    return json_text([*map(_facts, ALL_FORMATS)] if name is None else _facts(any_format_named(name)))


def _facts(row: AnyFormat) -> dict[str, object]:
    """The constants of a format, its aliases, and what torch has for it."""
    return {**asdict(constants(row)), "aliases": row.aliases, "has_dtype": row.has_dtype, "computes": row.computes}


def number_text_in(value: str, name: str | None, *, saturate: bool, largest: str | None) -> str:
    """The number `value` in every format, or everything about it in the one of that name.

    Raises:
        InputError: unknown format; `value` or `largest` is no number, or `largest` is not finite.
    """
    number, beside = read_number(value), _magnitude(largest)
    if name is None:
        table = number_table(in_every_format(number, saturate=saturate, largest=beside))
        return table_text(table.pick("format", "stored", "relative error", "spacing", "scale", "in range?"))
    fmt = any_format_named(name)
    if isinstance(fmt, ScaledFormat):
        row = in_format(number, fmt, largest=beside)
        return paragraphs(scaled_finding(number, row), columns(_scaled_rows(row)), SCALE_RULES[fmt.scale])
    anatomy = dissect_typed(value, fmt, saturate=saturate)
    rows = _anatomy_rows(anatomy, fmt, exact=is_exact(number, anatomy.value))
    return paragraphs(finding(number, anatomy, fmt), columns(rows))


def number_json_in(value: str, name: str | None, *, saturate: bool, largest: str | None) -> str:
    """The same numbers as JSON; infinities and NaN are the strings Infinity, -Infinity and NaN.

    Raises:
        InputError: as `number_text_in`.
    """
    number, beside = read_number(value), _magnitude(largest)
    if name is None:
        rows = [asdict(row) for row in in_every_format(number, saturate=saturate, largest=beside)]
        return json_text(_finite({"typed": value, "formats": rows}))
    fmt = any_format_named(name)
    found = asdict(in_format(number, fmt, saturate=saturate, largest=beside))
    if isinstance(fmt, NumericFormat):
        found |= asdict(dissect_typed(value, fmt, saturate=saturate))
    return json_text(_finite({"typed": value, **found}))


def _magnitude(largest: str | None) -> float | None:
    if largest is None:
        return None
    fraction = read_number(largest).fraction
    if fraction is None or abs(fraction) >= 2**1023:
        raise InputError(f"--largest {largest[:40]!r}: choose a finite number below 2^1023.")
    return float(abs(fraction))


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.17g}" if isinstance(value, float) else str(value)


def _scaled_rows(row: NumberInFormat) -> list[list[str]]:
    return [
        ["Stored", exact_text(row.value)],
        ["Element", _exact(row.element)],
        ["Scale", _exact(row.scale)],
        ["Spacing", _exact(row.spacing)],
        ["Absolute error", error_text(row.absolute_error, exact=row.exact)],
        ["Relative error", error_text(row.relative_error, exact=row.exact)],
    ]


def _anatomy_rows(anatomy: NumberAnatomy, fmt: NumericFormat, *, exact: bool) -> list[list[str]]:
    bits = anatomy.fields
    return [
        ["Stored", exact_text(anatomy.value)],
        ["Hexadecimal", anatomy.value.hex()],
        ["Code", "none" if anatomy.code is None else code_text(anatomy.code, fmt)],
        ["Bits", "none" if bits is None else f"{bits.sign} {bits.exponent} {bits.mantissa}".strip()],
        ["Fields", formula(anatomy, fmt)],
        ["Kind", anatomy.kind],
        ["Next smaller", _exact(anatomy.below)],
        ["Next larger", _exact(anatomy.above)],
        ["Spacing (ULP)", _exact(anatomy.spacing)],
        ["Absolute error", error_text(anatomy.absolute_error, exact=exact)],
        ["Relative error", error_text(anatomy.relative_error, exact=exact)],
        ["Error in ULP", error_text(anatomy.ulp_error, exact=exact)],
    ]


def _exact(value: float | None) -> str:
    return "none" if value is None else exact_text(value)


def _finite(value: object) -> object:
    """Infinities and NaN as the strings that results use for them."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
