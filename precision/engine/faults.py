"""Why a job ended without its result, in words."""

import signal
from dataclasses import dataclass

SMALLER = "Choose a smaller model, batch or length."


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a worker process ended."""

    exit_code: int | None = None
    """Negative: the signal that killed it. None: it ran elsewhere, and nobody knows."""
    memory_bytes: int | None = None
    """Resident memory at which it was ended for using too much; None if that was not the reason."""
    memory_limit_bytes: int = 0
    """What it might use; 0 for no limit."""


def crash_message(ending: Ending, stage: str) -> str:
    """What to say about a job whose worker is gone."""
    if ending.memory_bytes is not None:
        return (
            f"This run needs more than the memory limit of {_gib(ending.memory_limit_bytes)}: "
            f"stopped at {_gib(ending.memory_bytes)} while {_within(stage)}. "
            f"{SMALLER}"
        )
    if ending.exit_code is None:
        how = "the worker was lost"
    elif ending.exit_code < 0:
        how = f"worker crashed ({_signal(-ending.exit_code)})"
    else:
        how = f"the worker ended (exit code {ending.exit_code})"
    hint = " It may have been killed because the machine ran out of memory." if ending.exit_code == -9 else ""
    return f"{how[0].upper()}{how[1:]} while {_within(stage)}; the next job runs on a fresh worker.{hint}"


def overtime_message(limit_s: float, stage: str) -> str:
    """What to say about a job stopped at its time limit."""
    return f"Stopped at its limit of {limit_s:g} s while {_within(stage)}. Choose a smaller model, batch or length."


def _within(stage: str) -> str:
    return stage[:1].lower() + stage[1:]


def _signal(number: int) -> str:
    try:
        return f"signal {number}, {signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.0f} MiB"
