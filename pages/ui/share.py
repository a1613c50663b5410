"""What can be taken from a page to others: its link, a picture of its answer, the PyTorch code, the command."""

from urllib.parse import urlencode

import streamlit as st

from pages.ui import view_state
from pages.ui.packaged import packaged
from precision.findings.cast_code import cast_code
from precision.results import AnalysisResult, RunResult
from precision.text.units import moment_text

ANSWER = "answer"
"""Key of the container with the title and what stands below it."""


def popover(result: AnalysisResult | None, *, command: str) -> None:
    """Draw the menu beside a page's title; `command` prints the same numbers, where there is one."""
    # Code without colours: Streamlit's are too pale for some readers.
    with st.popover("Share", icon=":material/ios_share:", type="tertiary", key="share"):
        st.caption("The link: it shows this page as it is.")
        st.code(_address(), language=None, wrap_lines=True)
        footer = f"Precision Explorer{f' · measured on {moment_text(result.measured_at)}' if result else ''}"
        packaged("share")(key="picture", data={"footer": footer})
        st.caption("A picture of a chart: the camera above it, when the mouse is on it.")
        if isinstance(result, RunResult) and (code := cast_code(result)):
            st.caption("The cast in PyTorch")
            st.code(code, language=None, wrap_lines=True)
        if command:
            st.caption("The same numbers without this page")
            st.code(command, language=None, wrap_lines=True)


def _address() -> str:
    """The address of the page as it is; whoever opens it is not taken on the tour."""
    query = {name: st.query_params.get_all(name) for name in st.query_params} | {"tour": ["off"]}
    return f"{view_state.page_address()}?{urlencode(query, doseq=True)}"
