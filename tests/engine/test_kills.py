"""Workers and the server they are forked from, killed again and again at any moment: only running jobs may suffer.

`KILLS=200 pytest tests/engine/test_kills.py -s` kills as often as that, and says what came of it.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter

import psutil

from precision.engine import Job
from precision.spec import RunSpec
from tests.conftest import until
from tests.engine.conftest import Bench

KILLS = int(os.environ.get("KILLS", "24"))
SESSIONS = ("ada", "bob", "eve", "kim")
TEXTS = ("return", "steps 0.05", "steps 0.3")
AT_START = 1 / 3
SOON_S = 0.4
"""A worker is ready within about this time: a kill within it may come at any moment of the start."""
CRASHED = re.compile(
    r"(Worker crashed \(signal 9, SIGKILL\)|The worker was lost) while [^;.]+; the next job runs on a fresh worker\."
    r"( It may have been killed because the machine ran out of memory\.)?"
)


class _Users:
    """Sessions that have two unfinished jobs each, as many as they may."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._ids: dict[str, list[str]] = {session: [] for session in SESSIONS}
        self._submitted = 0
        self.ended: list[Job] = []

    def submit(self, chance: random.Random) -> None:
        for session, ids in self._ids.items():
            self._settle(ids)
            while len(ids) < 2:
                self._submitted += 1
                spec = RunSpec(text=chance.choice(TEXTS), seed=self._submitted)
                ids.append(self._bench.engine.submit(spec, session=session, fresh=True).id)

    def wait(self) -> None:
        for ids in self._ids.values():
            for job_id in ids:
                self._bench.ends(self._bench.engine.job(job_id))
            self._settle(ids)

    def any_at(self, *stages: str) -> bool:
        jobs = [self._bench.engine.job(job_id) for ids in self._ids.values() for job_id in ids]
        return any(not job.finished and job.stage in stages for job in jobs)

    def _settle(self, ids: list[str]) -> None:
        jobs = [self._bench.engine.job(job_id) for job_id in ids]
        self.ended += [job for job in jobs if job.finished]
        ids[:] = [job.id for job in jobs if not job.finished]


class _Processes:
    """The server of forks and its workers, those included whose server is gone."""

    def __init__(self) -> None:
        self._workers: set[psutil.Process] = set()

    def server(self) -> psutil.Process | None:
        mine = psutil.Process().children()
        return next((each for each in mine if "forkserver" in _command(each)), None)

    def workers(self) -> set[psutil.Process]:
        server = self.server()
        if server is not None and _runs(server):
            self._workers |= set(server.children())
        self._workers = {worker for worker in self._workers if _runs(worker)}
        return self._workers

    def kill(self, what: str) -> None:
        victims = self.workers()
        if what == "server" and (server := self.server()) is not None:
            server.suspend()  # what it has forked by now is all it will fork: none is overlooked
            self.workers()
            victims = {server}
        for victim in victims:
            victim.kill()
        until(lambda: not any(map(_runs, victims)))


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def test_only_running_jobs_suffer(bench: Bench) -> None:
    assert bench.run("return").status == "done"
    chance = random.Random(20)  # noqa: S311  # the same kills in every run
    users, processes, kills = _Users(bench), _Processes(), Counter[str]()
    before = len(processes.workers())  # those of other engines in this process too
    started = time.monotonic()
    while kills.total() < KILLS:
        users.submit(chance)
        if chance.random() < AT_START:
            if not users.any_at("restarting"):
                processes.kill("worker")
                kills["worker, ready"] += 1
            until(lambda: bool(processes.workers()))
        else:
            until(lambda: users.any_at("Loading the model", "Stepping"), again=lambda: users.submit(chance))
        time.sleep(chance.uniform(0.0, SOON_S))
        what = chance.choice(("worker", "worker", "server"))
        users.submit(chance)
        kills[f"{what}, {'starting' if users.any_at('restarting') else 'ready'}"] += 1
        processes.kill(what)
    users.wait()
    endings = Counter(job.error or job.status for job in users.ended)
    print(f"{time.monotonic() - started:.0f} s, {dict(kills)}, {len(users.ended)} jobs: {dict(endings)}")  # noqa: T201
    failed = [job for job in users.ended if job.status != "done"]
    assert all(job.status == "failed" and CRASHED.fullmatch(job.error or "") for job in failed), endings
    assert len(failed) <= sum(count for what, count in kills.items() if what.startswith("worker"))
    assert 0 < len(failed) < len(users.ended)
    assert bench.engine.state == "ready"
    assert bench.run("return").status == "done"
    until(lambda: len(processes.workers()) <= before)
