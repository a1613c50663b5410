"""What the server refuses, and what every answer tells browsers: asked without a browser."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

import pytest

from tests.browser.dashboard import Dashboard
from tests.conftest import PATIENCE_S

OWN = ("Host: localhost",)
UPGRADE = (
    *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
STREAM = "GET /_stcore/stream"


def answer(dashboard: Dashboard, request: str, headers: Sequence[str] = OWN, body: bytes = b"") -> tuple[int, str]:
    """The status of a request that is sent as it stands, and the headers with what is sent of the body."""
    address = urlsplit(dashboard.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=PATIENCE_S) as connection:
        connection.sendall("\r\n".join((f"{request} HTTP/1.1", *headers, "", "")).encode() + body)
        text = connection.recv(1 << 16).decode("latin-1")
    return int(text.split()[1]), text.lower()


@pytest.mark.parametrize(
    "headers",
    [
        ("Host: elsewhere.example",),
        ("Host: 127.0.0.1.elsewhere.example",),
        ("Host: user@localhost",),
        ("Host: localhost", "Host: elsewhere.example"),
        ("Host: elsewhere.example", "Host: localhost"),
        (),
    ],
)
@pytest.mark.parametrize("request_line", ["GET /", "GET /_stcore/health", STREAM])
def test_only_its_own_name_is_answered(dashboard: Dashboard, request_line: str, headers: tuple[str, ...]) -> None:
    given = (*headers, *UPGRADE) if request_line == STREAM else headers
    status, _ = answer(dashboard, request_line, given)
    assert status in (400, 403, 421)  # uvicorn itself refuses some


@pytest.mark.parametrize("host", ["localhost", "localhost:8501", "127.0.0.1", "[::1]:80"])
def test_its_names_are_answered(dashboard: Dashboard, host: str) -> None:
    assert answer(dashboard, "GET /", (f"Host: {host}",))[0] == 200
    assert answer(dashboard, STREAM, (f"Host: {host}", f"Origin: http://{host}", *UPGRADE))[0] == 101


def test_a_page_elsewhere_cannot_open_a_session(dashboard: Dashboard) -> None:
    given = ("Host: localhost", "Origin: http://elsewhere.example", *UPGRADE)
    assert answer(dashboard, STREAM, given)[0] == 403


@pytest.mark.parametrize(
    "request_line",
    [
        "PUT /_stcore/upload_file/session/file",
        "DELETE /_stcore/upload_file/session/file",
        "GET /_stcore/metrics",
        "POST /_stcore/agent/interact",
        "GET /_stcore/agent/openapi.json",
    ],
)
def test_routes_that_no_page_needs_are_not_there(dashboard: Dashboard, request_line: str) -> None:
    status, _ = answer(dashboard, request_line, (*OWN, "Content-Length: 50000000"), body=b"x" * 1000)
    assert status == 404  # before the rest of the body is sent


@pytest.mark.parametrize("request_line", ["GET /", "GET /_stcore/health", "GET /nowhere.js", "GET /_stcore/metrics"])
@pytest.mark.parametrize(
    "header",
    [
        "content-security-policy: default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'sha256-",
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "referrer-policy: no-referrer",
        "cross-origin-opener-policy: same-origin",
        "cross-origin-resource-policy: same-origin",
        "permissions-policy: camera=()",
    ],
)
def test_every_answer_says_what_a_page_may_do(dashboard: Dashboard, request_line: str, header: str) -> None:
    _, said = answer(dashboard, request_line)
    assert header in said
    policy = said.partition("content-security-policy: ")[2].partition("\r\n")[0]
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "unsafe-inline" not in scripts
    assert " 'unsafe-eval'" not in scripts
    assert "blob:" not in scripts


def test_an_operator_names_other_hosts(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("named")
    started = Dashboard(folder, STREAMLIT_SERVER_ALLOWED_HOSTS="127.0.0.1 explorer.example")
    try:
        assert answer(started, "GET /", ("Host: explorer.example",))[0] == 200
        assert answer(started, "GET /", ("Host: localhost",))[0] == 421
    finally:
        assert started.end() == []
