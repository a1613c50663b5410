"""Whether the server can take on work: one more page, and a job. That it answers at all is Streamlit's own check."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

    from precision.engine import Engine

_SPARE: Final = 32
"""Descriptors that a page and a worker take at most."""
_MOST: Final = 65_536
"""Descriptors that are asked for where the system sets no limit."""
_engines: list[Engine] = []


def watch(engine: Engine) -> None:
    """Have its state told."""
    _engines.append(engine)


def allow_many_files() -> None:
    """Take as many file descriptors as the system gives without asking: every session keeps some open."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def why_not_ready() -> str:
    """Why no job could run, or no page be opened; empty where both can."""
    for engine in _engines:
        if engine.state == "failed":
            return engine.reason or "There is no worker."
    if sys.platform != "win32":
        import resource

        import psutil  # only when asked: the first page waits for what is imported at start

        used, limit = psutil.Process().num_fds(), resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if limit != resource.RLIM_INFINITY and limit < used + _SPARE:
            return f"{used} of {limit} file descriptors are in use."
    return ""


async def _ready(_request: Request) -> PlainTextResponse:
    reason = why_not_ready()
    return PlainTextResponse(reason or "ready", 503 if reason else 200)


ROUTE: Final = Route("/ready", _ready)
"""200 where the server is ready, else 503 with the reason."""
