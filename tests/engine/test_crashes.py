"""Workers that are killed, crash, take too much memory or too long: the job says so, the next one runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from precision.engine import Job
from precision.engine.processes import worker_processes
from tests.conftest import until
from tests.engine.conftest import Bench


def _explained(bench: Bench, job: Job) -> str:
    """The error of a job that failed with what it had measured, after which the next and others' jobs ran."""
    ended = bench.ends(job)
    assert (ended.status, ended.error_kind, ended.result) == ("failed", "JobError", None)
    assert ended.partial is not None
    assert ended.error is not None
    return ended.error


def _worker_pid(bench: Bench) -> int:
    result = bench.run("pid").result
    assert result is not None
    return int(result.warnings[0])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_a_worker_killed_from_outside(bench: Bench, number: signal.Signals) -> None:
    pid = _worker_pid(bench)
    job = bench.running("stuck 30", "Running one long kernel")
    until(lambda: bench.engine.job(job.id).partial is not None)
    others = bench.submit("return", session="bob")
    os.kill(pid, number)
    error = _explained(bench, job)
    assert f"Worker crashed (signal {int(number)}, {number.name}) while running one long kernel" in error
    assert bench.ends(others).status == "done"
    assert _worker_pid(bench) != pid


def test_a_segmentation_fault(bench: Bench) -> None:
    job = bench.crashing()
    assert "Worker crashed (signal 11, SIGSEGV) while crashing" in _explained(bench, job)
    assert bench.run("return").status == "done"


def test_a_job_past_the_memory_limit(bench: Bench) -> None:
    job = bench.running("memory", "Filling memory")
    others = bench.submit("return", session="bob")
    error = _explained(bench, job)
    assert "needs more than the memory limit of 1.0 GiB: stopped at 1." in error
    assert "while filling memory. Choose a smaller model, batch or length." in error
    assert bench.ends(others).status == "done"


@pytest.mark.parametrize(("text", "stage"), [("steps 30", "stepping"), ("stuck 30", "running one long kernel")])
def test_a_job_past_the_time_limit(bench: Bench, text: str, stage: str) -> None:
    job = bench.submit(text)
    assert _explained(bench, job).startswith(f"Stopped at its limit of 8 s while {stage}. ")
    assert bench.run("return").status == "done"


def test_a_worker_that_dies_idle_is_replaced(bench: Bench) -> None:
    pid = _worker_pid(bench)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(pid))
    assert bench.run("return").status == "done"


def test_workers_compute_with_the_threads_they_may_use(bench: Bench, tmp_path: Path) -> None:
    result = bench.run("threads").result
    assert result is not None
    threads = str(os.environ["OMP_NUM_THREADS"])
    assert result.warnings == (threads, threads)
    assert worker_processes(int(threads), "json:dumps", tmp_path).get_start_method() in ("forkserver", "spawn")
