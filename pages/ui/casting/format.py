"""Sections that are only about float16 and bfloat16, if another format is chosen."""

import streamlit as st

from pages.ui import state
from precision.formats import any_format_named
from precision.spec.cast_methods import CastMethod, formats_of
from precision.text.names import escape_markdown

_BOTH = ("float16", "bfloat16")


def require_16_bits(title: str, why: str) -> None:
    """Stop the section with buttons for both, unless the chosen format is float16 or bfloat16; `why` is the reason."""
    if formats_of(CastMethod.AUTOCAST, (any_format_named(state.choice("dtype")).name,)):
        return
    state.mirror_choice_in_link()
    st.title(title, anchor=False)
    st.info(escape_markdown(why), icon=":material/edit:")
    with st.container(horizontal=True):
        for name in _BOTH:
            st.button(f"Choose {name}", key=f"choose-{name}", on_click=state.choose, args=("dtype", name))
    st.stop()
