"""One engine with real worker processes for each test module that asks for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from precision.engine import Engine, EngineConfig, Job
from precision.spec import RunSpec

collect_ignore = ["two_devices.py"]
"""It changes the process that imports it, which must be a worker."""
TASK = "tests.engine.tasks:run"
LIMIT_BYTES = 1 << 30


def until(condition: Callable[[], bool], *, within_s: float = 30.0) -> None:
    """Return when the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within_s} s")
        pause.wait(0.005)


class Bench:
    """An engine, and what tests do with it again and again."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def submit(self, text: str, *, session: str = "ada", device: str = "cpu") -> Job:
        return self.engine.submit(RunSpec(text=text, device=device), session=session, fresh=True)

    def run(self, text: str, *, device: str = "cpu", within_s: float = 60.0) -> Job:
        job = self.engine.wait(self.submit(text, device=device).id, within_s)
        assert job.finished, job
        return job

    def running(self, text: str, stage: str, *, session: str = "ada", device: str = "cpu") -> Job:
        """A job that has come to its stage."""
        job = self.submit(text, session=session, device=device)
        until(lambda: self.engine.job(job.id).stage == stage, within_s=60)
        return self.engine.job(job.id)

    def ends(self, job: Job, *, within_s: float = 30.0) -> Job:
        ended = self.engine.wait(job.id, within_s)
        assert ended.finished, ended
        return ended


@pytest.fixture(scope="package")
def bench() -> Iterator[Bench]:
    engine = Engine(EngineConfig(memory_limit=LIMIT_BYTES, time_limit=8.0, cancel_grace=0.5), task=TASK)
    engine.start()
    yield Bench(engine)
    engine.close()
