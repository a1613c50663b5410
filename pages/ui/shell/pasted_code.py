"""The editor for a model's code, where whoever runs the server allows it. Here the code is text and nothing else."""

import streamlit as st

from pages.ui import state
from precision.errors import InputError
from precision.models import pasted
from precision.text.names import plain

OFFERED = "Paste code …"

_MONOSPACE = """\
<style>
.st-key-pasted_code textarea {font-family: monospace; font-size: 0.8rem; white-space: pre; overflow-x: auto}
</style>
<span class="px-style"></span>
"""


def editor() -> None:
    """Draw the editor of the code that the sidebar holds, with the button that runs it."""
    st.html(_MONOSPACE)
    st.text_area(
        "Code",
        key="pasted_code",
        height=320,
        max_chars=pasted.MAX_CHARACTERS,
        persist_state="session",
        help="Python that defines `model`, a torch.nn.Module, and `inputs`: a tensor, a tuple of arguments, a dict of "
        "named ones, or a list of batches; also `labels` and `mask`, if there are any. It runs on the server, with its "
        "rights, whenever its model is measured. Who has this page's link can read it here.",
    )
    st.button("Use", icon=":material/play_arrow:", key="use-code", type="primary", width="stretch", on_click=_use)


def _use() -> None:
    try:
        state.use_code(pasted.keep(state.choice("pasted_code")))
    except InputError as error:
        st.toast(plain(str(error), limit=None), icon=":material/error:")
