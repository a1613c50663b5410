"""What a claim is before it is measured. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from precision.results import Scope

LOADING = "Loading Models in Different Data Types"
HALF_OR_TO = "The Difference between model.half() and model.to(dtype=torch.float16)"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One checkable statement of an article, in our words."""

    id: str
    article: str
    question: str
    claim: str
    method: str
    """How it is tried."""
    scope: Scope
