"""Number formats: what can a format represent? Type a number, see its bits, its neighbours, its error."""

import math
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import downloads, frame, linked, state
from pages.ui.chart import show, show_beside_each_other
from pages.ui.job import engine, warn_of_link_error
from pages.ui.numbers.bits import bit_row, code_input
from pages.ui.numbers.choice import choose
from pages.ui.shell.guard import enter_through_router
from precision.charts.format_bits import plot_format_bits
from precision.charts.format_density import plot_format_density
from precision.charts.format_errors import plot_format_errors
from precision.charts.format_spacing import plot_format_spacing
from precision.charts.format_values import MAX_BITS, ValueScale, plot_format_values
from precision.charts.format_windows import plot_format_windows
from precision.charts.number_line import plot_number_line
from precision.findings.format_tables import constants_table, number_table
from precision.findings.numbers import SCALE_RULES, error_text, finding, formula, scaled_finding
from precision.findings.tables import of_kind, table_of
from precision.formats import NumericFormat, ScaledFormat, formats_with
from precision.formats.anatomy import ExactNumber, NumberAnatomy
from precision.formats.number_in_format import in_every_format, in_format, is_exact
from precision.formats.typed_number import code_text, dissect_typed, exact_text
from precision.text.names import escape_markdown
from precision.text.terms import term_named
from precision.text.units import number_text

_NARROW_BITS = 32
VIEWS = ("one number", "all formats")
SCALES: tuple[ValueScale, ...] = ("logarithmic", "linear")
HOW_TO_READ = """\
A floating-point number is a **sign**, an **exponent** and a **mantissa**: (−1)^sign × 2^(exponent − bias) ×
(1 + mantissa). Exponent bits buy range, mantissa bits buy precision.

- **Spacing** (ULP): the distance between neighbours. It doubles at every power of two. The error of rounding to nearest
  is at most half a spacing; halfway between two neighbours, the one with an even mantissa is taken.
- **Subnormal** values, below the smallest normal one, have an exponent field of zeros and no hidden 1: they are evenly
  spaced, so their relative error grows the smaller they are. Below half the smallest one, everything becomes 0.
- **Overflow**: beyond the largest value, formats with infinities store ∞, others NaN, or the largest value itself
  (*saturating*), as torch does for float8_e4m3fn on the CPU. Formats without both always saturate.
- **Formats with scales** store narrow elements and, for a block of them, one scale: value = element × scale. What a
  number becomes depends on the largest value beside it, so it has no bits and no range of its own here.

Everything on this page is exact arithmetic on the number as typed; nothing is measured on a device.
"""


def main() -> None:
    """Draw the page."""
    enter_through_router()
    state.mirror_choice_in_link()
    view = linked.radio("What to show", VIEWS, key="view")
    if view == "all formats":
        _all_formats()
    else:
        _one_number()
    frame.explain(HOW_TO_READ, method="formats")


def _one_number() -> None:
    heading = st.container()
    warn_of_link_error()
    number, fmt, saturate, largest = choose()
    if number is None or fmt is None:
        heading.title("What can a number format represent?", anchor=False)
    elif isinstance(fmt, ScaledFormat):
        _scaled(number, fmt, largest, heading=heading)
    else:
        _floating(number, fmt, saturate=saturate, heading=heading)
    if number is not None:
        _side_by_side(number, saturate=saturate, largest=largest)
    if isinstance(fmt, NumericFormat):
        st.header(f"The values of {fmt.name}", anchor=False)
        show_beside_each_other(format_spacing=plot_format_spacing(fmt, number), format_density=plot_format_density(fmt))


def _floating(number: ExactNumber, fmt: NumericFormat, *, saturate: bool, heading: DeltaGenerator) -> None:
    anatomy = dissect_typed(number.text, fmt, saturate=saturate)
    heading.title(escape_markdown(finding(number, anatomy, fmt)), anchor=False)
    st.header("Bits", anchor=False)
    if anatomy.code is None:
        st.info(f"{fmt.name} has no code for NaN: there are no bits to show.", icon=":material/info:")
    else:
        st.caption("Tick or clear a box: the bit flips, and the number becomes what the bits say.")
        bit_row(anatomy, fmt)
        left, right = st.columns([2, 1])
        with left:
            st.caption("What the fields say")
            st.code(formula(anatomy, fmt), language=None, wrap_lines=True)
        with right:
            code_input(code_text(anatomy.code, fmt), fmt)
    st.header("Value and error", anchor=False)
    _errors(anatomy, exact=is_exact(number, anatomy.value))
    st.caption("Stored, exactly")
    st.code(exact_text(anatomy.value), language=None, wrap_lines=True)
    _details(anatomy, fmt)
    show(plot_number_line(number, fmt, saturate=saturate), key="number-line")
    if fmt.bits <= MAX_BITS:
        scale = linked.radio("Axis", SCALES, key="axis")
        show(plot_format_values(fmt, number, anatomy, scale=scale), key="format-values")


