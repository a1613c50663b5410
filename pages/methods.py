"""Methods: how is each number measured, by which formula, when is it wrong, and where does the method come from?"""

import re
from pathlib import Path

import streamlit as st

from pages.ui import linked
from pages.ui.frame import method_address
from pages.ui.shell.guard import enter_through_router

_DOCUMENTS = Path(__file__).parents[1] / "docs" / "methods"
_CONTENTS = "README"
_LINK = re.compile(r"\]\(([\w-]+)\.md(#[\w-]+)?\)")


def main() -> None:
    """Draw the page."""
    enter_through_router()
    names = sorted(file.stem for file in _DOCUMENTS.glob("*.md"))
    topic = linked.selectbox(
        "Method",
        [_CONTENTS, *(name for name in names if name != _CONTENTS)],
        key="topic",
        format_func=lambda name: "all methods" if name == _CONTENTS else name,
        help="Named like the command that measures it, where there is one.",
    )
    document = (_DOCUMENTS / f"{topic}.md").read_text(encoding="utf-8")
    st.markdown(_LINK.sub(lambda link: f"]({method_address(link[1])}{link[2] or ''})", document))


main()
