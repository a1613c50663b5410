"""Jobs through real worker processes: results, progress, cancelling, sharing."""

from __future__ import annotations

import threading

import pytest

from precision.engine import Engine
from precision.errors import InputError, JobError
from precision.spec import RunSpec
from tests.conftest import until
from tests.engine.conftest import Bench, config_with
from tests.engine.tasks import example_result


def test_a_job_gives_its_result(bench: Bench) -> None:
    job = bench.run("return")
    assert (job.status, job.error, job.error_kind, job.fraction) == ("done", None, None, 1.0)
    assert job.result is not None
    assert job.result.spec == job.spec
    assert job.partial is None


def test_devices_are_those_of_the_worker(bench: Bench) -> None:
    until(lambda: bench.engine.state == "ready")
    devices = bench.engine.devices()
    assert devices is not None
    assert devices[0].id == "cpu"
    assert bench.engine.reason is None
    with pytest.raises(InputError, match=r"Unknown device 'cuda:99'\. Devices here: cpu"):
        bench.submit("return", device="cuda:99")


def test_progress_arrives_while_the_job_runs(bench: Bench) -> None:
    job = bench.running("steps 3", "Stepping")
    until(lambda: bench.engine.job(job.id).fraction > 0.3)
    seen = bench.engine.job(job.id)
    assert seen.status == "running"
    assert seen.detail.endswith(" s")
    assert seen.partial is not None
    until(lambda: bench.engine.job(job.id).remaining_s is not None)
    assert bench.ends(job).status == "done"


def test_a_refusal_of_the_worker_keeps_its_words_and_kind(bench: Bench) -> None:
    job = bench.run("refuse")
    assert (job.status, job.error_kind) == ("failed", "InputError")
    assert job.error == "The batch is too large: 9 of at most 8."
    assert job.partial == example_result(job.spec, elapsed_s=0.5)


@pytest.mark.parametrize(
    ("text", "logged"), [("bug", "ZeroDivisionError: a secret"), ("exit", "SystemExit: 3"), ("nonsense", "elapsed_s")]
)
def test_a_bug_is_logged_whole_and_shown_as_an_id(
    bench: Bench, text: str, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    job = bench.run(text)
    assert (job.status, job.error_kind) == ("failed", None)
    assert job.error is not None
    assert job.error.startswith("Internal error ")
    assert "secret" not in job.error
    assert logged in caplog.text
    assert job.error.split()[2].rstrip(":") in caplog.text
    assert bench.run("return").status == "done"


def test_memory_that_is_refused_is_no_bug(bench: Bench) -> None:
    job = bench.run("refused memory")
    assert (job.status, job.error_kind) == ("failed", "JobError")
    assert job.error == "Not enough memory: you tried to allocate 7 EB. Choose a smaller model, batch or length."


def test_a_running_job_stops_at_its_next_step(bench: Bench) -> None:
    until(lambda: bench.engine.state == "ready")
    bench.run("return")
    worker = bench.run("pid").result
    job = bench.running("steps 7", "Stepping")
    bench.engine.cancel(job.id, session="ada")
    ended = bench.ends(job)
    assert (ended.status, ended.error) == ("cancelled", None)
    assert ended.partial is not None
    again = bench.run("pid").result
    assert worker is not None
    assert again is not None
    assert again.warnings == worker.warnings, "the worker should have stayed"


def test_a_job_that_does_not_listen_is_ended_with_its_worker(bench: Bench) -> None:
    job = bench.running("stuck 30", "Running one long kernel")
    assert bench.engine.cancel(job.id, session="ada").stage == "stopping"
    following = bench.submit("return", session="bob")
    assert bench.ends(job).status == "cancelled"
    assert bench.ends(following).status == "done"


def test_one_session_cannot_cancel_for_another(bench: Bench) -> None:
    job = bench.running("steps 0.7", "Stepping")
    assert bench.engine.submit(job.spec, session="bob").id == job.id
    bench.engine.cancel(job.id, session="ada")
    assert bench.ends(job).status == "done"


def test_a_released_session_frees_the_worker(bench: Bench) -> None:
    running = bench.running("steps 7", "Stepping", session="gone")
    queued = bench.submit("return", session="gone")
    bench.engine.release("gone")
    assert bench.engine.job(queued.id).status == "cancelled"
    assert bench.ends(running).status == "cancelled"
    assert bench.engine.sessions() == frozenset()


def test_two_submit_the_same_and_share_one_job(bench: Bench) -> None:
    first = bench.running("steps 0.5", "Stepping")
    second = bench.engine.submit(first.spec, session="bob")
    assert second.id == first.id
    done = bench.ends(first)
    assert bench.engine.submit(first.spec, session="eve").result == done.result


def test_many_threads_submit_at_once(bench: Bench) -> None:
    ids: list[str] = []

    def submit(seed: int) -> None:
        spec = RunSpec(text="return", seed=seed)
        ids.append(bench.engine.submit(spec, session=f"thread {seed}", fresh=True).id)

    threads = [threading.Thread(target=submit, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 12
    assert all(bench.engine.wait(job_id, 15).status == "done" for job_id in ids)


def test_an_engine_that_was_never_started_closes() -> None:
    engine = Engine(config_with())
    queued = engine.submit(RunSpec(), session="ada")
    engine.close()
    engine.close()
    assert engine.state == "closed"
    assert engine.job(queued.id).status == "failed"
    with pytest.raises(JobError, match="shutting down"):
        engine.submit(RunSpec(), session="ada")
