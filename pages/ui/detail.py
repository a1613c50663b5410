"""Simple and expert: a page shows its answer, and all that it knows to those who ask for it. The link says which."""

import streamlit as st

from pages.ui import view_state

_KEY = "expert"


def toggle() -> None:
    """The switch, one for all pages."""
    st.toggle(
        "Expert",
        key=_KEY,
        bind="query-params",
        persist_state="session",
        width="content",
        help="Simple pages show the answer and what decides it. Expert pages add every table, chart and limit.",
    )


def shows_all(rest: str) -> bool:
    """Whether to draw what is for experts; if not, a line says what that is, and shows it at a click."""
    if view_state.is_ticked(_KEY):
        return True
    st.button(
        f"Show {rest} too",
        key="show-all",
        icon=":material/unfold_more:",
        type="tertiary",
        on_click=view_state.put,
        args=(_KEY, True),
    )
    return False
