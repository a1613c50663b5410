"""Two runs that take turns: each in a thread of its own, only one computing at a time, and never a wait without end."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

_POLL_S = 1.0
"""How often a wait looks whether it still makes sense."""
_LEAVE_S = 2.0
"""How long a released thread is waited for."""


class ReleasedError(BaseException):
    """Ends a side from within the model. A `BaseException`, so that models which catch errors let it pass."""


class QuestionFailedError(Exception):
    """What a side was asked raised; `__cause__` is what."""


class RendezvousTimeoutError(Exception):
    """A side did not reach the next meeting in time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ended:
    """A side's last message: what its run returned, or what it raised."""

    output: object = None
    error: Exception | None = None


class _Answer(Ended):
    """To a question."""


class RandomState:
    """The state of the random generators that a run on `device` draws from; they belong to the whole process."""

    def __init__(self, device: torch.device) -> None:
        self._device = device if device.type in {"cuda", "xpu"} else None

    def saved(self) -> tuple[Tensor, ...]:
        """The state now."""
        host = torch.default_generator.get_state()
        if self._device is None:
            return (host,)
        return host, torch.get_device_module(self._device).get_rng_state(self._device)

    def restore(self, state: tuple[Tensor, ...]) -> None:
        """Go on from `state`."""
        torch.default_generator.set_state(state[0])
        if self._device is not None:
            torch.get_device_module(self._device).set_rng_state(state[1], self._device)


class Side:
    """One of the runs. `resume`, `wait`, `ask` and `release` are for the thread that directs both; `meet` is called
    from within the run. Random numbers go on, after each turn of the other, as if there were no other; the run begins
    with the state that they have when this is made.
    """

    def __init__(self, name: str, run: Callable[[], object], *, random: RandomState) -> None:
        self._run = run
        self._random = random
        self._random_state = random.saved()
        self._threads = torch.get_num_threads()
        self._to_side: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._to_director: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._released = threading.Event()
        self._director = threading.current_thread()
        # A daemon, so that a kernel that never returns does not keep the process alive.
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    @property
    def is_current(self) -> bool:
        """Whether the calling thread is this side's."""
        return threading.current_thread() is self._thread

    def start(self) -> None:
        """Start the thread; the run begins with the first `resume`."""
        self._thread.start()

    def resume(self) -> None:
        """Let the run go on to its next meeting."""
        self._random.restore(self._random_state)
        self._to_side.put(None)

    def wait(self, timeout_s: float, *, meanwhile: Callable[[], None]) -> object:
        """What the run brings to its next meeting, or `Ended`.

        `meanwhile` is called about once a second; what it raises ends the wait.

        Raises:
            RendezvousTimeoutError: it took longer.
        """
        until = time.monotonic() + timeout_s
        while True:
            try:
                brought = self._to_director.get(timeout=max(0.0, min(_POLL_S, until - time.monotonic())))
            except queue.Empty:
                if time.monotonic() >= until:
                    raise RendezvousTimeoutError from None
                meanwhile()
                continue
            self._random_state = self._random.saved()
            return brought

    def ask(self, question: Callable[[], T], timeout_s: float, *, meanwhile: Callable[[], None]) -> T:
        """Have the run's thread evaluate something while it waits in a meeting.

        Raises:
            QuestionFailedError: `question` raised.
            RendezvousTimeoutError: it took longer than `timeout_s`.
        """
        kept = self._random_state
        self._to_side.put(question)
        answer = self.wait(timeout_s, meanwhile=meanwhile)
        self._random_state = kept
        if not isinstance(answer, _Answer):
            raise TypeError(f"A side answered with {type(answer).__name__}: it was not in a meeting.")
        if answer.error is not None:
            raise QuestionFailedError from answer.error
        return answer.output  # type: ignore[return-value]

    def release(self) -> None:
        """End the run: now if it waits, else at its next meeting."""
        self._released.set()
        self._to_side.put(None)

    def leave(self) -> bool:
        """Wait a moment for the released thread to end; whether it did."""
        self._thread.join(_LEAVE_S)
        return not self._thread.is_alive()

    def meet(self, brings: object) -> None:
        """Hand over to the director, until it resumes this side.

        Raises:
            ReleasedError: the run is to end.
        """
        self.require_wanted()
        self._to_director.put(brings)
        del brings
        self._serve()

    def require_wanted(self) -> None:
        """Check that the run is still wanted.

        Raises:
            ReleasedError: it is not.
        """
        if self._released.is_set():
            raise ReleasedError

    def _serve(self) -> None:
        while True:
            try:
                question = self._to_side.get(timeout=_POLL_S)
            except queue.Empty:
                if not self._director.is_alive():
                    raise ReleasedError from None
                continue
            self.require_wanted()
            if question is None:
                return
            self._to_director.put(_answered(question))
            del question

    def _main(self) -> None:
        try:
            self._serve()
            # The number is each thread's own, and a new thread would take the process's latest.
            torch.set_num_threads(self._threads)
            ended = Ended(output=self._run())
        except ReleasedError:
            return
        except Exception as error:  # noqa: BLE001 - whatever a model raises, the director explains it
            ended = Ended(error=error)
        self._to_director.put(ended)


def _answered(question: Callable[[], object]) -> _Answer:
    try:
        return _Answer(output=question())
    except Exception as error:  # noqa: BLE001 - raised again in the director's thread
        return _Answer(error=error)
