"""Whether a difference is the format's, asked by analyses that do not compare outputs themselves."""

import time

import torch

from precision.errors import ForwardError
from precision.findings.verdict import not_the_formats
from precision.measure.compare.compare import compared_sides
from precision.measure.compare.float64_truth import with_float64_truth
from precision.measure.models.padding import data_output
from precision.measure.preparation import Prepared
from precision.results import CompareResult


def not_attributable(run: Prepared) -> str:
    """`not_attributable_to` after one pass of the reference and one of the candidate; empty where one raises."""
    args, kwargs = run.loaded.args, dict(run.loaded.kwargs)
    try:
        with run.noise.recorded():
            began = time.process_time()
            reference = run.reference(args, kwargs)
            took = time.process_time() - began
        with run.noise.replayed():
            candidate = run.candidate(args, kwargs)
    except (ForwardError, MemoryError, torch.OutOfMemoryError):
        return ""
    return not_attributable_to(run, reference, candidate, reference_s=took)


def not_attributable_to(run: Prepared, reference: object, candidate: object, *, reference_s: float) -> str:
    """Why the difference of the first batch's outputs is not the format's, as a comparison would say it.

    Empty where it is, or where that is not known. The reference runs once more, and in float64 where a comparison runs
    it so.

    Args:
        run: what ran; its noise is that of the reference.
        reference: its output.
        candidate: the other's, with the same noise.
        reference_s: processor time that the reference took.
    """
    try:
        with run.noise.replayed():
            again = run.reference(run.loaded.args, dict(run.loaded.kwargs))
        sides = [data_output(each, run.loaded) for each in (reference, candidate, again)]
        comparison = compared_sides(run, sides, run.loaded.labels)
        outputs = (reference, candidate)
        comparison = with_float64_truth(comparison, run, outputs, reference_s=reference_s, start=1.0, end=1.0)
    except (ForwardError, MemoryError, torch.OutOfMemoryError):
        return ""
    return not_the_formats(CompareResult(**dict(run.head), audit=None, comparison=comparison, cost=None))
