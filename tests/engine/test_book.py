"""The rules of the book, without any process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from precision.engine.book import FINISHED_KEPT, JobBook
from precision.engine.job import Job
from precision.errors import InputError, JobError
from precision.results import DeviceInfo
from precision.spec import RunSpec
from tests.engine.tasks import example_result

CPU = DeviceInfo(id="cpu", name="CPU", memory_bytes=None)
GPU = DeviceInfo(id="cuda:0", name="GPU", memory_bytes=None)


def _book(*, queue_limit: int = 5, session_limit: int = 2, on_queued: Callable[[], None] = lambda: None) -> JobBook:
    book = JobBook(queue_limit, session_limit, on_queued=on_queued)
    book.set_devices((CPU, GPU), queue_of={"cpu": "first", "cuda:0": "second"})
    return book


def _start(book: JobBook, queue: str = "first", *, stop: Callable[[], object] = lambda: None) -> Job:
    job = book.next(queue, stop=stop)
    assert job is not None
    return job


def test_ids_cannot_be_guessed() -> None:
    book = _book()
    ids = {book.submit(RunSpec(seed=seed), f"session {seed}", fresh=False).id for seed in range(4)}
    assert len(ids) == 4
    assert all(len(job_id) >= 20 for job_id in ids)


def test_jobs_run_first_come_first_served_and_see_their_position() -> None:
    book = _book()
    jobs = [book.submit(RunSpec(seed=seed), f"session {seed}", fresh=False) for seed in range(3)]
    assert [job.position for job in jobs] == [1, 2, 3]
    started = _start(book)
    assert (started.id, started.status, started.position) == (jobs[0].id, "running", None)
    assert [book.job(job.id).position for job in jobs[1:]] == [1, 2]


def test_devices_have_queues_of_their_own() -> None:
    book = _book()
    book.submit(RunSpec(), "ada", fresh=False)
    other = book.submit(RunSpec(device="cuda:0"), "ada", fresh=False)
    assert other.position == 1
    assert _start(book, "second").id == other.id
    assert book.next("second", stop=lambda: None) is None


def test_queueing_is_announced() -> None:
    queued: list[int] = []
    book = _book(on_queued=lambda: queued.append(1))
    announced_before = len(queued)
    book.submit(RunSpec(), "ada", fresh=False)
    assert len(queued) == announced_before + 1


def test_an_unknown_device_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"Unknown device 'cuda:7'\. Devices here: cpu, cuda:0\."):
        _book().submit(RunSpec(device="cuda:7"), "ada", fresh=False)


def test_no_devices_at_all_is_said() -> None:
    book = _book()
    book.set_devices((), queue_of={})
    with pytest.raises(InputError, match="none at present"):
        book.submit(RunSpec(), "ada", fresh=False)


def test_before_devices_are_known_jobs_wait_and_are_checked_later() -> None:
    book = JobBook(5, 2, on_queued=lambda: None)
    good = book.submit(RunSpec(), "ada", fresh=False)
    bad = book.submit(RunSpec(device="cuda:7"), "ada", fresh=False)
    assert book.devices() is None
    assert (good.position, bad.position) == (1, 2)
    assert book.next("first", stop=lambda: None) is None
    book.set_devices((CPU,), queue_of={"cpu": "first"})
    assert book.devices() == (CPU,)
    refused = book.job(bad.id)
    assert (refused.status, refused.error_kind) == ("failed", "InputError")
    assert refused.error is not None
    assert "Devices here: cpu" in refused.error
    assert _start(book).id == good.id


def test_a_session_has_a_limit() -> None:
    book = _book(session_limit=2)
    first = book.submit(RunSpec(seed=1), "ada", fresh=False)
    book.submit(RunSpec(seed=2), "ada", fresh=False)
    with pytest.raises(JobError, match="You have 2 unfinished jobs, and the limit is 2"):
        book.submit(RunSpec(seed=3), "ada", fresh=False)
    book.submit(RunSpec(seed=3), "bob", fresh=False)
    book.cancel(first.id, "ada")
    assert book.submit(RunSpec(seed=4), "ada", fresh=False).status == "queued"


def test_the_queue_has_a_limit() -> None:
    book = _book(queue_limit=1)
    book.submit(RunSpec(seed=1), "ada", fresh=False)
    _start(book)
    book.submit(RunSpec(seed=2), "bob", fresh=False)
    with pytest.raises(JobError, match="1 jobs are waiting, and the limit is 1"):
        book.submit(RunSpec(seed=3), "eve", fresh=False)


@pytest.mark.parametrize("running", [False, True])
def test_the_same_spec_joins_the_unfinished_job(running: bool) -> None:
    book = _book()
    job = book.submit(RunSpec(), "ada", fresh=False)
    if running:
        _start(book)
    assert book.submit(RunSpec(), "bob", fresh=True).id == job.id
    assert book.sessions() == {"ada", "bob"}


def test_the_same_spec_done_is_answered_at_once_unless_fresh() -> None:
    book = _book()
    job = book.submit(RunSpec(), "ada", fresh=False)
    result = example_result(RunSpec())
    book.done(_start(book).id, result)
    again = book.submit(RunSpec(), "bob", fresh=False)
    assert (again.id, again.status, again.result) == (job.id, "done", result)
    assert book.submit(RunSpec(), "bob", fresh=True).status == "queued"


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_what_did_not_succeed_is_run_again(end: str) -> None:
    book = _book()
    job = book.submit(RunSpec(), "ada", fresh=False)
    _start(book)
    if end == "failed":
        book.failed(job.id, "Out of luck.", kind="JobError")
    else:
        book.cancelled(job.id)
    assert book.job(job.id).status == end
    again = book.submit(RunSpec(), "ada", fresh=False)
    assert (again.status, again.id != job.id) == ("queued", True)


def test_only_so_many_finished_jobs_are_kept() -> None:
    book = _book()
    ids = []
    for seed in range(FINISHED_KEPT + 1):
        job = book.submit(RunSpec(seed=seed), "ada", fresh=False)
        ids.append(job.id)
        book.done(_start(book).id, example_result(job.spec))
    with pytest.raises(JobError, match="No job"):
        book.job(ids[0])
    assert book.job(ids[1]).status == "done"
    assert book.submit(RunSpec(seed=0), "ada", fresh=False).status == "queued"


def test_an_unknown_job_says_what_to_do() -> None:
    with pytest.raises(JobError, match=r"No job 'x+' here: .* Run it again\."):
        _book().job("x" * 100)


def test_cancelling_a_queued_job_removes_it_at_once() -> None:
    book = _book()
    first = book.submit(RunSpec(seed=1), "ada", fresh=False)
    second = book.submit(RunSpec(seed=2), "bob", fresh=False)
    assert book.cancel(first.id, "ada").status == "cancelled"
    assert book.job(second.id).position == 1


def test_a_running_job_stops_only_when_its_last_session_leaves() -> None:
    book = _book()
    stops: list[int] = []
    job = book.submit(RunSpec(), "ada", fresh=False)
    assert book.submit(RunSpec(), "bob").id == job.id
    _start(book, stop=lambda: stops.append(1))
    assert book.cancel(job.id, "eve").stage != "stopping"
    assert book.cancel(job.id, "ada").stage != "stopping"
    assert stops == []
    assert book.cancel(job.id, "bob").stage == "stopping"
    book.cancel(job.id, "bob")
    assert stops == [1]


def test_nobody_joins_a_job_that_is_stopping() -> None:
    book = _book()
    job = book.submit(RunSpec(), "ada", fresh=False)
    _start(book)
    book.cancel(job.id, "ada")
    assert book.submit(RunSpec(), "bob", fresh=False).id != job.id


def test_a_closed_browser_releases_all_of_its_jobs() -> None:
    book = _book()
    stops: list[int] = []
    running = book.submit(RunSpec(seed=1), "ada", fresh=False)
    queued = book.submit(RunSpec(seed=2), "ada", fresh=False)
    others = book.submit(RunSpec(seed=3), "bob", fresh=False)
    _start(book, stop=lambda: stops.append(1))
    book.release("ada")
    assert stops == [1]
    assert book.job(running.id).stage == "stopping"
    assert book.job(queued.id).status == "cancelled"
    assert book.job(others.id).status == "queued"


def test_progress_never_goes_back_and_ends_with_the_job() -> None:
    book = _book()
    job = book.submit(RunSpec(), "ada", fresh=False)
    book.progress(job.id, "Too early", fraction=0.9, detail="")
    assert book.job(job.id).fraction == 0.0
    _start(book)
    book.progress(job.id, "Middle", fraction=0.5, detail="layer 3")
    book.progress(job.id, "Middle", fraction=0.4, detail="layer 4")
    seen = book.job(job.id)
    assert (seen.stage, seen.fraction, seen.detail) == ("Middle", 0.5, "layer 4")
    book.progress(job.id, "Middle", fraction=7.0, detail="")
    assert book.job(job.id).fraction == 1.0
    book.failed(job.id, "Crashed.", kind="JobError")
    book.progress(job.id, "Too late", fraction=1.0, detail="")
    assert book.job(job.id).stage == "Middle"


def test_the_time_left_is_not_told_too_early() -> None:
    book = _book()
    job = book.submit(RunSpec(), "ada", fresh=False)
    assert (job.remaining_s, job.elapsed_s) == (None, 0.0)
    _start(book)
    book.progress(job.id, "Middle", fraction=0.5, detail="")
    assert book.job(job.id).remaining_s is None


def test_the_time_left_counts_down_while_a_stage_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("precision.engine.book.time.monotonic", lambda: now[0])
    book = _book()
    job = book.submit(RunSpec(), "ada", fresh=False)
    _start(book)
    left = []
    for seconds, fraction in ((4.0, 0.25), (6.0, 0.25), (10.0, 0.25), (20.0, 0.25), (20.0, 0.5)):
        now[0] = 100.0 + seconds
        book.progress(job.id, "Middle", fraction=fraction, detail="")
        left.append(book.job(job.id).remaining_s)
    assert left == [12.0, 10.0, 6.0, None, 20.0]


def test_a_failed_job_keeps_what_it_measured() -> None:
    book = _book()
    job = book.submit(RunSpec(), "ada", fresh=False)
    partial = example_result(RunSpec())
    book.partial(job.id, partial)
    assert book.job(job.id).partial is None
    _start(book)
    book.partial(job.id, partial)
    book.failed(job.id, "Crashed.", kind="JobError")
    failed = book.job(job.id)
    assert (failed.partial, failed.result, failed.error) == (partial, None, "Crashed.")


def test_wait_gives_the_job_as_it_is_when_the_time_is_up() -> None:
    book = _book()
    job = book.submit(RunSpec(), "ada", fresh=False)
    assert book.wait(job.id, 0.0).status == "queued"


def test_a_closed_book_ends_all_jobs_and_takes_no_more() -> None:
    book = _book()
    running = book.submit(RunSpec(seed=1), "ada", fresh=False)
    queued = book.submit(RunSpec(seed=2), "ada", fresh=False)
    _start(book)
    book.refuse("Interrupted: closing.")
    for job in (running, queued):
        ended = book.job(job.id)
        assert (ended.status, ended.error, ended.error_kind) == ("failed", "Interrupted: closing.", "JobError")
    with pytest.raises(JobError, match=r"Interrupted: closing\."):
        book.submit(RunSpec(), "ada", fresh=False)


def test_the_result_of_a_checkpoint_is_kept_only_while_its_files_hold_the_same() -> None:
    now: dict[str, str | None] = {"content": "first"}
    book = JobBook(5, 2, on_queued=lambda: None, content_of=lambda spec: now["content"])
    book.set_devices((CPU,), queue_of={"cpu": "first"})
    spec = RunSpec(model="hf:folder")
    job = book.submit(spec, "ada")
    _start(book)
    book.done(job.id, example_result(spec, content="first"))
    assert book.submit(spec, "ada").id == job.id
    for changed in ("second", None):
        now["content"] = changed
        assert not book.is_current(book.job(job.id))
        again = book.submit(spec, "ada")
        assert (again.id != job.id, again.status) == (True, "queued")


def test_a_job_that_has_not_begun_is_put_back_at_its_place_once() -> None:
    book = _book()
    job = book.submit(RunSpec(seed=1), "ada", fresh=False)
    later = book.submit(RunSpec(seed=2), "bob", fresh=False)
    _start(book)
    assert book.put_back(job.id)
    back = book.job(job.id)
    assert (back.status, back.stage, back.position, back.elapsed_s) == ("queued", "waiting", 1, 0.0)
    assert book.job(later.id).position == 2
    assert _start(book).id == job.id
    assert not book.put_back(job.id)


def test_a_job_that_has_begun_or_is_not_wanted_is_not_put_back() -> None:
    book = _book()
    job, other = (book.submit(RunSpec(device=name), "ada", fresh=False) for name in ("cpu", "cuda:0"))
    _start(book)
    _start(book, "second")
    book.progress(job.id, "Loading the model", fraction=0.1, detail="")
    book.cancel(other.id, "ada")
    assert not book.put_back(job.id)
    assert not book.put_back(other.id)


def test_waiting_jobs_say_what_they_wait_for() -> None:
    book = JobBook(5, 2, on_queued=lambda: None)
    job = book.submit(RunSpec(), "ada", fresh=False)
    assert book.job(job.id).stage == "starting"
    book.set_devices((CPU,), queue_of={"cpu": "first"})
    assert book.job(job.id).stage == "waiting"
    book.set_waiting_for("first", "restarting")
    assert book.job(job.id).stage == "restarting"
    book.set_waiting_for("first", "waiting")
    assert book.job(job.id).stage == "waiting"


def test_a_suspended_book_ends_all_jobs_and_takes_no_more_until_there_are_devices() -> None:
    book = _book()
    job = book.submit(RunSpec(seed=1), "ada", fresh=False)
    book.suspend("No worker.")
    assert (book.job(job.id).status, book.job(job.id).error) == ("failed", "Interrupted: No worker.")
    assert book.devices() == (CPU, GPU)
    with pytest.raises(JobError, match=r"^No worker\.$"):
        book.submit(RunSpec(), "ada", fresh=False)
    book.set_devices((CPU,), queue_of={"cpu": "first"})
    assert book.submit(RunSpec(), "ada", fresh=False).status == "queued"


def test_only_the_jobs_of_an_abandoned_queue_end() -> None:
    book = _book()
    kept, lost = (book.submit(RunSpec(device=name), "ada", fresh=False) for name in ("cpu", "cuda:0"))
    book.abandon("second", "It does not come.")
    assert book.job(kept.id).status == "queued"
    assert book.job(lost.id).error == "Interrupted: It does not come."
