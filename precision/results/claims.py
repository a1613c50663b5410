"""What the articles claim, and what was measured of each claim."""

from __future__ import annotations

from typing import Literal

from precision.results.base import Result
from precision.results.run import RunResult

ClaimWord = Literal["true", "false", "depends", "not testable here"]
Scope = Literal["for this model", "on this device", "for this model, on this device", "with the installed packages"]
"""How far a verdict reaches: a model's, a device's, both together, or that of the installed packages."""


class Evidence(Result):
    """One fact that a verdict rests on."""

    label: str
    text: str
    """As a person reads it."""
    number: float | None = None
    """Unrounded, where the fact is a number."""
    unit: Literal["", "bytes", "s", "dB"] = ""


class MeasuredClaim(Result):
    """One claim, in our words, and its verdict."""

    id: str
    article: str
    question: str
    claim: str
    method: str
    """How it was tried."""
    scope: Scope
    verdict: ClaimWord
    finding: str
    """What was found, in a sentence."""
    evidence: tuple[Evidence, ...]
    snippet: str
    """Python code that shows the evidence by itself, in a fresh process."""


class ClaimsResult(RunResult):
    """The claims measured so far, in the catalogue's order. Says nothing of the spec's own format."""

    claims: tuple[MeasuredClaim, ...]
    of: int
    """How many were asked for."""
