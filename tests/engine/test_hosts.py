"""Workers that do not come up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from precision.engine.cluster import Cluster
from precision.engine.hosts import ClusterHost, LocalHost
from precision.engine.processes import worker_processes
from precision.errors import JobError
from tests.engine.conftest import TASK, config_with


def test_a_process_that_ends_while_starting(tmp_path: Path) -> None:
    config = config_with(data=tmp_path)
    host = LocalHost("w", "nowhere://1", processes=worker_processes(config.threads, TASK, tmp_path), config=config)
    with pytest.raises(JobError, match="ended while it was starting"):
        asyncio.run(host.start())


def test_a_worker_that_does_not_return_to_its_cluster(tmp_path: Path) -> None:
    async def wait_for_it() -> None:
        cluster = await Cluster.connect(config_with(data=tmp_path))
        try:
            await ClusterHost("nobody", cluster, return_within_s=0.1).start()
        finally:
            await cluster.close()

    with pytest.raises(JobError, match="The worker 'nobody' has left the cluster"):
        asyncio.run(wait_for_it())