def _errors(anatomy: NumberAnatomy, *, exact: bool) -> None:
    shown = partial(error_text, exact=exact)
    stored, absolute, relative, ulp = st.columns(4)
    stored.metric("Stored", number_text(anatomy.value), help="What the format stores of the number, shortened.")
    absolute.metric("Absolute error", shown(anatomy.absolute_error), help="|stored - typed|")
    relative.metric(
        "Relative error",
        shown(anatomy.relative_error),
        help="|stored - typed| / |typed|; none for zero.",
    )
    ulp.metric("Error in ULP", shown(anatomy.ulp_error), help=term_named("ULP").definition)


def _details(anatomy: NumberAnatomy, fmt: NumericFormat) -> None:
    finite = math.isfinite(anatomy.value)
    rows = {
        "stored as a hexadecimal float": anatomy.value.hex() if finite else exact_text(anatomy.value),
        "code": "none" if anatomy.code is None else code_text(anatomy.code, fmt),
        "kind": anatomy.kind,
        "next smaller value": _or_none(anatomy.below),
        "next larger value": _or_none(anatomy.above),
        "spacing (ULP)": _or_none(anatomy.spacing),
        "overflowed": "yes" if anatomy.overflowed else "no",
        "underflowed to 0": "yes" if anatomy.underflowed else "no",
    }
    downloads.table(
        table_of(of_kind("text", "property", "value"), rows.items()),
        name=f"{fmt.name}-number",
        key="anatomy",
        alt=f"The number in {fmt.name}: exact value, code, neighbours, spacing",
        widths={"value": "large"},
    )


def _or_none(value: float | None) -> str:
    return "none" if value is None else exact_text(value)


def _scaled(number: ExactNumber, fmt: ScaledFormat, largest: float | None, *, heading: DeltaGenerator) -> None:
    row = in_format(number, fmt, largest=largest)
    heading.title(escape_markdown(scaled_finding(number, row)), anchor=False)
    beside = "alone" if largest is None else f"beside a value of magnitude {number_text(largest)}"
    st.caption(
        f"A value is {fmt.element.name} × a scale that one {fmt.granularity}"
        f"{f' of {fmt.block_size} values' if fmt.block_size else ''} shares; here the number is {beside}."
    )
    element, scale, relative, spacing = st.columns(4)
    element.metric("Element", number_text(row.element), help=f"The {fmt.element.name} that is stored.")
    scale.metric("Scale", number_text(row.scale), help=SCALE_RULES[fmt.scale])
    relative.metric(
        "Relative error", error_text(row.relative_error, exact=row.exact), help="|stored - typed| / |typed|"
    )
    spacing.metric(
        "Spacing",
        "none" if row.spacing is None else number_text(row.spacing),
        help="Between neighbouring values at this scale.",
    )
    st.caption(escape_markdown(SCALE_RULES[fmt.scale]))
    if row.element is not None and row.scale is not None:
        product = f"{exact_text(row.element)} × {exact_text(row.scale)}\n= {exact_text(row.value)}"
        st.code(product, language=None, wrap_lines=True)


def _side_by_side(number: ExactNumber, *, saturate: bool, largest: float | None) -> None:
    st.header("The same number in every format", anchor=False)
    rows = in_every_format(number, saturate=saturate, largest=largest)
    show(plot_format_errors(number, rows), key="format-errors")
    downloads.table(
        number_table(rows),
        name="number-in-every-format",
        key="every-format",
        alt="What every format stores of the number",
        pinned=True,
    )


def _all_formats() -> None:
    rows = formats_with(state.choice("dtype"))
    widths = [row.bits_per_value for row in rows]
    st.title(f"{len(rows)} number formats, from {max(widths):g} to {min(widths):g} bits a value", anchor=False)
    warn_of_link_error()
    floats = [row for row in rows if isinstance(row, NumericFormat)]
    chosen = next((row.name for row in floats if row.name == state.choice("dtype")), "float16")
    # float64's range would leave the others no width.
    narrow = [row for row in floats if row.name == chosen or row.bits <= _NARROW_BITS]
    windows = plot_format_windows(narrow, chosen=chosen)
    show_beside_each_other(format_bits=plot_format_bits(floats), format_windows=windows)
    downloads.table(
        constants_table(engine().devices(), rows).without("also"),
        name="number-formats",
        key="constants",
        alt="The constants of every number format",
        pinned=True,
    )


main()
