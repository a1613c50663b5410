"""What the articles claim, and what was measured of each claim."""

from typing import Literal

from precision.results.base import Result
from precision.results.run import RunResult

ClaimWord = Literal["true", "false", "depends", "not testable here"]
Scope = Literal["for this model", "on this device", "for this model, on this device", "with the installed packages"]
"""What a verdict holds for: a model, a device, both together, or the installed packages."""


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
    """One question that can be tried on a model, and what the articles say about it."""

    id: str
    question: str
    statements: tuple[Statement, ...]
    method: str
    """How it is tried."""
    scope: Scope

    @property
    def article(self) -> str:
        """The article that says it first; the claim is listed under it."""
        return self.statements[0].article

    @property
    def claimed(self) -> tuple[str, ...]:
        """Each article's statements as one line; lines from other articles than the first name theirs."""
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
    """The claims measured so far, in the catalogue's order. They do not depend on the spec's format."""

    claims: tuple[MeasuredClaim, ...]
    of: int
    """How many were asked for."""
