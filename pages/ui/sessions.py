"""Frees the device, and the room of uploads, when a browser goes away."""

import threading
import time

from streamlit.runtime import Runtime

from pages.ui.upload.store import uploads
from precision.engine import Engine

_CHECK_S = 1.0
_GONE_AFTER_S = 3.0
"""A reload closes one session and opens the next within about a second; its job must not be cancelled."""
_FILES_KEPT_S = 60.0
"""What somebody uploaded stays a little longer, for a browser that lost its connection or opens the link again."""


def watch_sessions(engine: Engine) -> None:
    """Release the jobs of sessions whose browser has been gone for a few seconds, and later their uploads.

    As long as the server runs.
    """
    threading.Thread(target=_watch, args=(engine,), name="session-watch", daemon=True).start()


def _watch(engine: Engine) -> None:
    gone_since: dict[str, float] = {}
    while True:
        time.sleep(_CHECK_S)
        if not Runtime.exists():
            continue
        now = time.monotonic()
        here = uploads()
        sessions = {*engine.sessions(), *here.sessions()}
        gone_since = {
            session: gone_since.get(session, now)
            for session in sessions
            if not Runtime.instance().is_active_session(session)
        }
        for session, since in gone_since.items():
            if now - since >= _GONE_AFTER_S:
                engine.release(session)
            if now - since >= _FILES_KEPT_S:
                here.release(session)
