"""What a run costs in time and in memory."""

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
    crowded: bool = False
    """Whether other processes left fewer free cores than the number of threads."""
    warnings: tuple[str, ...]


class Cost(Result):
    """Time of both models, measured in turns in one run."""

    reference_time: Timing
    candidate_time: Timing


class RunMemory(Result):
    """Working memory of a pass: its largest memory beyond that at the start (activations, workspaces).

    None where the system does not report it.
    """

    reference_bytes: int | None
    candidate_bytes: int | None
    how: str
    """What was measured, in a sentence."""
