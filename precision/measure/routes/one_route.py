"""One route: what it does to the stored tensors, to training, and to the output."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from precision.errors import ForwardError, UnsupportedError
from precision.formats import AnyFormat
from precision.measure.casting import methods as casting
from precision.measure.casting.audit import audit
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.forward import error_text
from precision.measure.casting.wrapped_tensors import same_bits, stored_dtype
from precision.measure.metrics.comparison import overall_errors
from precision.measure.metrics.outputs import Flattened, flatten, paired
from precision.measure.models.loading import LoadedModel
from precision.measure.preparation import failure_of, require_kernels
from precision.measure.routes import facts as read
from precision.measure.routes.training import cast_in_training
from precision.measure.sensitivity.layers import floating_tensors
from precision.results import DeviceInfo, Failure
from precision.results.routes import HalfAfterwards, RouteFacts
from precision.spec.cast_methods import TORCHAO_FORMATS, CastMethod, is_call


@dataclass(frozen=True, kw_only=True)
class Run:
    """What all routes start from."""

    loaded: LoadedModel
    device: torch.device
    device_info: DeviceInfo
    reference: Flattened


@dataclass(frozen=True, kw_only=True, eq=False)
class Cast:
    """What a route gave."""

    method: CastMethod
    stored: nn.Module
    output: Flattened


def follow(run: Run, fmt: AnyFormat, *, method: CastMethod, baseline: Cast | None) -> tuple[RouteFacts, Cast | None]:
    """The facts of one route, whose cast is run; those until then if it fails. And what it gave, where it ran.

    `baseline` is what another route gave, to compare with bit for bit.
    """
    stage = f"Casting by {method.label}"
    found = RouteFacts(method=method, format=fmt.name, label=None, explanation="")
    try:
        require_kernels([fmt], run.device_info)
        model = casting.cast(run.loaded.module, fmt, method=method, device=run.device)
        found = _stored_facts(run, model, fmt, found)
        if is_call(method, fmt):
            same, training = cast_in_training(run.loaded.module, fmt, method=method, device=run.device)
            found = found.model_copy(update={"same_object": same, "training": training})
        if baseline is not None:
            found = found.model_copy(update={"same_state_as_baseline": read.same_state(model.stored, baseline.stored)})
        stage = f"Running after {method.label}"
        output = flatten(model(run.loaded.args, run.loaded.kwargs))
        found = found.model_copy(
            update={
                **_float32_input(run, model),
                "output_dtypes": tuple(dict.fromkeys(leaf.dtype for leaf in output.leaves)),
                "same_output_as_baseline": _same_output(output, baseline.output) if baseline else None,
                "errors": overall_errors(paired(run.reference, output).pairs, fmt),
            }
        )
    except UnsupportedError as error:
        label = found.label or "unsupported"
        failure = Failure(stage=stage, where=None, message=str(error))
        return found.model_copy(update={"label": label, "failure": failure}), None
    except (ForwardError, MemoryError, torch.OutOfMemoryError) as error:
        return found.model_copy(update={"failure": failure_of(error, stage)}), None
    return found, Cast(method=method, stored=model.stored, output=output)


def _stored_facts(run: Run, model: CastModel, fmt: AnyFormat, found: RouteFacts) -> RouteFacts:
    audited = audit(run.loaded.module, model.stored, fmt=fmt, method=found.method)
    afterwards, halved = None, None
    called = is_call(found.method, fmt)
    if called:  # nobody calls .half() on a simulation
        afterwards, halved = _half_afterwards(run, model, runs=found.method in TORCHAO_FORMATS)
    said = read.said_dtype(model.stored) if called else None
    return found.model_copy(
        update={
            "label": model.execution.label,
            "explanation": model.execution.explanation,
            "dtypes": read.dtype_changes(audited),
            "ties": read.tie_facts(audited, run.loaded.module, model.stored),
            "islands": read.island_facts(model.stored, audited, halved),
            "imaginary_parts_lost": read.imaginary_parts_lost(audited),
            "max_relative_error": read.max_relative_error(audited),
            "bytes_before": audited.bytes_before,
            "bytes_after": audited.bytes_after,
            "estimated_bytes_after": audited.estimated_bytes_after,
            "warnings": model.warnings,
            "said_dtype": said[0] if said else None,
            "said_dtype_share": said[1] if said else None,
            "half_afterwards": afterwards,
        }
    )


def _half_afterwards(run: Run, model: CastModel, *, runs: bool) -> tuple[HalfAfterwards, nn.Module | None]:
    """What `.half()` does to the cast model, and that model; a forward only where `runs`."""
    try:
        halved = casting.copied(model.stored).half()
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        return HalfAfterwards(raised=error_text(error), unchanged=0, forward_failure=None), None
    unchanged = sum(
        parameter.is_floating_point() and stored_dtype(parameter) != torch.float16 for parameter in halved.parameters()
    )
    again = replace(model, stored=halved, input_dtype=torch.float16, widened=False, autocast_dtype=None)
    failure = _failure_of_run(again, run.loaded) if runs else None
    return HalfAfterwards(raised=None, unchanged=unchanged, forward_failure=failure), halved


def _float32_input(run: Run, model: CastModel) -> Mapping[str, str | None]:
    """Whether the model takes an input that nobody casts; not asked of one whose arithmetic is simulated."""
    if model.rounded_to is not None or model.widened:
        return {}
    if not floating_tensors((run.loaded.args, dict(run.loaded.kwargs))):
        return {"float32_input": "none taken"}
    failure = _failure_of_run(replace(model, input_dtype=torch.float32), run.loaded)
    return {"float32_input": "raises" if failure else "accepted", "float32_input_failure": failure}


def _same_output(one: Flattened, other: Flattened) -> bool:
    return len(one.leaves) == len(other.leaves) and all(
        first.dtype == second.dtype and same_bits(first.tensor, second.tensor)
        for first, second in zip(one.leaves, other.leaves, strict=True)
    )


def _failure_of_run(model: CastModel, loaded: LoadedModel) -> str | None:
    """What a run raised; None where it went through."""
    try:
        model(loaded.args, loaded.kwargs)
    except ForwardError as error:
        return str(error)
    return None
