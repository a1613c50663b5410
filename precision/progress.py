"""How long work reports where it is, and learns that it should stop."""

from typing import Protocol

from precision.results import AnalysisResult


class Progress(Protocol):
    """Receives the progress of one run; raises `JobCancelledError` from `step` when it should stop."""

    def step(self, stage: str, fraction: float, detail: str = "") -> None:
        """Report `stage` (words for a person) at `fraction` (0 to 1, of the whole run)."""

    def partial(self, result: AnalysisResult) -> None:
        """Hand over what is measured so far, kept and shown should the run end early."""


class Silent:
    """Progress that nobody watches."""

    def step(self, stage: str, fraction: float, detail: str = "") -> None:
        """Do nothing."""

    def partial(self, result: AnalysisResult) -> None:
        """Do nothing."""
