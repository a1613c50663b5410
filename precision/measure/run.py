"""Every analysis from start to end: where it runs, the function that measures it, and how long it took."""

import time
from pkgutil import resolve_name
from typing import Any

from precision.measure.models.content import content_key
from precision.measure.models.loading import LoadedModel
from precision.measure.preparation import Task
from precision.progress import Progress
from precision.results import AnalysisResult
from precision.spec import RunSpec


def run(spec: RunSpec, progress: Progress, *, loaded: LoadedModel | None = None, **also: Any) -> AnalysisResult:
    """See `precision.analyses.run`."""
    timed = _Timed(progress, None if loaded else spec.model)
    task = Task.of(spec.measured, timed, given=loaded)
    return timed.stamped(resolve_name(spec.analysis.info.function)(task, **also))


class _Timed:
    """Progress that stamps every result with the time since the start, and with what the model's files held then."""

    def __init__(self, progress: Progress, model: str | None) -> None:
        self._progress = progress
        self._model = model
        self._content = self._content_now()
        self._started = time.monotonic()

    def step(self, stage: str, fraction: float, detail: str = "") -> None:
        """Hand it on."""
        self._progress.step(stage, fraction, detail)

    def partial(self, result: AnalysisResult) -> None:
        """Hand it on, stamped."""
        self._progress.partial(self.stamped(result))

    def stamped(self, result: AnalysisResult) -> AnalysisResult:
        """The result with the seconds since the start, and with the content; where it had to come first, as it came."""
        self._content = self._content or self._content_now()
        return result.model_copy(update={"elapsed_s": time.monotonic() - self._started, "content": self._content})

    def _content_now(self) -> str | None:
        return content_key(self._model) if self._model else None
