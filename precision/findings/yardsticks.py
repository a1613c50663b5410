"""The limits that the verdict's rules use. They are data: a stored result can be judged again without a run."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Yardsticks:
    """The limits that the rules use."""

    rounding_multiple: float = 2.0
    """Errors up to this many rounding floors are called rounding only."""
    broken_below_db: float = 10.0
    """Below this signal-to-noise ratio an output is called broken."""
    tolerated_flips: float = 0.0
    """Share of samples that may change class; *decisions changed* where the 95 % interval lies above it."""
    resolved_flips: float = 0.05
    """Decisions are called unaffected where the interval of the share of flips ends below this, or below the
    tolerated share if that is larger; else there are too few samples to tell."""
    least_cosine: float = 0.99
    """For outputs without class scores: below this cosine similarity, decisions changed."""
    largest_error: float | None = None
    """For outputs without class scores: the absolute error that a user tolerates; replaces the cosine."""
