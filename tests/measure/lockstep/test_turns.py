"""Two threads that take turns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch

from precision.measure.lockstep.turns import (
    Ended,
    QuestionFailedError,
    RandomState,
    ReleasedError,
    RendezvousTimeoutError,
    Side,
)

RANDOM = RandomState(torch.device("cpu"))


def nothing() -> None:
    """Meanwhile, do nothing."""


@contextmanager
def running(*sides: Side) -> Iterator[None]:
    for side in sides:
        side.start()
    try:
        yield
    finally:
        for side in sides:
            side.release()
        assert all(side.leave() for side in sides)


def side_of(run: Callable[[], object]) -> Side:
    return Side("test", run, random=RANDOM)


def test_each_turn_goes_to_the_next_meeting() -> None:
    done: list[str] = []

    def run(name: str, side: Callable[[], Side]) -> Callable[[], object]:
        def body() -> object:
            for step in range(3):
                done.append(f"{name}{step}")
                side().meet(step)
            return name

        return body

    one = side_of(run("a", lambda: one))
    other = side_of(run("b", lambda: other))
    with running(one, other):
        for step in range(3):
            for side in (one, other):
                side.resume()
                assert side.wait(5, meanwhile=nothing) == step
        for side, name in ((one, "a"), (other, "b")):
            side.resume()
            ended = side.wait(5, meanwhile=nothing)
            assert isinstance(ended, Ended)
            assert ended.output == name
    assert done == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_random_numbers_are_those_of_a_run_alone() -> None:
    def draws(side: Callable[[], Side]) -> Callable[[], object]:
        def body() -> object:
            drawn = []
            for _ in range(3):
                drawn.append(torch.rand(2))
                side().meet(None)
            return torch.stack(drawn)

        return body

    torch.manual_seed(3)
    expected = torch.stack([torch.rand(2) for _ in range(3)])
    torch.manual_seed(3)
    one, other = side_of(draws(lambda: one)), side_of(draws(lambda: other))
    results = []
    with running(one, other):
        for _ in range(4):
            for side in (one, other):
                side.resume()
                results.append(side.wait(5, meanwhile=nothing))
    outputs = [brought.output for brought in results if isinstance(brought, Ended)]
    assert len(outputs) == 2
    assert all(isinstance(output, torch.Tensor) and torch.equal(output, expected) for output in outputs)


def test_questions_are_answered_in_the_sides_thread() -> None:
    side = side_of(lambda: side.meet("here"))
    with running(side):
        side.resume()
        side.wait(5, meanwhile=nothing)
        assert side.ask(threading.get_ident, 5, meanwhile=nothing) != threading.get_ident()
        with pytest.raises(QuestionFailedError) as failed:
            side.ask(lambda: 1 / 0, 5, meanwhile=nothing)
        assert isinstance(failed.value.__cause__, ZeroDivisionError)
        side.resume()
        assert isinstance(side.wait(5, meanwhile=nothing), Ended)


def test_what_the_run_raises_is_its_last_message() -> None:
    def fails() -> None:
        raise ValueError("broken")

    side = side_of(fails)
    with running(side):
        side.resume()
        ended = side.wait(5, meanwhile=nothing)
    assert isinstance(ended, Ended)
    assert str(ended.error) == "broken"


def test_a_wait_ends_in_time_and_is_interrupted_by_what_meanwhile_raises() -> None:
    block = threading.Event()
    side = side_of(lambda: block.wait(20))

    def cancel() -> None:
        raise KeyError("enough")

    side.start()
    side.resume()
    with pytest.raises(RendezvousTimeoutError):
        side.wait(0.05, meanwhile=nothing)
    with pytest.raises(KeyError, match="enough"):
        side.wait(5, meanwhile=cancel)
    side.release()
    block.set()
    assert side.leave()


def test_a_released_side_ends_although_the_model_catches_errors() -> None:
    reached: list[str] = []

    def stubborn() -> None:
        try:
            side.meet("first")
            reached.append("after")
        except Exception:  # noqa: BLE001 - as models do
            reached.append("caught")

    side = side_of(stubborn)
    with running(side):
        side.resume()
        side.wait(5, meanwhile=nothing)
    assert reached == []


def test_an_answer_that_is_none_is_an_error() -> None:
    side = side_of(lambda: 1)
    with running(side):
        side.resume()
        side.wait(5, meanwhile=nothing)
        side._to_director.put("no answer")
        with pytest.raises(TypeError, match="answered with str"):
            side.ask(lambda: None, 5, meanwhile=nothing)


def test_a_released_side_meets_no_more() -> None:
    side = side_of(lambda: None)
    side.release()
    with pytest.raises(ReleasedError):
        side.meet(None)
