"""A layer around Streamlit's server: it refuses what no page needs, and tells browsers what a page may do."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Final

import streamlit
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

_INLINE_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_REFUSED: Final = ("/_stcore/upload_file", "/_stcore/metrics", "/_stcore/agent")
"""Streamlit's own routes for uploads, which fill the memory; for figures about the server; for drivers of the app."""
_FOREIGN: Final = (
    "This server does not answer to that name. Whoever runs it can allow it by STREAMLIT_SERVER_ALLOWED_HOSTS: names "
    "without ports, with spaces between them."
)


def _policy() -> str:
    """Scripts are files of this server; the one that Streamlit writes into its page is allowed by its hash.

    Streamlit's styles are inline, and Plotly makes a picture for a download as a blob.
    """
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in _INLINE_SCRIPT.findall(page)
    ]
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'wasm-unsafe-eval' {' '.join(hashes)}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


HEADERS: Final = {
    "Content-Security-Policy": _policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Of every answer."""


class Shield:
    """The layer: an ASGI application around another."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on before anything of its body is read."""

        async def send_shielded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif not _is_for_us(scope):
            await _refuse(_FOREIGN, 421, scope, receive, send_shielded)
        elif any(route in scope["path"] for route in _REFUSED):
            await _refuse("There is nothing here.", 404, scope, receive, send_shielded)
        else:
            await self._app(scope, receive, send_shielded)


def _is_for_us(scope: Scope) -> bool:
    """Whether the request names this server, once: a page elsewhere that had its own name point here does not."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    return len(hosts) == 1 and is_host_allowed(hosts[0])


async def _refuse(reason: str, status: int, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
    else:
        await PlainTextResponse(reason, status)(scope, receive, send)
