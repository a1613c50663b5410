"""An engine on the workers of somebody else's Dask cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from precision.engine import Engine, EngineConfig
from precision.errors import InputError
from tests.conftest import until
from tests.engine.conftest import TASK, Bench

FIRST, SECOND = "box-0/cpu", "box-1/cpu"
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


class Cluster:
    """A scheduler and two workers, as an operator starts them from the command line."""

    def __init__(self, folder: Path) -> None:
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE": "False",
            "DASK_DISTRIBUTED__WORKER__MEMORY__SPILL": "False",
            "DASK_TEMPORARY_DIRECTORY": str(folder),
        }
        file = folder / "scheduler.json"
        self.scheduler = self._run(
            "dask_scheduler", "--scheduler-file", str(file), "--port", "0", "--host", "127.0.0.1"
        )
        until(file.is_file)
        self.address = str(json.loads(file.read_text())["address"])
        options = ("--name", "box", "--nworkers", "2", "--nthreads", "1", "--memory-limit", "1GiB")
        self.workers = self._run("dask_worker", self.address, *options)

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{program}", *arguments, "--no-dashboard"]
        return subprocess.Popen(  # Dask's own programs
            [*command, "--dashboard-address", "127.0.0.1:0"], env=self._environment, stderr=subprocess.DEVNULL
        )

    def kill(self) -> None:
        for process in (self.scheduler, self.workers):
            process.kill()
            process.wait(10)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.kill()


@pytest.fixture(scope="module")
def remote(cluster: Cluster) -> Iterator[Bench]:
    config = EngineConfig(scheduler=cluster.address, time_limit=20.0, cancel_grace=0.5, session_limit=9)
    engine = Engine(config, task=TASK)
    engine.start()
    until(lambda: len(engine.devices() or ()) == 2)
    yield Bench(engine)
    engine.close()


def test_every_worker_lists_its_devices_under_its_name(remote: Bench) -> None:
    devices = remote.engine.devices()
    assert devices is not None
    assert sorted(device.id for device in devices) == [FIRST, SECOND]
    assert devices[0].name.startswith(devices[0].id.replace("/", " · ") + " · ")


def test_a_device_without_its_worker_is_refused(remote: Bench) -> None:
    with pytest.raises(InputError, match="Unknown device 'cpu'"):
        remote.submit("return", device="cpu")


def test_a_job_runs_where_it_was_sent(remote: Bench) -> None:
    workers = []
    for device in (FIRST, SECOND, FIRST):
        result = remote.run("pid", device=device).result
        assert result is not None
        assert result.device.id == device
        assert result.spec.device == device
        workers.append(result.warnings)
    assert workers[0] == workers[2] != workers[1]


def test_cancelling_softly_and_hard(remote: Bench) -> None:
    soft = remote.running("steps 20", "Stepping", device=FIRST)
    remote.engine.cancel(soft.id, session="ada")
    assert remote.ends(soft).status == "cancelled"
    hard = remote.running("stuck 60", "Running one long kernel", device=FIRST)
    remote.engine.cancel(hard.id, session="ada")
    assert remote.ends(hard).status == "cancelled"
    assert remote.run("return", device=FIRST).status == "done"


def test_a_worker_past_its_memory_or_killed_takes_only_its_job(remote: Bench) -> None:
    greedy = remote.running("memory", "Filling memory", device=SECOND)
    others = remote.running("steps 1", "Stepping", device=FIRST, session="bob")
    ended = remote.ends(greedy)
    assert ended.error is not None
    assert "needs more than the memory limit of 1.0 GiB" in ended.error
    assert remote.ends(others).status == "done"
    crashed = remote.crashing(device=SECOND)
    ended = remote.ends(crashed)
    assert ended.error == "The worker was lost while crashing; the next job runs on a fresh worker."
    assert remote.run("return", device=SECOND).status == "done"


def test_a_lost_scheduler_interrupts(cluster: Cluster, remote: Bench) -> None:
    job = remote.running("steps 20", "Stepping", device=FIRST)
    cluster.scheduler.kill()
    ended = remote.ends(job)
    assert (ended.status, ended.error_kind) == ("failed", "JobError")
    assert ended.error is not None
    assert ended.error.startswith("Interrupted: ")
    until(lambda: remote.engine.state == "failed")
    assert remote.engine.reason is not None
    assert "connection to the scheduler is lost" in remote.engine.reason


def test_a_scheduler_that_is_not_there_is_said() -> None:
    engine = Engine(EngineConfig(scheduler="tcp://127.0.0.1:1"), task=TASK)
    engine.start()
    until(lambda: engine.state == "failed")
    assert engine.reason == "The scheduler at tcp://127.0.0.1:1 cannot be reached. Is it running?"
    engine.close()
