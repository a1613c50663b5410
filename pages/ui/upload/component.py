"""The box that takes files, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

import streamlit as st

from pages.ui import state, view_state
from pages.ui.packaged import packaged
from pages.ui.upload.store import uploads
from precision.models.uploads import UPLOAD_PREFIX
from precision.text.units import bytes_text

_NAMES_SHOWN: Final = 3


def upload_box(
    purpose: str, *, asked: str, suffixes: Collection[str], folders: bool, held: str, on_done: Callable[[str], None]
) -> None:
    """Draw a box to choose or drop files in, with its progress.

    Args:
        purpose: one word; a second upload for it takes the place of the first.
        asked: what is wanted.
        suffixes: of the files that are taken.
        folders: whether a whole folder can be chosen.
        held: the upload that is in use, `upload:KEY`; empty for none.
        on_done: called with `upload:KEY` when all files are there.
    """
    here, session = uploads(), state.session_id()
    key = f"upload-{purpose}"
    if held:
        here.hold(held, session)
    packaged("upload")(
        key=key,
        data={
            "ticket": here.offer(session, purpose, suffixes),
            "root": view_state.root_address(),
            "asked": f"{asked} At most {bytes_text(here.session_limit)}; kept until you leave.",
            "accept": ",".join(suffixes),
            "takes": list(suffixes),
            "folders": folders,
            "said": _summary(held),
        },
        on_done_change=lambda: _took(key, on_done),
    )


def _took(key: str, on_done: Callable[[str], None]) -> None:
    done: str | None = st.session_state[key].get("done")
    if done:
        on_done(UPLOAD_PREFIX + done)


def _summary(held: str) -> str:
    if not held:
        return ""
    upload = uploads().named(held)
    if upload is None:
        return "These files are no longer here. Upload them again."
    names = ", ".join(map(str, upload.names[:_NAMES_SHOWN])) + ", …" * (len(upload.names) > _NAMES_SHOWN)
    return f"{names} · {bytes_text(upload.size)}"
