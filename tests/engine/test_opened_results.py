"""Results that were measured elsewhere, in the book of jobs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import precision as px
from precision.engine.book import FINISHED_KEPT, JobBook
from precision.errors import InputError
from precision.results import AnalysisResult
from precision.spec import RunSpec

MODULE, INPUTS = nn.Linear(4, 3), torch.ones(2, 4)


@pytest.fixture(scope="module")
def compared() -> AnalysisResult:
    return px.compare(MODULE, INPUTS).result


@pytest.fixture
def book(compared: AnalysisResult) -> JobBook:
    made = JobBook(300, 300, on_queued=lambda: None)
    made.open([compared])
    return made


@pytest.mark.parametrize("fresh", [False, True])
def test_they_are_finished_jobs(book: JobBook, compared: AnalysisResult, fresh: bool) -> None:
    if not fresh:
        job = book.submit(compared.spec, "ada")
        assert (job.status, job.result, job.opened) == ("done", compared, True)
        assert book.job(job.id) == book.wait(job.id) == book.stored(compared.spec) == job
        assert book.is_current(job)
        return
    with pytest.raises(InputError, match=r"Where it is: px\.compare\(model, inputs, dtype='float16'\)"):
        book.submit(compared.spec, "ada", fresh=True)


def test_what_the_file_lacks_is_not_queued(book: JobBook, compared: AnalysisResult) -> None:
    with pytest.raises(InputError, match=r"px\.compare\(model, inputs, dtype='float16', seed=7\)"):
        book.submit(compared.spec.model_copy(update={"seed": 7}), "ada")


def test_they_are_never_forgotten(book: JobBook, compared: AnalysisResult) -> None:
    for seed in range(FINISHED_KEPT + 1):
        book.failed(book.submit(RunSpec(seed=seed), "ada").id, "", kind=None)
    assert book.stored(compared.spec) is not None


def test_a_sensitivity_has_the_formats_that_it_has() -> None:
    result = px.sensitivity(MODULE, INPUTS, formats=["bfloat16"]).result
    made = JobBook(1, 1, on_queued=lambda: None)
    made.open([result])
    found = made.stored(result.spec.model_copy(update={"formats": (), "exact": True}))
    assert found is not None
    assert found.result == result


def test_a_file_of_a_known_model_is_shown_however_its_checkpoint_changed(compared: AnalysisResult) -> None:
    spec = compared.spec.model_copy(update={"model": "hf:owner/model"})
    made = JobBook(1, 1, on_queued=lambda: None)
    made.open([compared.model_copy(update={"spec": spec, "content": "old"})])
    assert made.submit(spec, "ada").opened
