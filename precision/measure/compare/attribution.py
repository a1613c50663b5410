"""Whether a difference is the format's, asked by analyses that do not compare outputs themselves."""

import time

import torch

from precision.errors import ForwardError
from precision.findings.verdict import judge
from precision.measure.compare.compare import compared_sides
from precision.measure.compare.float64_truth import with_float64_truth
from precision.measure.models.padding import data_output
from precision.measure.preparation import Prepared
from precision.results import CompareResult


def not_attributable(run: Prepared) -> str:
    """Why the difference of the first batch's outputs is not the format's, as a comparison would say it.

    Empty where it is, or where that is not known. The reference runs twice more, the candidate once, and the reference
    in float64 where a comparison runs it so.
    """
    args, kwargs = run.loaded.args, dict(run.loaded.kwargs)
    try:
        with run.noise.recorded():
            began = time.process_time()
            first = run.reference(args, kwargs)
            took = time.process_time() - began
        with run.noise.replayed():
            second = run.reference(args, kwargs)
        with run.noise.replayed():
            output = run.candidate(args, kwargs)
        sides = [data_output(each, run.loaded) for each in (first, output, second)]
        comparison = compared_sides(run, sides, run.loaded.labels)
        comparison = with_float64_truth(comparison, run, (first, output), reference_s=took, start=1.0, end=1.0)
    except (ForwardError, MemoryError, torch.OutOfMemoryError):
        return ""
    verdict = judge(CompareResult(**dict(run.head), audit=None, comparison=comparison, cost=None))
    return verdict.sentence if verdict.word == "not attributable" else ""
