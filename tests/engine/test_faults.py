from __future__ import annotations

import pytest

from precision.engine.faults import Ending, crash_message, overtime_message


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        (
            Ending(exit_code=-9, memory_bytes=2**32, memory_limit_bytes=2**32),
            "This run needs more than the memory limit of 4.0 GiB: stopped at 4.0 GiB while loading the model. "
            "Choose a smaller model, batch or length.",
        ),
        (
            Ending(exit_code=-11),
            "Worker crashed (signal 11, SIGSEGV) while loading the model; the next job runs on a fresh worker.",
        ),
        (
            Ending(exit_code=-9),
            "Worker crashed (signal 9, SIGKILL) while loading the model; the next job runs on a fresh worker. "
            "It may have been killed because the machine ran out of memory.",
        ),
        (
            Ending(exit_code=-250),
            "Worker crashed (signal 250) while loading the model; the next job runs on a fresh worker.",
        ),
        (
            Ending(exit_code=1),
            "The worker ended (exit code 1) while loading the model; the next job runs on a fresh worker.",
        ),
        (
            Ending(),
            "The worker was lost while loading the model; the next job runs on a fresh worker.",
        ),
        (
            Ending(memory_bytes=700 * 2**20, memory_limit_bytes=2**30),
            "This run needs more than the memory limit of 1.0 GiB: stopped at 700 MiB while loading the model. "
            "Choose a smaller model, batch or length.",
        ),
    ],
)
def test_every_ending_says_what_and_where(ending: Ending, message: str) -> None:
    assert crash_message(ending, "Loading the model") == message


def test_overtime_says_the_limit_and_the_stage() -> None:
    assert overtime_message(900.0, "Timing both") == (
        "Stopped at its limit of 900 s while timing both. Choose a smaller model, batch or length."
    )
