"""Workers that end before they are ready: waiting jobs wait, pages are told, and at some point the engine gives up."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from precision.engine import Engine, Job, lane
from precision.errors import JobError
from tests.conftest import until
from tests.engine.conftest import Bench, config_with

TASK = "tests.engine.dies_on_import:run"
FOREVER = 1_000_000


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Bench]:
    """An engine that is not started yet, whose workers die at start as often as the file `deaths` says."""
    engine = Engine(config_with(data=tmp_path), task=TASK)
    yield Bench(engine)
    engine.close()


def _die(folder: Path, times: int) -> None:
    (folder / "deaths").write_text(str(times))


def _kill_worker(bench: Bench) -> None:
    result = bench.run("pid").result
    assert result is not None
    os.kill(int(result.warnings[0]), signal.SIGKILL)


def _waits_for_restart(bench: Bench) -> Job:
    job = bench.submit("return", session="bob")
    until(lambda: bench.engine.job(job.id).stage == "restarting")
    return job


def test_a_worker_may_die_before_it_is_ready_for_the_first_time(mortal: Bench, tmp_path: Path) -> None:
    _die(tmp_path, lane._TRIES_AT_FIRST - 1)
    mortal.engine.start()
    job = mortal.submit("return")
    assert mortal.engine.job(job.id).stage == "starting"
    assert mortal.ends(job).status == "done"


def test_a_worker_that_can_never_start_is_given_up_and_jobs_are_refused_with_the_reason(
    mortal: Bench, tmp_path: Path
) -> None:
    _die(tmp_path, FOREVER)
    mortal.engine.start()
    ended = mortal.ends(mortal.submit("return"))
    assert (ended.status, ended.error_kind) == ("failed", "JobError")
    assert ended.error is not None
    assert ended.error.startswith("Interrupted: The worker process ended while it was warming up")
    assert mortal.engine.state == "failed"
    with pytest.raises(JobError, match="ended while it was warming up"):
        mortal.submit("return")


def test_while_the_worker_restarts_its_devices_stay_known_and_jobs_wait(mortal: Bench, tmp_path: Path) -> None:
    mortal.engine.start()
    _kill_worker(mortal)
    before = mortal.engine.devices()
    _die(tmp_path, lane._TRIES - 1)
    _kill_worker(mortal)
    first = _waits_for_restart(mortal)
    second = mortal.submit("steps 0.1", session="eve")
    assert (second.status, second.stage, second.position) == ("queued", "restarting", 2)
    assert mortal.engine.state == "ready"
    assert mortal.engine.devices() == before
    assert [mortal.ends(job).status for job in (first, second)] == ["done", "done"]
    assert mortal.submit("steps 0.1").stage != "restarting"


def test_a_worker_that_does_not_come_back_is_given_up_until_it_does(
    mortal: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "_LONGEST_PAUSE_S", 0.1)
    mortal.engine.start()
    _kill_worker(mortal)
    mortal.run("return")
    _die(tmp_path, FOREVER)
    _kill_worker(mortal)
    waiting = _waits_for_restart(mortal)
    assert "ended while it was warming up" in (mortal.ends(waiting).error or "")
    assert mortal.engine.state == "failed"
    assert [device.id for device in mortal.engine.devices() or ()] == ["cpu"]
    with pytest.raises(JobError, match="ended while it was warming up"):
        mortal.submit("return")
    _die(tmp_path, 0)
    until(lambda: mortal.engine.state == "ready")
    assert mortal.run("return").status == "done"
