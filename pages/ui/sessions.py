"""Frees the device when a browser goes away."""

import threading
import time

from streamlit.runtime import Runtime

from precision.engine import Engine

_CHECK_S = 1.0
_GONE_AFTER_S = 3.0
"""A reload closes one session and opens the next within about a second; its job must not be cancelled."""


def watch_sessions(engine: Engine) -> None:
    """Release the jobs of sessions whose browser has been gone for a few seconds, as long as the server runs."""
    threading.Thread(target=_watch, args=(engine,), name="session-watch", daemon=True).start()


def _watch(engine: Engine) -> None:
    gone_since: dict[str, float] = {}
    while True:
        time.sleep(_CHECK_S)
        if not Runtime.exists():
            continue
        now = time.monotonic()
        sessions = engine.sessions()
        gone_since = {
            session: gone_since.get(session, now)
            for session in sessions
            if not Runtime.instance().is_active_session(session)
        }
        for session, since in gone_since.items():
            if now - since >= _GONE_AFTER_S:
                engine.release(session)
