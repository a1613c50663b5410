"""The errors of reference and candidate against one more run in float64: often the error is the reference's own."""

from collections.abc import Collection, Sequence

import torch
from torch import nn

from precision.errors import ForwardError, UnsupportedError
from precision.formats import format_named
from precision.measure.casting import methods as casting
from precision.measure.metrics.comparison import overall_errors
from precision.measure.metrics.outputs import Flattened, paired
from precision.measure.models.padding import data_output
from precision.measure.preparation import Prepared, module_progress
from precision.results import Comparison, Float64Truth
from precision.text.units import bytes_text, seconds_text

MAX_REFERENCE_S = 3.0
"""A float64 run takes two to sixty times as long, the latter on graphics cards without units for it."""
MAX_STORED_BYTES = 2**30
"""Of the parameters as they were loaded; in float64 it takes twice as much, beside the two casts."""


def with_float64_truth(
    comparison: Comparison, run: Prepared, sides: Sequence[object], *, reference_s: float, start: float, end: float
) -> Comparison:
    """The comparison with the errors of both `sides`, reference and candidate, against a run in float64; or why not.

    Both all outputs together and each for itself. It is left out where it would cost much: where the reference took
    more than `MAX_REFERENCE_S` of processor time, or the model holds more than `MAX_STORED_BYTES`.

    `start` and `end` are the shares of the whole that are done before and after.
    """
    try:
        exact = _in_float64(run, reference_s=reference_s, start=start, end=end)
    except UnsupportedError as error:
        truth = Float64Truth(reference=None, candidate=None, reason=str(error))
        return comparison.model_copy(update={"truth": truth})
    flat = [data_output(side, run.loaded) for side in sides]

    def errors(paths: Collection[str]) -> Float64Truth:
        pairs = ([pair for pair in paired(exact, side).pairs if pair[0].path in paths] for side in flat)
        reference, candidate = (overall_errors(each, run.spec.format) for each in pairs)
        return Float64Truth(reference=reference, candidate=candidate, reason=None)

    outputs = [
        output.model_copy(update={"truth": errors([output.path])}) if output.distributions else output
        for output in comparison.outputs
    ]
    alone = outputs[0].truth if len(outputs) == 1 else None
    truth = alone or errors([output.path for output in outputs])
    return comparison.model_copy(update={"truth": truth, "outputs": tuple(outputs)})


def _in_float64(run: Prepared, *, reference_s: float, start: float, end: float) -> Flattened:
    """The reference's output in float64.

    Raises:
        UnsupportedError: it is not run, or does not run; says why.
    """
    if run.spec.reference == "float64":
        raise UnsupportedError("The reference is already float64.")
    other_draws = "The model draws random numbers that a run in float64 does not draw alike."
    if not run.noise.is_shared:
        raise UnsupportedError(other_draws)
    what, took = "float64 run", "the reference took"
    if reason := too_costly(run.loaded.module, reference_s, limit_s=MAX_REFERENCE_S, what=what, took=took):
        raise UnsupportedError(reason)
    stage = "Running in float64"
    run.progress.step(stage, start)
    try:
        model = casting.reference(run.loaded.module, format_named("float64"), device=run.candidate.device)
        on_module = module_progress(run.progress, model, stage=stage, start=start, end=end)
        with run.noise.replayed():
            output = model(run.loaded.args, run.loaded.kwargs, on_module=on_module)
        if not run.noise.is_shared:
            raise UnsupportedError(other_draws)
        return data_output(output, run.loaded)
    except ForwardError as error:
        raise UnsupportedError(f"The model does not run in float64: {error}") from error
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise UnsupportedError("Not enough memory for a float64 run.") from error


def too_costly(module: nn.Module, took_s: float, *, limit_s: float, what: str, took: str) -> str:
    """Why something is not done in float64 that took so long otherwise; empty where it is done."""
    if took_s > limit_s:
        return f"No {what}: it would take too long ({took} {seconds_text(took_s)})."
    held = sum(parameter.nbytes for parameter in module.parameters())
    if held > MAX_STORED_BYTES:
        return f"No {what}: it would need too much memory (the model holds {bytes_text(held)})."
    return ""
