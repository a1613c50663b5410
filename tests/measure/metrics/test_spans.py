"""Spans: what is widened is the value to the last bit, and several threads give what one gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest
import torch
from torch import Tensor

from precision.formats import format_named
from precision.measure.metrics.chunks import PairChunk, pair_chunks
from precision.measure.metrics.octaves import OctaveCounts
from precision.measure.metrics.spans import SPAN_ELEMENTS, Part, Span, spans
from precision.measure.metrics.statistics import ErrorStatistics, domain_of
from precision.results import ErrorMetrics
from precision.results.layers import ErrorOctaves

FLOAT16 = format_named("float16")


@pytest.fixture
def threads() -> Iterator[None]:
    """More than there may be processors, so that spans overtake one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def noise(elements: int, seed: int = 0) -> Tensor:
    return torch.randn(elements, generator=torch.Generator().manual_seed(seed))


@pytest.mark.slow
@pytest.mark.parametrize("reference", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn])
@pytest.mark.parametrize("candidate", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2])
def test_any_two_dtypes_are_read_as_they_are(reference: torch.dtype, candidate: torch.dtype) -> None:
    r, y = noise(2**11).to(reference), noise(2**11, 1).to(candidate)
    for domain in (None, domain_of(FLOAT16)):
        (span,) = spans([Part(7, r, y)], domain=domain, in_threads=False)
        assert torch.equal(span.part.reference.float(), r.float())
        assert torch.equal(span.part.candidate.float(), y.float())
        assert span.max_abs_error == (y.float() - r.float()).abs().max()
        assert (span.measures is None) is (domain is None)


def test_a_pending_sign_is_not_lost() -> None:
    x = torch.randn(2**15, dtype=torch.complex64).conj().imag
    assert x.is_neg()
    chunk = next(pair_chunks(x, x, domain=domain_of(FLOAT16)))
    assert torch.equal(chunk.reference, x.resolve_neg()[: chunk.elements])


class Begun(ThreadPoolExecutor):
    """Threads that remember what they were given to do."""

    def __init__(self) -> None:
        super().__init__(4)
        self.tasks: list[Future[Span]] = []

    def submit(self, task: Callable[..., Span], /, *args: object) -> Future[Span]:  # type: ignore[override]
        self.tasks.append(super().submit(task, *args))
        return self.tasks[-1]


def everything(
    reference: Tensor, candidate: Tensor, *, after: Sequence[Future[Span]] = ()
) -> tuple[ErrorMetrics, ErrorOctaves]:
    """All counts; each chunk is read only once `after` has ended, the spans that were begun."""
    statistics, octaves = ErrorStatistics(FLOAT16, None, shape=tuple(reference.shape)), OctaveCounts()
    for chunk in pair_chunks(reference, candidate, domain=statistics.domain):
        wait(after)
        assert_is_its_own(chunk, reference, candidate)
        statistics.update(chunk)
        octaves.add(chunk)
    return statistics.result(), octaves.result()


def assert_is_its_own(chunk: PairChunk, reference: Tensor, candidate: Tensor) -> None:
    part = slice(chunk.start, chunk.start + chunk.elements)
    if chunk.positions is None:
        assert torch.equal(chunk.reference.float(), reference[part].float())
        assert torch.equal(chunk.candidate.float(), candidate[part].float())


def with_holes(values: Tensor) -> Tensor:
    """NaN or infinite here and there, so that some spans are declined."""
    holes = values.clone()
    holes[2 * SPAN_ELEMENTS + 5] = torch.nan
    holes[4 * SPAN_ELEMENTS : 4 * SPAN_ELEMENTS + 300] = torch.inf
    return holes


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("holes", [False, True])
def test_several_threads_give_what_one_gives_bit_for_bit(holes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = noise(7 * SPAN_ELEMENTS + 3000)
    candidate = (reference + 1e-3 * noise(reference.numel(), 1)).half()
    if holes:
        candidate = with_holes(candidate)
    with Begun() as begun:
        monkeypatch.setattr("precision.measure.metrics.spans._pool", lambda threads: begun)
        together = everything(reference, candidate, after=begun.tasks)
    assert len(begun.tasks) == 8  # the last is a short one
    torch.set_num_threads(1)
    assert everything(reference, candidate) == together


@pytest.mark.usefixtures("threads")
def test_spans_come_in_order_and_none_is_lost() -> None:
    starts = [chunk.start for chunk in pair_chunks(noise(9 * SPAN_ELEMENTS), noise(9 * SPAN_ELEMENTS).half(),
                                                   domain=domain_of(FLOAT16))]  # fmt: skip
    assert starts == [k * SPAN_ELEMENTS for k in range(9)]


@pytest.mark.usefixtures("threads")
def test_a_reader_that_stops_early_leaves_nothing_waiting() -> None:
    chunks = pair_chunks(noise(9 * SPAN_ELEMENTS), noise(9 * SPAN_ELEMENTS).half(), domain=domain_of(FLOAT16))
    assert next(chunks).start == 0
    assert everything(noise(3 * SPAN_ELEMENTS), noise(3 * SPAN_ELEMENTS))[0].exact_share == 1
