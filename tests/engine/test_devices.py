"""A worker for each device: their jobs neither wait for each other nor fall together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from precision.engine import Engine
from tests.conftest import until
from tests.engine.conftest import Bench, config_with


@pytest.fixture(scope="module")
def two() -> Iterator[Bench]:
    engine = Engine(config_with(cancel_grace=0.2), task="tests.engine.two_devices:run")
    engine.start()
    until(lambda: engine.state == "ready")
    yield Bench(engine)
    engine.close()


def test_both_devices_are_listed_at_once(two: Bench) -> None:
    assert [device.id for device in two.engine.devices() or ()] == ["cpu", "cuda:0"]


def test_jobs_of_two_devices_run_side_by_side_in_two_processes(two: Bench) -> None:
    slow = two.running("steps 20", "Stepping")
    beside = two.run("pid", device="cuda:0")
    assert beside.status == "done"
    assert two.engine.job(slow.id).status == "running"
    two.engine.cancel(slow.id, session="ada")
    assert two.ends(slow).status == "cancelled"
    here = two.run("pid")
    assert here.result is not None
    assert beside.result is not None
    assert here.result.warnings != beside.result.warnings


def test_a_crash_on_one_device_leaves_the_other_alone(two: Bench) -> None:
    others = two.running("steps 2", "Stepping", session="bob")
    crashed = two.crashing(device="cuda:0")
    assert "SIGSEGV" in (two.ends(crashed).error or "")
    assert two.run("return", device="cuda:0").status == "done"
    assert two.ends(others).status == "done"
