"""The limits that the rules of the verdict use: data, so that a stored result is judged anew without running."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Yardsticks:
    """The limits that the rules use."""

    rounding_multiple: float = 2.0
    """Errors up to this many rounding floors are called rounding only."""
    broken_below_db: float = 10.0
    """Below this signal-to-noise ratio an output is called broken."""
    tolerated_flips: float = 0.0
    """Share of samples whose first class may be another: decisions changed where the 95 % interval lies above it."""
    resolved_flips: float = 0.05
    """Decisions are called unaffected where the interval of the share of flips ends below this, or below the
    tolerated share if that is larger; else there are too few samples to tell."""
    least_cosine: float = 0.99
    """Of outputs that are no class scores: below this cosine similarity, what is decided by them changed."""
    largest_error: float | None = None
    """Of outputs that are no class scores: an absolute error that their user tolerates; takes the cosine's place."""
