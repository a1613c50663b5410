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


class Statement(Result):
    """What one article says, in our words."""

    article: str
    """Its title."""
    text: str


class ClaimText(Result):
    """One question that can be tried on a model, and what the articles say to it."""

    id: str
    question: str
    statements: tuple[Statement, ...]
    method: str
    """How it is tried."""
    scope: Scope

    @property
    def article(self) -> str:
        """The article that says it first: the claim is listed there."""
        return self.statements[0].article

    @property
    def claimed(self) -> tuple[str, ...]:
        """Each article's statements as one line; that of another article than the first names it."""
        titles = dict.fromkeys(said.article for said in self.statements)
        lines = {title: " ".join(said.text for said in self.statements if said.article == title) for title in titles}
        return tuple(
            f"Claimed: {text}" if title == self.article else f"Claimed in “{title}”: {text}"
            for title, text in lines.items()
        )


class MeasuredClaim(ClaimText):
    """One claim and its verdict."""

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
