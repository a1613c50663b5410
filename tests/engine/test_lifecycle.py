"""An engine within a process of its own: what that process imports, and what is left when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from precision.engine import Engine
from precision.errors import JobError
from precision.spec import RunSpec
from tests.conftest import PATIENCE_S, until
from tests.engine.conftest import config_with

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow

SCRIPT = """
import sys, threading
if __name__ == "__main__":
    from precision.engine import Engine
    from precision.spec import RunSpec

    engine = Engine({arguments})
    starter = threading.Thread(target=engine.start)
    starter.start()
    starter.join()
    job = engine.wait(engine.submit(RunSpec(), session="ada").id)
    assert job.status == "done", job
    heavy = {{"torch", "transformers", "sklearn", "streamlit"}} & set(sys.modules)
    print("heavy:", *sorted(heavy), flush=True)
    print("state:", engine.state, flush=True)
    sys.stdin.readline()
    {ending}
else:
    print("the script ran again, as", __name__, flush=True)
"""
TEST_TASK = 'task="tests.engine.tasks:run"'


def _python(tmp_path: Path, *, arguments: str = TEST_TASK, ending: str = "") -> subprocess.Popen[str]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(arguments=arguments, ending=ending))
    return subprocess.Popen(  # our own script
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PRECISION_DATA": str(tmp_path)},
    )


def _lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


def test_the_client_never_imports_torch_and_a_real_comparison_runs(tmp_path: Path) -> None:
    process = _python(tmp_path, arguments="")
    out, err = process.communicate("\n", timeout=PATIENCE_S)
    # A worker may import the script anew; what stands under its guard must not run there.
    assert [line for line in out.splitlines() if not line.startswith("the script ran again")] == [
        "heavy:",
        "state: ready",
    ], err
    assert "as __main__" not in out
    assert err == ""
    assert process.returncode == 0


@pytest.mark.parametrize("end", ["exit", "close", "SIGTERM", "SIGKILL"])
def test_no_process_is_left_behind(tmp_path: Path, end: str) -> None:
    process = _python(tmp_path, ending="engine.close(); print(engine.state, flush=True); sys.stdin.readline()")
    until(lambda: "state: ready" in _lines(process, 1))
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2, "a worker and the server it was forked from"
    assert process.stdin is not None
    if end.startswith("SIG"):
        process.send_signal(getattr(signal, end))
    else:
        process.stdin.write("\n")
        process.stdin.flush()
    if end == "close":
        assert _lines(process, 1) == ["closed"]
        workers = [child for child in children if child.is_running() and _is_worker(child)]
        until(lambda: not any(worker.is_running() for worker in workers))
    if end in ("exit", "close"):
        process.communicate("\n", timeout=PATIENCE_S)
    else:
        process.communicate(timeout=PATIENCE_S)
    until(lambda: not any(_alive(child) for child in children))


def _alive(process: psutil.Process) -> bool:
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)


def _is_worker(process: psutil.Process) -> bool:
    try:
        return any(connection.status == "LISTEN" for connection in process.net_connections("tcp"))
    except psutil.Error:
        return False


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    engine = Engine(config_with(data=in_the_way / "data"))
    engine.start()
    until(lambda: engine.state == "failed")
    assert engine.reason is not None
    assert "cannot be written" in engine.reason
    assert "PRECISION_DATA" in engine.reason
    with pytest.raises(JobError, match="cannot be written"):
        engine.submit(RunSpec(), session="ada")
    engine.close()


def test_workers_that_cannot_start_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine(config_with(data=tmp_path), task="tests.engine.no_such_module:run")
    engine.start()
    until(lambda: engine.state == "failed")
    assert engine.reason == "Worker 'cpu' failed; the server's log has the details."
    assert "no_such_module" in caplog.text
    engine.close()
    assert engine.state == "closed"


def test_closing_while_starting(tmp_path: Path) -> None:
    engine = Engine(config_with(data=tmp_path), task="tests.engine.tasks:run")
    engine.start()
    job = engine.submit(RunSpec(), session="ada")
    engine.close()
    assert engine.state == "closed"
    assert engine.job(job.id).finished
