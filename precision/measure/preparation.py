"""What analyses begin with: the device, the model, its casts, and the head of the result."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Self

import torch
from torch import nn

from precision.errors import ForwardError, InputError, ReferenceFailedError, UnsupportedError
from precision.formats import AnyFormat, any_format_named, format_named
from precision.measure.casting import methods as casting
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.forward import is_leaf
from precision.measure.casting.input_warnings import input_warnings
from precision.measure.casting.noise import Noise
from precision.measure.casting.own_formats import in_own_formats
from precision.measure.casting.precisions import Precisions
from precision.measure.machine.devices import describe_device, device_named, environment
from precision.measure.models.loading import LoadedModel, argument_names, load
from precision.measure.models.other_weights import give_weights
from precision.measure.regime_inputs import in_regime
from precision.progress import Progress
from precision.results import AnalysisResult, DeviceInfo, Failure, RunResult
from precision.spec import RunSpec
from precision.spec.keep import Kept
from precision.spec.regimes import GIVEN

FIRST_BATCH = "Only the first batch is run here."


@dataclass(frozen=True, kw_only=True)
class Task:
    """What to measure, and where.

    Every analysis of a task raises what `precision.analyses.run` says, besides what its own docstring names: an
    `InputError` where the spec asks for something that this machine or this model does not have, and the
    `JobCancelledError` of the progress.
    """

    spec: RunSpec
    progress: Progress
    device: torch.device
    device_info: DeviceInfo
    given: LoadedModel | None = None
    """A model and its input, instead of those that the spec names."""

    @classmethod
    def of(cls, spec: RunSpec, progress: Progress, *, given: LoadedModel | None = None) -> Self:
        """The task of a spec, on the device that it names.

        Raises:
            UnsupportedError: this machine has no such device.
        """
        device = device_named(spec.device)
        return cls(spec=spec, progress=progress, device=device, device_info=describe_device(device), given=given)

    def load(self) -> LoadedModel:
        """The model and its input, in the spec's regime.

        Raises:
            InputError: the model or its input is not available as asked.
            JobCancelledError: from the progress.
        """
        self.progress.step("Loading the model", 0.0)
        loaded = self.given or load(self.spec)
        if loaded.more and (self.spec.regime != GIVEN or not self.spec.analysis.info.streams):
            loaded = replace(loaded, more=(), warnings=(*loaded.warnings, FIRST_BATCH))
        return in_regime(loaded, self.spec.regime, seed=self.spec.seed)

    def reference(self, loaded: LoadedModel, fmt: str | None = None) -> CastModel:
        """The model in the spec's reference precision, or in another."""
        return casting.reference(loaded.module, format_named(fmt or self.spec.reference), device=self.device)

    def head(self, loaded: LoadedModel, model: CastModel) -> RunResult:
        """What every analysis says before it runs; arithmetic and warnings are those of `model`, a cast of `loaded`."""
        warnings = (*random_warnings(loaded), *loaded.warnings, *model.warnings)
        head = dict(self.start(*warnings))
        return RunResult(**head, model=loaded.description, input=loaded.input, execution=model.execution)

    def start(self, *warnings: str) -> AnalysisResult:
        """What every result says, also of what is no model."""
        return AnalysisResult(
            spec=self.spec,
            device=self.device_info,
            environment=environment(),
            failure=None,
            warnings=warnings,
            elapsed_s=0.0,
            measured_at=datetime.now(UTC).replace(microsecond=0),
        )


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Both models, cast and ready to run."""

    spec: RunSpec
    loaded: LoadedModel
    uncast: nn.Module
    """What the candidate was cast from."""
    reference: CastModel
    candidate: CastModel
    head: RunResult
    """What every analysis says of its run, so far."""
    progress: Progress
    noise: Noise = field(default_factory=Noise)
    """What the reference draws at random in its forward."""


def prepare(task: Task) -> Prepared:
    """Load the model and cast it to the reference's and the candidate's format."""
    spec = task.spec
    require_kernels(spec.candidate_formats, task.device_info)
    loaded = task.load()
    task.progress.step(f"Casting to {spec.candidate}", 0.15)
    reference = task.reference(loaded)
    uncast, said = _uncast(spec, loaded)
    candidate = _candidate(spec, loaded, reference, uncast)
    reference = replace(reference, fused=candidate.fused)
    head = task.head(loaded, candidate)
    warnings = (*said, *head.warnings, *input_warnings(candidate, loaded.args, loaded.kwargs))
    head = head.model_copy(update={"warnings": warnings})
    return Prepared(
        spec=spec,
        loaded=loaded,
        uncast=uncast,
        reference=reference,
        candidate=candidate,
        head=head,
        progress=task.progress,
    )


def _uncast(spec: RunSpec, loaded: LoadedModel) -> tuple[nn.Module, tuple[str, ...]]:
    """What the candidate is cast from, with sentences on its weights."""
    if not spec.candidate_weights:
        return loaded.module, ()
    module = casting.copied(loaded.module)
    said = give_weights(module, spec.candidate_weights)
    return module, (
        "The candidate has other weights than the reference: their difference is part of each error.",
        *said,
    )


def require_kernels(formats: Iterable[AnyFormat], device: DeviceInfo) -> None:
    """Check that `device` computes in `formats`, except those that nothing computes in.

    Raises:
        UnsupportedError: it does not; the message says in what it does.
    """
    missing = [fmt.name for fmt in formats if fmt.computes and fmt.name not in device.native_formats]
    if missing:
        raise UnsupportedError(
            f"{device.name} ({device.id}) has no kernels for {', '.join(missing)}. "
            f"It computes in: {', '.join(device.native_formats)}."
        )


def _candidate(spec: RunSpec, loaded: LoadedModel, reference: CastModel, uncast: nn.Module) -> CastModel:
    if spec.weights:
        return in_own_formats(reference, spec.own_formats)
    fmt = format_named(spec.reference)
    wide = wide_inputs(spec, loaded)
    precisions = Precisions(uncast, reference, fmt, loaded.args, loaded.kwargs, wide)
    if spec.plan:
        return precisions.planned({fqn: any_format_named(name) for fqn, name in spec.plan})
    candidate = casting.cast(uncast, spec.format, method=spec.method, device=reference.device)
    return precisions.kept(candidate, spec.format, spec.method, map(Kept.parse, spec.keep))


def wide_inputs(spec: RunSpec, loaded: LoadedModel) -> frozenset[str | int]:
    """Place or name of each argument that is not to be cast.

    Raises:
        InputError: the model is not called with an argument of that name or place.
    """
    names = list(islice(argument_names(loaded.module), len(loaded.args)))
    keys: dict[str, str | int] = {name: name for name in loaded.kwargs}
    keys |= {key: place for place, name in enumerate(names) for key in (str(place), name)}
    if unknown := [name for name in spec.wide_inputs if name not in keys]:
        known = ", ".join((*names, *loaded.kwargs))
        raise InputError(f"The model is called without an input {unknown[0][:80]!r}. Its inputs: {known}.")
    return frozenset(keys[name] for name in spec.wide_inputs)


def module_progress(
    progress: Progress, model: CastModel, *, stage: str, start: float, end: float
) -> Callable[[str], None]:
    """What to call with each module's fqn, to report a stage that goes from `start` to `end` of the whole."""
    total = sum(1 for module in model.stored.modules() if is_leaf(module)) or 1
    calls = 0

    def on_module(fqn: str) -> None:
        nonlocal calls
        calls += 1
        progress.step(stage, start + (end - start) * min(calls / total, 1.0), fqn)

    return on_module


@contextmanager
def as_reference(fmt: str) -> Iterator[None]:
    """Inside, a forward that raises is that of the reference in `fmt`, and its message says so first.

    Raises:
        ReferenceFailedError: it raised.
    """
    try:
        yield
    except ForwardError as error:
        raise ReferenceFailedError(
            f"The {fmt} reference itself fails, whatever the format. {error}", error.where
        ) from error


def failure_of(error: Exception, stage: str) -> Failure:
    """Why a run stopped in `stage`: a forward that raised, or memory that ran out."""
    if isinstance(error, ForwardError):
        by_reference = isinstance(error, ReferenceFailedError)
        return Failure(stage=stage, where=error.where, message=str(error), of_reference=by_reference)
    message = f"{stage}: out of memory. Choose a smaller batch, a shorter input or a smaller model. ({error})"
    return Failure(stage=stage, where=None, message=message)


def random_warnings(loaded: LoadedModel) -> tuple[str, ...]:
    """The warning about random weights or inputs; none where both are real."""
    is_random = {"weights": loaded.description.weights == "random", "input": not loaded.input.real}
    random = [what for what in is_random if is_random[what]]
    if not random:
        return ()
    return (f"Random {' and '.join(random)}: speed and memory are real, errors are indicative only.",)
