"""One engine with real worker processes for each test module that asks for it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from precision.engine import Engine, EngineConfig, Job
from precision.spec import RunSpec
from tests.conftest import PATIENCE_S, until

collect_ignore = ["dies_on_import.py", "two_devices.py"]
"""They change the process that imports them, which must be a worker."""
TASK = "tests.engine.tasks:run"
LIMIT_BYTES = 1 << 30


def config_with(**settings: Any) -> EngineConfig:
    """The environment's settings but these. Worker processes of all engines here share the threads of the first."""
    return replace(EngineConfig.from_environment(), **settings)


class Bench:
    """An engine, and what tests do with it again and again."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def submit(self, text: str, *, session: str = "ada", device: str = "cpu") -> Job:
        return self.engine.submit(RunSpec(text=text, device=device), session=session, fresh=True)

    def run(self, text: str, *, device: str = "cpu") -> Job:
        return self.ends(self.submit(text, device=device))

    def running(self, text: str, stage: str, *, session: str = "ada", device: str = "cpu") -> Job:
        """A job that has come to its stage."""
        job = self.submit(text, session=session, device=device)
        until(lambda: self.engine.job(job.id).stage == stage)
        return self.engine.job(job.id)

    def crashing(self, *, device: str = "cpu") -> Job:
        """A job that ends its process, now that its stage has been heard of."""
        file, path = tempfile.mkstemp()
        os.close(file)
        job = self.running(f"segfault {path}", "Crashing", device=device)
        os.unlink(path)
        return job

    def ends(self, job: Job) -> Job:
        ended = self.engine.wait(job.id, PATIENCE_S)
        assert ended.finished, ended
        return ended


@pytest.fixture(scope="package")
def bench() -> Iterator[Bench]:
    config = config_with(memory_limit=LIMIT_BYTES, time_limit=8.0, cancel_grace=2.0)
    engine = Engine(config, task=TASK)
    engine.start()
    yield Bench(engine)
    engine.close()
