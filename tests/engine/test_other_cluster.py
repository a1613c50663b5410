"""An engine on the workers of somebody else's Dask cluster."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

import dask
import pytest

from precision.engine import Engine, landlock, seccomp
from precision.engine.cluster_worker import join
from precision.engine.sandbox import PROTECTIONS
from precision.errors import InputError, JobError
from tests.conftest import until
from tests.engine.conftest import TASK, Bench, config_with

FIRST, SECOND = "box-0/cpu", "box-1/cpu"
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


class Cluster:
    """A scheduler and its workers, as README says how to start them; the scheduler cannot import the package.

    Args:
        folder: for their files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        file = folder / "scheduler.json"
        options = ("--scheduler-file", str(file), "--host", "127.0.0.1", "--port", "0", "--dashboard-address", ":0")
        self.scheduler = self._run("dask", "scheduler", *options)
        until(lambda: file.is_file() and file.stat().st_size > 0)  # it is made empty, and written a moment later
        self.address = str(json.loads(file.read_text())["address"])

    def worker(self, name: str, *paths: Path) -> subprocess.Popen[bytes]:
        """Start a worker that looks for modules in `paths` first."""
        return self._run("precision", "worker", self.address, "--name", name, path=(*paths, ROOT))

    def plain_worker(self, name: str) -> None:
        """Start a worker of Dask's own, which cannot import the package."""
        self._run("dask", "worker", self.address, "--name", name, "--dashboard-address", ":0")

    def _run(self, program: str, *arguments: str, path: Iterable[Path] = ()) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "PRECISION_MEMORY_LIMIT": "1GiB",
            "PRECISION_THREADS": "3",
            "PRECISION_DATA": str(self._folder),
        }
        process = subprocess.Popen(  # without the folder of the tests among those of modules
            [sys.executable, "-P", "-m", program, *arguments],
            env=environment, cwd=self._folder, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._processes.append(process)
        return process

    def end(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(30)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    for name in ("box-0", "box-1"):
        cluster.worker(name)
    yield cluster
    cluster.end()


@pytest.fixture(scope="module")
def remote(cluster: Cluster) -> Iterator[Bench]:
    config = config_with(scheduler=cluster.address, time_limit=20.0, cancel_grace=0.5, session_limit=9)
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


def test_a_worker_computes_with_the_threads_it_was_given(remote: Bench) -> None:
    result = remote.run("threads", device=FIRST).result
    assert result is not None
    assert result.warnings == ("3", "3")


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


def test_jobs_wait_for_a_worker_that_leaves_and_comes_back(cluster: Cluster, remote: Bench) -> None:
    first = cluster.worker("box-2")
    until(lambda: "box-2/cpu" in [device.id for device in remote.engine.devices() or ()])
    running = remote.running("steps 20", "Stepping", device="box-2/cpu")
    waiting = remote.submit("return", device="box-2/cpu", session="bob")
    first.kill()
    assert remote.ends(running).error == "The worker was lost while stepping; the next job runs on a fresh worker."
    until(lambda: remote.engine.job(waiting.id).stage == "restarting")
    cluster.worker("box-2")
    assert remote.ends(waiting).status == "done"


def test_workers_give_up_rights_too(remote: Bench, tmp_path: Path) -> None:
    if landlock.version() < 6 or not seccomp.available():
        pytest.skip("this kernel lacks some")
    assert remote.engine.protections["box-0"] == PROTECTIONS
    for what in ("program", f"create {tmp_path}", "connect 1"):
        result = remote.run(f"attempt {what}", device=FIRST).result
        assert result is not None
        assert result.warnings == ("PermissionError",)


@pytest.mark.usefixtures("remote")  # the first has joined
def test_a_second_worker_of_a_name_is_refused(cluster: Cluster) -> None:
    with pytest.raises(JobError, match="already has a worker 'box-0'"):
        asyncio.run(join(cluster.address, "box-0", config=config_with(), joined=lambda *_: None))


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


def test_a_worker_whose_scheduler_is_not_there_says_so() -> None:
    impatient = dask.config.set({"distributed.comm.timeouts.connect": "1s"})
    with impatient, pytest.raises(JobError, match=r"The scheduler at tcp://127\.0\.0\.1:1 cannot be reached"):
        asyncio.run(join("tcp://127.0.0.1:1", "box", config=config_with(), joined=lambda *_: None))


def test_a_scheduler_that_is_not_there_is_said() -> None:
    engine = Engine(config_with(scheduler="tcp://127.0.0.1:1"), task=TASK)
    engine.start()
    until(lambda: engine.state == "failed")
    assert engine.reason == "The scheduler at tcp://127.0.0.1:1 cannot be reached. Is it running?"
    engine.close()


def test_a_worker_without_the_package_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    cluster.plain_worker("bare")
    engine = Engine(config_with(scheduler=cluster.address), task=TASK)
    engine.start()
    until(lambda: engine.state == "failed")
    assert engine.reason is not None
    assert engine.reason.startswith("The worker 'bare' does not understand this server (No module named 'precision').")
    assert "precision-explorer worker" in engine.reason
    engine.close()
    cluster.end()


def test_a_worker_with_another_torch_says_so_where_its_device_is_chosen(tmp_path: Path) -> None:
    metadata = tmp_path / "torch-0.1.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: torch\nVersion: 0.1+cu1\n")
    cluster = Cluster(tmp_path)
    cluster.worker("old", tmp_path)
    engine = Engine(config_with(scheduler=cluster.address), task=TASK)
    engine.start()
    until(lambda: bool(engine.devices()))
    (device,) = engine.devices() or ()
    assert device.name.endswith(f" · torch 0.1, here {version('torch').partition('+')[0]}")
    engine.close()
    cluster.end()
