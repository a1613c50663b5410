"""The errors of reference and candidate against one more run in float64: often the error is the reference's own."""

import torch
from torch import nn

from precision.errors import ForwardError, UnsupportedError
from precision.formats import format_named
from precision.measure.casting import methods as casting
from precision.measure.metrics.comparison import overall_errors
from precision.measure.metrics.outputs import flatten, paired
from precision.measure.preparation import Prepared, module_progress
from precision.results import ErrorMetrics, Float64Truth
from precision.text.units import bytes_text, seconds_text

MAX_REFERENCE_S = 3.0
"""A float64 run takes two to sixty times as long, the latter on graphics cards without units for it."""
MAX_STORED_BYTES = 2**30
"""Of the parameters as they were loaded; in float64 it takes twice as much, beside the two casts."""


def float64_truth(
    run: Prepared, *, reference: object, candidate: object, reference_s: float, start: float, end: float
) -> Float64Truth:
    """Run the reference in float64 and measure both outputs against it; or say why not.

    It is left out where it would cost much: where the reference took more than `MAX_REFERENCE_S`, or the model holds
    more than `MAX_STORED_BYTES`.

    `start` and `end` are the shares of the whole that are done before and after.
    """
    reason = "The reference is already float64."
    if run.spec.reference != "float64":
        what, took = "float64 run", "the reference took"
        reason = too_costly(run.loaded.module, reference_s, limit_s=MAX_REFERENCE_S, what=what, took=took)
    if reason:
        return Float64Truth(reference=None, candidate=None, reason=reason)
    stage = "Running in float64"
    run.progress.step(stage, start)
    try:
        model = casting.reference(run.loaded.module, format_named("float64"), device=run.candidate.device)
        on_module = module_progress(run.progress, model, stage=stage, start=start, end=end)
        truth = model(run.loaded.args, run.loaded.kwargs, on_module=on_module)
    except (ForwardError, UnsupportedError) as error:
        return Float64Truth(reference=None, candidate=None, reason=f"The model does not run in float64: {error}")
    except (MemoryError, torch.OutOfMemoryError):
        return Float64Truth(reference=None, candidate=None, reason="Not enough memory for a float64 run.")

    def against(output: object) -> ErrorMetrics:
        return overall_errors(paired(flatten(truth), flatten(output)).pairs, run.spec.format)

    return Float64Truth(reference=against(reference), candidate=against(candidate), reason=None)


def too_costly(module: nn.Module, took_s: float, *, limit_s: float, what: str, took: str) -> str:
    """Why something is not done in float64 that took so long otherwise; empty where it is done."""
    if took_s > limit_s:
        return f"No {what}: it would take too long ({took} {seconds_text(took_s)})."
    held = sum(parameter.nbytes for parameter in module.parameters())
    if held > MAX_STORED_BYTES:
        return f"No {what}: it would need too much memory (the model holds {bytes_text(held)})."
    return ""
