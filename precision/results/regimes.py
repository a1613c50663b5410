"""The same model on its input in several regimes: what each does to the errors, and where overflow starts."""

from __future__ import annotations

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
    """What was tokenized, the beginning of it; None where the input is no text."""


class RegimeRow(Result):
    """One regime."""

    regime: str
    errors: ErrorMetrics | None
    """Over all floating-point outputs together; None where a forward raised."""
    samples: int | None
    """None where the outputs have no common first dimension."""
    worst: SampleErrors | None
    """The sample with most new infinities or NaNs; among equals, with the largest normalized L2."""
    first_nonfinite: str | None
    """fqn of the first module of the candidate that made an infinity or NaN of finite inputs, and whose counterpart
    did not; or `the input itself`, where that does not fit the format."""
    failure: Failure | None = None


class OverflowStart(Result):
    """From which factor on the candidate's values leave its range."""

    factor: float | None
    """The smallest that was tried with an infinity or NaN that the reference has not; None where there is none."""
    finite_at: float | None
    """The largest below it that was tried without."""
    where: str | None
    """fqn of the module in which it is born, at `factor`."""
    reason: str
    """Why none was found; empty where one was."""


class RegimesReport(Result):
    """Every regime that was run, in order."""

    rows: tuple[RegimeRow, ...]
    overflow: OverflowStart | None
    """None while it is not searched for."""


class RegimesResult(RunResult):
    """One model and format in every regime."""

    report: RegimesReport
