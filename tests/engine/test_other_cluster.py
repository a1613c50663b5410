"""An engine on the workers of somebody else's Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dask
import pytest
from distributed import LocalCluster

from precision.engine import Engine, EngineConfig
from precision.errors import InputError
from tests.engine.conftest import TASK, Bench, until

FIRST, SECOND = "0/cpu", "1/cpu"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    settings = {
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.multiprocessing-method": "spawn",
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            memory_limit="1GiB",
            dashboard_address="127.0.0.1:0",
            silence_logs=100,
        ) as cluster,  # type: ignore[no-untyped-call]
    ):
        yield cluster


@pytest.fixture(scope="module")
def remote(cluster: Any) -> Iterator[Bench]:
    engine = Engine(
        EngineConfig(scheduler=cluster.scheduler_address, time_limit=20.0, cancel_grace=0.5, session_limit=9), task=TASK
    )
    engine.start()
    until(lambda: len(engine.devices() or ()) == 2, within_s=40)
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
    assert remote.ends(soft, within_s=5).status == "cancelled"
    hard = remote.running("stuck 60", "Running one long kernel", device=FIRST)
    remote.engine.cancel(hard.id, session="ada")
    assert remote.ends(hard, within_s=10).status == "cancelled"
    assert remote.run("return", device=FIRST, within_s=40).status == "done"


def test_a_worker_past_its_memory_or_killed_takes_only_its_job(remote: Bench) -> None:
    greedy = remote.running("memory", "Filling memory", device=SECOND)
    others = remote.running("steps 1", "Stepping", device=FIRST, session="bob")
    ended = remote.ends(greedy)
    assert ended.error is not None
    assert "needs more than the memory limit of 1.0 GiB" in ended.error
    assert remote.ends(others).status == "done"
    crashed = remote.running("segfault", "Crashing", device=SECOND)
    ended = remote.ends(crashed)
    assert ended.error == "The worker was lost while crashing; the next job runs on a fresh worker."
    assert remote.run("return", device=SECOND, within_s=40).status == "done"


def test_a_lost_scheduler_interrupts(cluster: Any, remote: Bench) -> None:
    job = remote.running("steps 20", "Stepping", device=FIRST)
    cluster.sync(cluster.scheduler.close)
    ended = remote.ends(job)
    assert (ended.status, ended.error_kind) == ("failed", "JobError")
    assert ended.error is not None
    assert ended.error.startswith("Interrupted: ")
    until(lambda: remote.engine.state == "failed")
    assert remote.engine.reason is not None
    assert "scheduler" in remote.engine.reason


def test_a_scheduler_that_is_not_there_is_said() -> None:
    engine = Engine(EngineConfig(scheduler="tcp://127.0.0.1:1"), task=TASK)
    engine.start()
    until(lambda: engine.state == "failed", within_s=30)
    assert engine.reason == "The scheduler at tcp://127.0.0.1:1 cannot be reached. Is it running?"
    engine.close()
