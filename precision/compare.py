"""One comparison from start to end: load, cast, audit, run both, compare, time."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import torch

from precision.casting import methods as casting
from precision.casting.audit import audit
from precision.casting.input_warnings import input_warnings
from precision.casting.methods import CastModel
from precision.cost import time_side_by_side
from precision.devices import describe_device, device_named
from precision.errors import ForwardError, UnsupportedError
from precision.formats import format_named
from precision.metrics.comparison import compare_outputs
from precision.models.loading import LoadedModel, load
from precision.progress import Progress, Silent
from precision.results import CompareResult, Comparison, Cost, Environment, Failure
from precision.spec import RunSpec

_SILENT = Silent()


def compare(spec: RunSpec, progress: Progress = _SILENT) -> CompareResult:
    """Run a model in the reference's precision and in the candidate's, and measure what differs.

    A forward that raises does not lose what was measured before it: the result then has a `failure`
    and None for the parts after it.

    Args:
        spec: what to run.
        progress: told of each stage; may raise `JobCancelledError` to stop.

    Raises:
        InputError: the spec asks for something that this machine or this model does not have.
        JobCancelledError: from `progress`.
    """
    started = time.monotonic()
    run, result = _prepare(spec, progress)
    result = _measure(run, result)
    return result.model_copy(update={"elapsed_s": time.monotonic() - started})


def audit_cast(spec: RunSpec, progress: Progress = _SILENT) -> CompareResult:
    """Load and cast as `compare` does, and stop there: the audit is measured, comparison and cost are None.

    Raises:
        InputError: as `compare`.
        JobCancelledError: from `progress`.
    """
    return _prepare(spec, progress)[1]


def _prepare(spec: RunSpec, progress: Progress) -> tuple[_Run, CompareResult]:
    """Both models, cast and audited, and the result as far as it is known before they run."""
    started = time.monotonic()
    progress.step("Loading the model", 0.0)
    device = device_named(spec.device)
    device_info = describe_device(device)
    if spec.format.computes and spec.dtype not in device_info.native_formats:
        raise UnsupportedError(
            f"{device_info.name} ({spec.device}) has no kernels for {spec.dtype}. "
            f"It computes in: {', '.join(device_info.native_formats)}."
        )
    loaded = load(spec)
    progress.step(f"Casting to {spec.dtype}", 0.15)
    reference = casting.reference(loaded.module, format_named(spec.reference), device=device)
    candidate = casting.cast(loaded.module, spec.format, method=spec.method, device=device)
    progress.step("Auditing the cast", 0.2)
    result = CompareResult(
        spec=spec,
        model=loaded.description,
        input=loaded.input,
        device=device_info,
        environment=_environment(),
        execution=candidate.execution,
        audit=audit(loaded.module, candidate.stored, fmt=spec.format, method=spec.method),
        comparison=None,
        cost=None,
        failure=None,
        warnings=(
            *_random(loaded),
            *loaded.warnings,
            *candidate.warnings,
            *input_warnings(candidate, loaded.args, loaded.kwargs),
        ),
        elapsed_s=time.monotonic() - started,
    )
    progress.partial(result)
    return _Run(spec=spec, loaded=loaded, reference=reference, candidate=candidate, progress=progress), result


@dataclass(frozen=True, kw_only=True)
class _Run:
    spec: RunSpec
    loaded: LoadedModel
    reference: CastModel
    candidate: CastModel
    progress: Progress


def _measure(run: _Run, result: CompareResult) -> CompareResult:
    """The result with comparison and cost, or with the failure that stopped them."""
    reference, candidate = f"{run.spec.reference} reference", f"{run.spec.dtype} candidate"
    stage = ""
    try:
        stage = f"Running the {reference}"
        first, reference_s = _forward(run, run.reference, stage, 0.25, 0.4)
        stage = f"Running the {reference} again"
        second, reference_s = _forward(run, run.reference, stage, 0.4, 0.5)
        stage = f"Running the {candidate}"
        output, candidate_s = _forward(run, run.candidate, stage, 0.5, 0.65)
        stage = "Comparing the outputs"
        run.progress.step(stage, 0.65)
        comparison = compare_outputs(reference=first, candidate=output, repeat=second, fmt=run.spec.format)
        del first, second, output
        result = result.model_copy(
            update={
                "comparison": comparison,
                "warnings": (*_caveats(comparison, run.spec.dtype), *result.warnings),
            }
        )
        run.progress.partial(result)
        stage = "Timing both"
        return result.model_copy(update={"cost": _cost(run, stage, (reference_s, candidate_s))})
    except (ForwardError, MemoryError, torch.OutOfMemoryError) as error:
        return result.model_copy(update={"failure": _failure(error, stage)})


def _forward(run: _Run, model: CastModel, stage: str, start: float, end: float) -> tuple[object, float]:
    """Output and seconds of one pass, reporting progress at every module call."""
    run.progress.step(stage, start)
    total = sum(1 for module in model.stored.modules() if not any(True for _ in module.children())) or 1
    calls = 0

    def on_module(name: str) -> None:
        nonlocal calls
        calls += 1
        run.progress.step(stage, start + (end - start) * min(calls / total, 1.0), name)

    began = time.monotonic()
    output = model(run.loaded.args, run.loaded.kwargs, on_module=on_module)
    return output, time.monotonic() - began


def _cost(run: _Run, stage: str, estimates_s: tuple[float, float]) -> Cost:
    runs: list[Callable[[], object]] = [
        model.prepared(run.loaded.args, run.loaded.kwargs) for model in (run.reference, run.candidate)
    ]

    def on_round(done: float) -> None:
        run.progress.step(stage, 0.75 + 0.25 * done)

    reference, candidate = time_side_by_side(runs, estimates_s=estimates_s, on_round=on_round)
    return Cost(reference_time=reference, candidate_time=candidate)


def _failure(error: Exception, stage: str) -> Failure:
    if isinstance(error, ForwardError):
        return Failure(stage=stage, where=error.where, message=str(error))
    message = f"{stage}: out of memory. Choose a smaller batch, a shorter input or a smaller model. ({error})"
    return Failure(stage=stage, where=None, message=message)


def _random(loaded: LoadedModel) -> tuple[str, ...]:
    random = [
        what
        for what, is_random in (
            ("weights", loaded.description.weights == "random"),
            ("input", not loaded.input.real),
        )
        if is_random
    ]
    if not random:
        return ()
    return (f"Random {' and '.join(random)}: speed and memory are real, errors are indicative only.",)


def _caveats(comparison: Comparison, dtype: str) -> tuple[str, ...]:
    """What the outputs themselves say against reading too much into their errors."""
    caveats = []
    overall, repeat = comparison.overall, comparison.repeat_floor
    if overall.ref_nonfinite:
        caveats.append(
            f"{overall.ref_nonfinite:,} of {overall.elements:,} outputs of the reference are infinite or NaN: "
            "they are counted apart and enter no mean."
        )
    if repeat.exact_share is not None and repeat.exact_share < 1:
        size = f" (RMSE {repeat.rmse:.2e})" if repeat.rmse else ""
        caveats.append(
            f"Two runs of the reference differ{size}: the model is not deterministic here, and an error of that size "
            f"cannot be attributed to {dtype}."
        )
    return tuple(caveats)


def _environment() -> Environment:
    return Environment(
        torch=torch.__version__,
        transformers=version("transformers"),
        python=platform.python_version(),
        platform=platform.platform(),
        threads=torch.get_num_threads(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
    )
