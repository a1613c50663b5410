"""The options of `run` and `worker`, which start servers: those are tried in `tests/package` and `tests/engine`."""

from __future__ import annotations

import socket
import threading
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from precision.cli import dashboard
from precision.cli.arguments import parser
from precision.cli.main import main


@pytest.mark.parametrize("port", ["0", "65536", "80a", "-1"])
def test_a_port_that_is_none(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["run", f"--port={port}"])
    assert f"'{port}': expected a port" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["box:8786", "tcp://box", "http://box:8786"])
def test_a_scheduler_that_is_no_address(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["worker", address])
    assert f"'{address}': expected an address such as tcp://" in capsys.readouterr().err


def test_a_worker_is_called_as_its_machine_unless_it_has_a_name() -> None:
    assert parser().parse_args(["worker", "tcp://box:8786"]).name
    assert parser().parse_args(["worker", "tcp://box:8786", "--name", "gpu-1"]).name == "gpu-1"


def test_another_port_is_taken_where_the_usual_one_is_in_use() -> None:
    usual = dashboard.free_port()
    with socket.create_server(("127.0.0.1", usual)):
        assert dashboard.free_port() != usual


class _Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_stcore/health" else 404)
        self.end_headers()


def test_the_browser_is_opened_once_the_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    with HTTPServer(("127.0.0.1", 0), _Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}/"
        dashboard.show_when_up(root, "?model=a")
        server.shutdown()
    assert opened == [f"{root}?model=a"]
