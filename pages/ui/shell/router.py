"""The frame around every page: page config, menu and sidebar."""

from __future__ import annotations

import logging
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import state
from pages.ui.shell import menu, pickers
from precision.text.names import for_markdown

if TYPE_CHECKING:
    from precision.results import DeviceInfo

log = logging.getLogger("precision.pages")

_MOST_IGNORED = 5
"""Parameters of a link that a note names."""


def route() -> None:
    """Draw the frame and the open page in it; a bug in a page is logged in full, and one sentence says so."""
    st.set_page_config(page_title=menu.NAME, page_icon=str(Path(__file__).parent / "icon.png"), layout="wide")
    if ignored := state.open_link():
        names = ", ".join(map(for_markdown, ignored[:_MOST_IGNORED])) + ", …" * (len(ignored) > _MOST_IGNORED)
        st.toast(f"Ignored in the link: {names}.", icon=":material/link_off:", duration="long")
    page = menu.open_page()
    devices = _known_devices()
    pickers.sidebar(devices, menu.settings_of(page))
    from pages.ui.job import engine  # only now: its import takes half a second

    engine().start()  # keeps the process and the machine busy for seconds
    try:
        page.run()
    except Exception:
        incident = secrets.token_hex(4)
        log.exception("Internal error %s", incident)
        st.title("Something went wrong", anchor=False)
        st.error(
            f"The fault is in the dashboard itself (incident {incident}). The server's log has the details; "
            "the rest of the dashboard still works.",
            icon=":material/bug_report:",
        )
    if devices is None and engine().devices() is not None:
        st.rerun()  # the worker has named the devices in the meantime


def _known_devices() -> tuple[DeviceInfo, ...] | None:
    """The engine's devices; None until it knows them. The sidebar does not wait for the engine's import."""
    job = sys.modules.get("pages.ui.job")
    return None if job is None else job.engine().devices()
