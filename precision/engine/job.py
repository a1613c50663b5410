"""One job: as a page sees it at one moment, and as the engine keeps it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Literal

from precision.results import AnalysisResult
from precision.spec import RunSpec

EngineState = Literal["starting", "ready", "failed", "closed"]
JobStatus = Literal["queued", "running", "done", "failed", "cancelled"]

STARTING = "starting"
"""Stage of a job that was handed to its worker and has not reported a step, or whose worker never was ready."""
_ESTIMATE_FROM_S = 1.0
_ESTIMATE_FROM_FRACTION = 0.05
"""Before this much of a run, the time it has left cannot be told."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One moment of one job."""

    id: str
    spec: RunSpec
    status: JobStatus
    position: int | None
    """Place in the queue, the next to run being 1; None unless queued."""
    stage: str
    """What it is at. A queued one is `waiting` for its turn, or its worker is `starting` or `restarting`."""
    fraction: float
    detail: str
    elapsed_s: float
    """Since it began to run; 0 while queued."""
    remaining_s: float | None
    """Estimated; None where it cannot be told."""
    result: AnalysisResult | None
    partial: AnalysisResult | None
    """What was measured before the end, while there is no result."""
    error: str | None
    error_kind: str | None
    """Name of the `PrecisionError` subclass; None for a bug in the worker."""
    stopping: bool
    """Whether it was cancelled and has yet to stop."""
    opened: bool = False
    """Whether its result was not measured here, but read from a file."""

    @property
    def finished(self) -> bool:
        """Whether nothing of it will change any more."""
        return self.status in ("done", "failed", "cancelled")


@dataclass
class Record:
    """A job as the engine keeps it; changed only by the `JobBook`, under its lock."""

    id: str
    spec: RunSpec
    sessions: set[str]
    """Those that want it."""
    status: JobStatus = "queued"
    stage: str = "waiting"
    fraction: float = 0.0
    fraction_at: float | None = None
    """When `fraction` last grew, by the monotonic clock, as `started` and `ended`."""
    detail: str = ""
    started: float | None = None
    ended: float | None = None
    result: AnalysisResult | None = None
    partial: AnalysisResult | None = None
    error: str | None = None
    error_kind: str | None = None
    stop: Callable[[], object] | None = field(default=None, repr=False)
    """Stops it while it runs."""
    stopping: bool = False
    was_put_back: bool = False
    """Whether it was handed to a worker before, which ended before the first step."""
    opened: bool = False

    @property
    def finished(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.status in ("done", "failed", "cancelled")

    @property
    def elapsed_s(self) -> float:
        """How long it has run, or did."""
        if self.started is None:
            return 0.0
        return (self.ended or time.monotonic()) - self.started

    @property
    def remaining_s(self) -> float | None:
        """Estimated from the time that the run took to its last step forward, and counted down from there.

        None where that tells nothing: at the beginning, and once the estimate has run out.
        """
        if self.status != "running" or self.stopping or self.started is None or self.fraction_at is None:
            return None
        if self.elapsed_s < _ESTIMATE_FROM_S or self.fraction < _ESTIMATE_FROM_FRACTION:
            return None
        since = time.monotonic() - self.fraction_at
        left = (self.fraction_at - self.started) * (1 - self.fraction) / self.fraction - since
        return left if left > 0 else None

    def snapshot(self, position: int | None) -> Job:
        """The job as it is now, at `position` of its queue."""
        now = {each.name: getattr(self, each.name) for each in fields(Job) if each.name != "position"}
        return Job(position=position, **now)
