"""What a model costs in time."""

from __future__ import annotations

from precision.results.base import Result


class Timing(Result):
    """Time of one forward pass by `torch.utils.benchmark`, over blocks of equally many runs in a row."""

    median_s: float
    """Of the blocks' times per run."""
    iqr_s: float
    """Interquartile range of the blocks' times per run."""
    blocks: int
    runs: int
    """In all blocks together."""
    threads: int
    warnings: tuple[str, ...]


class Cost(Result):
    """Time of both models, measured in turns in one run."""

    reference_time: Timing
    candidate_time: Timing
