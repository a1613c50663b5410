"""Methods: how is each number measured, by which formula, when is it wrong, and where does the method come from?"""

import re
from pathlib import Path

import streamlit as st

from pages.ui import linked, state, view_state
from pages.ui.job import warn_of_link_error
from pages.ui.shell.guard import enter_through_router

_DOCUMENTS = Path(__file__).parents[1] / "docs" / "methods"
_CONTENTS = "README"
_LINK = re.compile(r"\[([^]]+)\]\(([\w-]+)\.md(?:#[\w-]+)?\)")


def main() -> None:
    """Draw the page."""
    enter_through_router()
    warn_of_link_error()
    state.mirror_choice_in_link()
    names = sorted(file.stem for file in _DOCUMENTS.glob("*.md"))
    topic = linked.selectbox(
        "Method",
        [_CONTENTS, *(name for name in names if name != _CONTENTS)],
        key="topic",
        format_func=lambda name: "all methods" if name == _CONTENTS else name,
        help="Named like the command that measures it, where there is one.",
    )
    title, document = (_DOCUMENTS / f"{topic}.md").read_text(encoding="utf-8").split("\n", 1)
    st.title(title.removeprefix("# "), anchor=False)
    with st.container(horizontal=True, gap="small"):  # buttons, because links in a text would open a new tab
        for name in dict.fromkeys(link[2] for link in _LINK.finditer(document)):
            st.button(f"→ {name}", key=f"open-{name}", type="tertiary", on_click=view_state.put, args=("topic", name))
    st.markdown(_LINK.sub(r"**\1**", document))


main()
