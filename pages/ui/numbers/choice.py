"""The fields of the page Number formats: a number, a format, and what happens on overflow."""

from typing import NamedTuple

import streamlit as st

from pages.ui import linked, state
from precision.errors import InputError
from precision.formats import ALL_FORMATS, AnyFormat, any_format_named
from precision.formats.anatomy import ExactNumber
from precision.formats.typed_number import read_number
from precision.text.names import escape_markdown
from precision.text.terms import term_named

_SATURATE = "the largest value"
_OVERFLOWS = ("infinite or NaN", _SATURATE)

_NUMBER_HELP = """\
Taken exactly, before any rounding: a decimal (`0.1`, `-1e-8`), a fraction (`1/3`), hexadecimal as C and Python print
it (`0x1F`, `0x1.8p-3`), `inf`, `nan`, `-0`."""
_FORMAT_HELP = """\
Choose one, or type your own: `e5m7` has 5 exponent and 7 mantissa bits; `fn` after it leaves out infinities, `finite`
also NaN, `fnuz` keeps one NaN in place of −0."""
_LARGEST_HELP = """\
For formats with scales, such as mxfp4 or int8: the largest magnitude among the values that share a scale with the
number. Empty: the number is alone in its block, which is the best case."""


class NumberChoice(NamedTuple):
    """What was typed and picked; None where it is malformed: a message below the field says so."""

    number: ExactNumber | None
    format: AnyFormat | None
    saturate: bool
    largest: float | None
    """Largest magnitude beside the number, for formats with scales; None also if the number is alone."""


def choose() -> NumberChoice:
    """Draw the fields and read them."""
    left, middle, right = st.columns(3)
    with left:
        number = _number("Number", key="number", default="0.1", help_text=_NUMBER_HELP)
    with middle:
        fmt = _format()
    with right:
        beside = _number("Largest value beside it", key="largest", default="", help_text=_LARGEST_HELP)
    if beside is not None and (beside.fraction is None or abs(beside.fraction) >= 2**1023):
        right.error("The largest value beside it must be a finite number below 2^1023.", icon=":material/error:")
        beside = None
    largest = None if beside is None or beside.fraction is None else float(abs(beside.fraction))
    return NumberChoice(number, fmt, _saturates(), largest)


def _number(label: str, *, key: str, default: str, help_text: str) -> ExactNumber | None:
    typed = st.text_input(  # without max_chars, which would silently cut off a number from a link
        label,
        value=default,
        key=key,
        bind="query-params",
        help=help_text,
        placeholder="none" if not default else "such as 0.1",
    )
    if not typed or not typed.strip():
        return None
    try:
        return read_number(typed)
    except InputError as error:
        st.error(escape_markdown(str(error)), icon=":material/error:")
        return None


def _format() -> AnyFormat | None:
    names, sidebar = [fmt.name for fmt in ALL_FORMATS], state.choice("dtype")
    chosen = st.selectbox(
        "Number format",
        names,
        index=names.index(sidebar if sidebar in names else "float16"),
        key="number_format",
        bind="query-params",
        accept_new_options=True,
        help=_FORMAT_HELP,
    )
    try:
        return any_format_named(chosen or "")
    except InputError as error:
        st.error(escape_markdown(str(error)), icon=":material/error:")
        return None


def _saturates() -> bool:
    chosen = linked.radio(
        "A number that is too large becomes",
        _OVERFLOWS,
        key="overflow",
        help=f"{term_named('overflow').definition} Formats without either always stay at their largest value.",
    )
    return chosen == _SATURATE
