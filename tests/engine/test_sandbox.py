"""What worker processes give up: each attempt is refused within the sandbox, and works without it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from precision import analyses
from precision.engine import Engine, landlock, sandbox, seccomp
from precision.results import CompareResult
from precision.spec import RunSpec
from tests.conftest import until
from tests.engine.attempts import DONE
from tests.engine.conftest import TASK, Bench, config_with

needs_files = pytest.mark.skipif(landlock.version() < 3, reason="this kernel's Landlock does not limit writing")
needs_ports = pytest.mark.skipif(landlock.version() < 4, reason="this kernel's Landlock does not limit connections")
needs_signals = pytest.mark.skipif(landlock.version() < 6, reason="this kernel's Landlock does not limit signals")
needs_seccomp = pytest.mark.skipif(not seccomp.available(), reason="no seccomp here, or not known on this machine")
WRITES = ("create", "overwrite", "truncate", "delete", "rename")


@pytest.fixture(scope="module", params=[True, False], ids=["sandbox", "no sandbox"])
def worker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    engine = Engine(config_with(data=tmp_path_factory.mktemp("data"), sandbox=request.param), task=TASK)
    engine.start()
    until(lambda: engine.state == "ready")
    yield Bench(engine)
    engine.close()


def _attempt(worker: Bench, what: str) -> str:
    job = worker.run(f"attempt {what}")
    assert job.result is not None, job.error
    return str(job.result.warnings[0])


def _expected(worker: Bench) -> str:
    return "PermissionError" if worker.engine._config.sandbox else DONE


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file that is none of the worker's business."""
    file = tmp_path / "file"
    file.write_text("untouched")
    return file


@needs_seccomp
def test_starting_a_program(worker: Bench) -> None:
    assert _attempt(worker, "program") == _expected(worker)


@needs_seccomp
def test_calls_that_computing_does_not_need(worker: Bench) -> None:
    assert (_attempt(worker, "calls") == DONE) == worker.engine._config.sandbox


@needs_files
@pytest.mark.parametrize("how", WRITES)
def test_writing_elsewhere(worker: Bench, how: str, victim: Path) -> None:
    target = victim.parent if how == "create" else victim
    assert _attempt(worker, f"{how} {target}") == _expected(worker)
    untouched = victim.exists() and victim.read_text() == "untouched" and not (victim.parent / "new").exists()
    assert untouched == worker.engine._config.sandbox


@pytest.mark.parametrize("how", WRITES)
def test_writing_in_the_data_folder_and_reading_anywhere(worker: Bench, how: str, victim: Path) -> None:
    folder = worker.engine._config.data
    own = folder / "own"
    own.touch()
    assert _attempt(worker, f"{how} {folder if how == 'create' else own}") == DONE
    assert _attempt(worker, f"read {victim}") == "untouched"


def test_temporary_files_lie_where_the_worker_may_write(worker: Bench) -> None:
    inside = worker.engine._config.data in Path(_attempt(worker, "temporary")).parents
    assert inside == (landlock.version() > 0 and worker.engine._config.sandbox)


@needs_ports
def test_connecting_elsewhere(worker: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert _attempt(worker, f"connect {server.getsockname()[1]}") == _expected(worker)


@needs_ports
def test_connecting_for_downloads(worker: Bench) -> None:
    for port in sandbox._download_ports(os.environ):
        assert _attempt(worker, f"connect {port}") in ("ConnectionRefusedError", DONE)


@needs_seccomp
@pytest.mark.parametrize("family", ["AF_UNIX", "AF_NETLINK"])
def test_sockets_of_other_families(worker: Bench, family: str) -> None:
    if family == "AF_UNIX" and any(sandbox._accelerators()):
        pytest.skip("drivers of accelerators need local sockets")
    assert _attempt(worker, f"socket {family}") == _expected(worker)


@needs_signals
def test_signalling_another_process(worker: Bench) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert _attempt(worker, f"signal {other.pid}") == _expected(worker)
    other.kill()
    other.wait()


@needs_seccomp
def test_it_holds_in_every_thread(worker: Bench) -> None:
    confined = worker.engine._config.sandbox
    assert (_attempt(worker, "threads NoNewPrivs") == "1") == confined
    assert (_attempt(worker, "threads Seccomp") == "2") == confined


def test_a_worker_announces_what_is_in_force(worker: Bench) -> None:
    expected: tuple[str, ...] = ()
    if worker.engine._config.sandbox and landlock.version() >= 6 and seccomp.available():
        expected = sandbox.PROTECTIONS
    elif worker.engine._config.sandbox:
        pytest.skip("this kernel lacks some")
    assert worker.engine.protections == {"cpu": expected}


def test_a_kernel_without_any_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0)
    monkeypatch.setattr(seccomp, "available", lambda: False)
    assert sandbox.confine(tmp_path, []) == ()


def test_ports_of_downloads_are_those_of_the_environment() -> None:
    assert set(sandbox._download_ports({})) == {53, 443}
    assert set(sandbox._download_ports({"HF_HUB_OFFLINE": "1", "HTTPS_PROXY": "http://proxy:3128"})) == set()
    proxies = {"https_proxy": "http://proxy:3128", "HF_ENDPOINT": "http://mirror"}
    assert set(sandbox._download_ports(proxies)) == {53, 443, 3128, 80}


def test_numbers_are_the_same_within_and_without(tmp_path: Path) -> None:
    spec = RunSpec()
    here = analyses.run(spec)
    engine = Engine(config_with(data=tmp_path))
    engine.start()
    there = Bench(engine).ends(engine.submit(spec, session="ada")).result
    engine.close()
    assert isinstance(here, CompareResult)
    assert isinstance(there, CompareResult)
    assert here.comparison == there.comparison
    assert here.audit == there.audit
    assert here.device == there.device
