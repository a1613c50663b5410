"""The bits of a number, field by field; each can be flipped."""

import streamlit as st

from pages.ui import state, view_state
from precision.errors import InputError
from precision.formats import NumericFormat
from precision.formats.anatomy import NumberAnatomy
from precision.formats.typed_number import read_code, type_code
from precision.text.names import escape_markdown

_COLOURS = {"sign": "orange", "exponent": "blue", "mantissa": "green"}
"""Streamlit's names of colours. The heading of each group says the same in words."""
_CODE_HELP = "Shows the number that a bit pattern stands for: 0x and hexadecimal digits, or 0b and bits."


def bit_row(anatomy: NumberAnatomy, fmt: NumericFormat) -> None:
    """One box for each bit, most significant first; a click on it types the number that the new bits stand for.

    Nothing is drawn if the format has no code for the number.
    """
    if anatomy.code is None or anatomy.fields is None:
        return
    place = fmt.bits
    with st.container(horizontal=True, gap="small"):
        for field in _COLOURS:
            bits: str = getattr(anatomy.fields, field)
            if bits:
                _field(field, bits, first=place - 1, fmt=fmt)
            place -= len(bits)


def _field(field: str, bits: str, *, first: int, fmt: NumericFormat) -> None:
    with st.container(border=True, width="content", gap="small"):
        width = f" · {len(bits)} bits = {int(bits, 2):,}" if len(bits) > 1 else ""
        st.markdown(f":{_COLOURS[field]}-background[**{field}**{width}]")
        with st.container(horizontal=True, gap="xsmall"):
            for offset, bit in enumerate(bits):
                _bit(field, bit, place=first - offset, fmt=fmt)


def _bit(field: str, bit: str, *, place: int, fmt: NumericFormat) -> None:
    key = f"bit-{place}"
    view_state.put(key, bit == "1")
    with st.container(width="content", gap="xsmall", horizontal_alignment="center"):
        st.markdown(f":{_COLOURS[field]}-background[**{bit}**]", width="content")
        st.checkbox(
            f"bit {place}, {field}, {bit}",
            key=key,
            label_visibility="collapsed",
            on_change=_flipped,
            args=(fmt,),
        )


def _flipped(fmt: NumericFormat) -> None:
    code = sum(1 << place for place in range(fmt.bits) if view_state.is_ticked(f"bit-{place}"))
    view_state.put("number", type_code(code, fmt))


def code_input(shown: str, fmt: NumericFormat) -> None:
    """A field for a bit pattern; it empties itself once it is read. `shown` is the code of the number on the page."""
    typed = st.text_input(
        "Or type its code",
        key="code",
        placeholder=shown,
        max_chars=80,
        help=_CODE_HELP,
        on_change=_code_typed,
        args=(fmt,),
    )
    if typed:
        try:
            read_code(typed, fmt)
        except InputError as error:
            st.error(escape_markdown(str(error)), icon=":material/error:")


def _code_typed(fmt: NumericFormat) -> None:
    try:
        view_state.put("number", type_code(read_code(state.choice("code"), fmt), fmt))
    except InputError:
        return  # the field keeps what was typed, with a message below it
    view_state.put("code", "")
