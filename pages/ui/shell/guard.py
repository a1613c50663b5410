"""Keeps every page inside the router.

Streamlit treats a `pages/` folder as a separate app until `st.navigation` has run once in the server. A deep
link that is the very first request would then run the page without app.py, without its sidebar. Each page calls
this first.
"""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager


def enter_through_router() -> None:
    """Start over through app.py if this page was reached without it."""
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()
