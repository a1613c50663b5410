"""One model in many formats: a row of the most important numbers for each run."""

from precision.results.base import Result
from precision.results.comparison import Verdict
from precision.results.run import ExecutionLabel
from precision.spec import CastMethod, RunSpec


class SweepRow(Result):
    """One format by one method on one device; None where it was not measured (see `reason`)."""

    spec: RunSpec
    execution: ExecutionLabel | None = None
    verdict: Verdict
    sqnr_db: float | None = None
    mean_abs_error: float | None = None
    max_abs_error: float | None = None
    stored_bytes: int | None = None
    """Of the candidate; estimated where the format cannot be stored."""
    bytes_are_estimated: bool = False
    reference_bytes: int | None = None
    working_bytes: int | None = None
    """Measured: the largest memory of a pass beyond what is stored."""
    time_s: float | None = None
    """Median of a pass; of the simulation, where arithmetic is simulated."""
    time_iqr_s: float | None = None
    """Interquartile range of the blocks behind `time_s`."""
    reference_time_s: float | None = None
    speed: str = ""
    """In words, such as "2.0 × faster than"."""
    samples_per_s: float | None = None
    """Samples of the input's first dimension over `time_s`."""
    reason: str | None
    """Why the run stopped early; None where it did not."""
    reference_nonfinite: str = ""
    """That the reference's own outputs are infinite or NaN; empty where they are not."""


class SkippedRun(Result):
    """A combination that is not possible, with the reason."""

    dtype: str
    method: CastMethod
    device: str
    reason: str


class SweepResult(Result):
    """A whole sweep."""

    rows: tuple[SweepRow, ...]
    skipped: tuple[SkippedRun, ...]
