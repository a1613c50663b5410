"""Whether the server can take on work, and how many pages it can open."""

from __future__ import annotations

import resource
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil

from tests.browser.dashboard import Dashboard, Visitors

FEW = 128
LIMITED = (
    *(sys.executable, "-c"),
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, tuple(map(int, sys.argv[1:3]))); "
    "os.execv(sys.executable, [sys.executable, '-m', 'streamlit', 'run', 'app.py', '--server.port', sys.argv[3]])",
)


def ready(dashboard: Dashboard) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{dashboard.url}/ready", timeout=30) as answer:  # noqa: S310  # own server
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_server_with_a_worker_is_ready(dashboard: Dashboard, visitors: Visitors) -> None:
    visitors.visit(dashboard).open(model="linear-5-10").result("float16")
    assert ready(dashboard) == (200, "ready")


def test_a_low_limit_is_raised_as_far_as_the_system_allows(tmp_path: Path) -> None:
    hard = min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    started = Dashboard(tmp_path, command=(*LIMITED, str(FEW), str(hard)))
    try:
        port = started.url.rpartition(":")[2]
        (server,) = (each for each in psutil.Process().children() if port in each.cmdline())
        assert server.rlimit(psutil.RLIMIT_NOFILE) == (hard, hard)
        assert ready(started) == (200, "ready")
    finally:
        assert started.end() == []


def test_a_server_without_descriptors_is_alive_but_not_ready(tmp_path: Path) -> None:
    started = Dashboard(tmp_path, command=(*LIMITED, "40", "40"))
    try:
        status, reason = ready(started)
        assert status == 503
        assert reason.endswith(" of 40 file descriptors are in use.")
    finally:
        assert started.end() == []
