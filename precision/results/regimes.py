"""The same model on its input in several regimes: the errors in each, and where overflow starts."""

from precision.results.base import Result
from precision.results.comparison import ErrorMetrics
from precision.results.run import Failure, RunResult


class SampleClasses(Result):
    """The classes of one sample, from 0."""

    truth: int | None
    """None where the input has no true classes."""
    reference: int | None
    """Of the largest score; None where one is not finite, as in `candidate`."""
    candidate: int | None


class SampleErrors(Result):
    """One sample of a batch, over all floating-point outputs."""

    index: int
    """From 0."""
    normalized_l2: float | None
    """None without a finite pair; infinite where the reference is zero and the candidate is not."""
    nonfinite: int
    """Elements that are infinite or NaN in the candidate and finite in the reference."""
    largest_error: float | None = None
    """Largest absolute error of a finite pair; None without one."""
    classes: SampleClasses | None = None
    """By the first output of class scores with a row for each sample; None where there is none."""
    text: str | None = None
    """The beginning of its text; None where the input is not text."""


class RegimeRow(Result):
    """One regime."""

    regime: str
    errors: ErrorMetrics | None
    """Over all floating-point outputs together; None where a forward raised."""
    samples: int | None
    """None where the outputs have no common first dimension."""
    worst: SampleErrors | None
    """The sample with most new infinities or NaNs; among equals, with the largest normalized L2. Samples in which the
    reference itself is infinite or NaN are left out."""
    first_nonfinite: str | None
    """fqn of the first module that made an infinity or NaN from finite inputs in the candidate only; or `the input
    itself`, where the input does not fit the format."""
    failure: Failure | None = None
    not_attributable: str = ""
    """Why the error may not be the format's; empty where nothing says so."""


class OverflowStart(Result):
    """The factor from which the candidate's values overflow."""

    factor: float | None
    """The smallest tried factor with an infinity or NaN that the reference does not have; None without any."""
    finite_at: float | None
    """The largest tried factor below it without overflow."""
    where: str | None
    """fqn of the module in which it appears at `factor`."""
    reason: str
    """Why none was found; empty where one was."""


class RegimesReport(Result):
    """Every regime that was run, in order."""

    rows: tuple[RegimeRow, ...]
    overflow: OverflowStart | None
    """None before the search."""


class RegimesResult(RunResult):
    """One model and format in every regime."""

    report: RegimesReport
