"""One sensitivity from start to end: load, run the reference, probe it, and check every format on the whole model."""

import math
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import torch
from torch import Tensor, nn

from precision.errors import ForwardError, UnsupportedError
from precision.findings.decisions_judged import Yardsticks
from precision.formats import AnyFormat, any_format_named, format_named
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.castable import scripted_part
from precision.measure.casting.forward import seeded
from precision.measure.casting.methods import reference as cast_reference
from precision.measure.casting.noise import Noise
from precision.measure.casting.precisions import Precisions
from precision.measure.compare.float64_truth import MAX_REFERENCE_S, too_costly
from precision.measure.metrics.output_kinds import Known
from precision.measure.models.loading import LoadedModel
from precision.measure.models.padding import data_output, padding_text
from precision.measure.nonfinite_modules import reference_warnings, without_masked_classes
from precision.measure.preparation import (
    Task,
    as_reference,
    failure_of,
    module_progress,
    require_kernels,
    wide_inputs,
)
from precision.measure.sensitivity import layers as layering
from precision.measure.sensitivity.adjoint import Adjoint, NotDifferentiableError, adjoint_of
from precision.measure.sensitivity.choices import Choice, Choices, layers_before_other
from precision.measure.sensitivity.exact import finite_elements, mean_square, mean_squared_error, run_squared_error
from precision.measure.sensitivity.layers import Structure, floating_tensors, hooked, layer_modules
from precision.measure.sensitivity.local import LocalError, LocalErrors
from precision.measure.sensitivity.lowered import crossed_layers, lowered_layers
from precision.measure.sensitivity.report import InFormat, Observed, report_of
from precision.measure.sensitivity.trust import RUNS, doubtful
from precision.progress import Progress
from precision.results import DeviceInfo
from precision.results.sensitivity import SensitivityResult
from precision.spec import SENSITIVITY_FORMATS, RunSpec
from precision.text.names import plain
from precision.text.units import number_text

NAN_REFERENCE = "The reference itself is NaN in some outputs, and gradients through these are NaN too."
_UNCERTAIN, _MEASURED = 0.05, 4
"""Layers whose standard error is more than this share of the whole cast's squared error are run alone, but no more."""
_CAST, _RUN, _PROBED = 0.1, 0.15, 0.35
"""Fractions of the whole at which the reference runs, the probes begin, and the formats begin."""


def measure_sensitivity(task: Task) -> SensitivityResult:
    """Measure what every layer adds to the output's error in each of the spec's formats, if it alone is lowered.

    A few backward passes answer for all layers and formats together; models that have no gradient are run once for
    every layer and format instead. A model that raises does not lose what was measured before it: the result then has
    a `failure`.
    """
    formats = _formats(task.spec, task.device_info)
    loaded = task.load()
    task.progress.step(f"Casting to {task.spec.reference}", _CAST)
    reference = replace(task.reference(loaded), fused=False)  # as layers with their own formats run
    result = SensitivityResult(**dict(task.head(loaded, reference)), report=None)
    return _Run(task.progress, loaded, reference, formats, result).measured()


def _has_nan(outputs: tuple[Tensor, ...]) -> bool:
    return any(bool(output.isnan().any()) for output in outputs)


def _formats(spec: RunSpec, device: DeviceInfo) -> tuple[AnyFormat, ...]:
    """The spec's formats, or the usual ones that the device computes in."""
    formats = tuple(map(any_format_named, spec.formats or SENSITIVITY_FORMATS))
    if spec.formats:
        require_kernels(formats, device)
    return tuple(fmt for fmt in formats if not fmt.computes or fmt.name in device.native_formats)


@dataclass
class _Run:
    """The stages of one measurement."""

    _progress: Progress
    _loaded: LoadedModel
    _reference: CastModel
    _formats: tuple[AnyFormat, ...]
    _result: SensitivityResult
    _noise: Noise = field(default_factory=Noise)
    """What the reference draws at random in its forward."""

    def measured(self) -> SensitivityResult:
        """The result with the report, and the failure that ended it, if one did."""
        stage = f"Running the {self._result.spec.reference} reference"
        done: list[InFormat] = []
        try:
            observed = self._observed(stage)
            known = Known.of(self._loaded.module, (), self._loaded.labels)
            outputs = without_masked_classes(observed.output, observed.output, known=known)
            own = reference_warnings(self._reference, *self._inputs, outputs)
            self._result = self._result.model_copy(update={"warnings": (*own, *self._result.warnings)})
            stage = "Differentiating the reference"
            adjoint, reason = (
                self._adjoint(stage, observed) if not _has_nan(observed.outputs) else (None, NAN_REFERENCE)
            )
            for at, fmt in enumerate(self._formats):
                stage = f"Every layer in {fmt.name}"
                share = (1 - _PROBED) / len(self._formats)
                done.append(self._in_format(fmt, observed, adjoint, stage, _PROBED + at * share, share))
                report = report_of(self._reference, observed, adjoint, reason, done, self._precisions.flows)
                self._result = self._result.model_copy(update={"report": report})
                self._progress.partial(self._result)
        except (ForwardError, MemoryError, torch.OutOfMemoryError) as error:
            return self._result.model_copy(update={"failure": failure_of(error, stage)})
        scripted = _scripted_caveat(scripted_part(self._loaded.module))
        said = (
            *scripted,
            *_fused_caveat(self._loaded.module),
            *padding_text(self._loaded, "no error there is counted"),
            *_own_caveats(observed, done, self._result.spec),
            *_caveats(done),
        )
        return self._result.model_copy(update={"warnings": (*said, *self._result.warnings)})

    @cached_property
    def _precisions(self) -> Precisions:
        args, kwargs = self._inputs
        fmt = format_named(self._result.spec.reference)
        uncast = wide_inputs(self._result.spec, self._loaded)
        return Precisions(self._loaded.module, self._reference, fmt, args, kwargs, uncast)

    @property
    def _inputs(self) -> Structure:
        return self._loaded.args, dict(self._loaded.kwargs)

    def _observed(self, stage: str) -> Observed:
        self._progress.step(stage, _CAST)
        began = time.perf_counter()
        on_module = module_progress(self._progress, self._reference, stage=stage, start=_CAST, end=_RUN)
        work = time.process_time()
        with as_reference(self._result.spec.reference):
            self._reference(*self._inputs, on_module=on_module)
        work_s = (time.process_time() - work) / torch.get_num_threads()
        run = self._reference.prepared(*self._inputs)
        watched = layer_modules(run.module, self._precisions.reference_flow)
        calls = Counter[str]()

        def count(fqn: str, _inputs: Structure, output: object) -> None:
            if floating_tensors(output):
                calls[fqn] += 1

        warm = time.perf_counter()
        with (
            seeded(self._reference.device),
            self._noise.recorded(),
            hooked(watched, after=count),
        ):
            output = data_output(run(), self._loaded)
        outputs = output.magnitudes()
        seconds = time.perf_counter() - warm
        if not outputs:
            raise ForwardError("The model returns no floating-point numbers, so there is no error to measure.")
        if not finite_elements(outputs):
            raise ForwardError("The model's outputs hold no finite number, so there is no error to measure.")
        layers = layering.layers_of(self._reference.stored, calls, self._precisions.reference_flow)
        if not layers:
            raise ForwardError(_without_layers(scripted_part(self._loaded.module)))
        observed = Observed(layers=layers, output=output, seconds=seconds, work_s=work_s, began=began)
        return replace(observed, own_squared_error=self._own_squared_error(observed))

    def _adjoint(self, stage: str, observed: Observed) -> tuple[Adjoint | None, str]:
        """The probes; None and the reason where there are none."""

        def on_pass(done: float) -> None:
            self._progress.step(stage, _RUN + (_PROBED - _RUN) * done)

        try:
            names = [layer.fqn for layer in observed.layers]
            read = partial(self._read, for_gradients=True)
            return adjoint_of(self._reference, *self._inputs, layers=names, on_pass=on_pass, read=read), ""
        except NotDifferentiableError as error:
            return None, str(error)

    def _in_format(
        self, fmt: AnyFormat, observed: Observed, adjoint: Adjoint | None, stage: str, start: float, share: float
    ) -> InFormat:
        self._progress.step(stage, start)
        names = [layer.fqn for layer in observed.layers]
        is_exact = self._result.spec.exact
        sweeps = (is_exact or adjoint is None) + is_exact
        total = sum(layer.calls for layer in observed.layers) + sweeps * len(names) + 1
        done = 0

        def on_layer(fqn: str) -> None:
            nonlocal done
            done += 1
            self._progress.step(stage, start + share * min(done / total, 1.0), fqn)

        errors = LocalErrors(
            reference=self._reference,
            lowered=lowered_layers(self._precisions, names, fmt),
            crossed=crossed_layers(self._precisions, names, fmt),
            fmt=fmt,
            adjoint=adjoint,
            on_layer=on_layer,
        ).run(*self._inputs)

        def measured(lowered: Collection[str], of: str) -> float | None:
            on_layer(of)
            return self._squared_error(self._precisions.planned(dict.fromkeys(lowered, fmt)), observed)

        on_layer("")
        with Choices() as choices:
            whole = self._squared_error(replace(self._precisions.cast(fmt).model, fused=False), observed)
        doubted = [] if adjoint is None else _doubted(observed, errors, whole, self._before_other(choices.made))
        few = list(dict.fromkeys([*_uncertain(errors), *doubted]))[:RUNS]
        alone = names if is_exact or adjoint is None else few
        exact = {name: measured([name], name) for name in alone}
        all_but = (
            {name: measured([other for other in names if other != name], name) for name in names} if is_exact else {}
        )
        return InFormat(fmt=fmt, errors=errors, exact=exact, all_but=all_but, uniform=whole, doubted=frozenset(doubted))

    @cached_property
    def _choices(self) -> tuple[tuple[str, ...], list[Choice]]:
        """The layers in the order of their first calls, as they begin, and the choices that the reference makes."""
        run, called = self._reference.prepared(*self._inputs), dict[str, None]()
        watched = layer_modules(run.module, self._precisions.reference_flow)
        with (
            seeded(self._reference.device),
            self._noise.replayed(),
            hooked(watched, before=lambda fqn, _inputs: called.update({fqn: None}), after=lambda *_: None),
            Choices(called) as choices,
        ):
            run()
        return tuple(called), choices.made

    def _before_other(self, made: Sequence[Choice]) -> tuple[str, ...]:
        """The layers that were called before a choice that is another among those `made`."""
        called, choices = self._choices
        return called[: layers_before_other(choices, made)]

    def _squared_error(self, model: CastModel, observed: Observed) -> float | None:
        """Measured of the output of a model that draws what the reference drew."""
        with self._noise.replayed():
            return run_squared_error(model.prepared(*self._inputs), expected=observed.outputs, read=self._read)

    def _own_squared_error(self, observed: Observed) -> float | None:
        """Of the reference against float64; None where that is not run, as in a comparison."""
        if (
            self._result.spec.reference == "float64"
            or not self._noise.is_shared
            or too_costly(self._loaded.module, observed.work_s, limit_s=MAX_REFERENCE_S, what="", took="")
        ):
            return None
        try:
            exact = cast_reference(self._loaded.module, format_named("float64"), device=self._reference.device)
        except UnsupportedError:
            return None
        with self._noise.replayed(), suppress(ForwardError, MemoryError, torch.OutOfMemoryError):
            outputs = self._read(exact(*self._inputs))
            return mean_squared_error(outputs, observed.outputs) if self._noise.is_shared else None
        return None

    def _read(self, output: object, *, for_gradients: bool = False) -> tuple[Tensor, ...]:
        """The tensors whose errors count, as in a comparison: without padding.

        Those for gradients have the shapes that the model returned, with zeros in place of padding.
        """
        found = data_output(output, self._loaded, detached=not for_gradients)
        return found.magnitudes(padded=for_gradients)


def _doubted(
    observed: Observed, errors: Mapping[str, LocalError], whole: float | None, before_other: Collection[str]
) -> list[str]:
    """The layers whose predictions are not to be trusted, the largest first.

    `before_other` were called before a choice that the whole cast makes otherwise.
    """
    elements = max(finite_elements(observed.outputs), 1)
    predicted = {fqn: found.value / elements for fqn, error in errors.items() if (found := error.estimate())}
    calls = {layer.fqn: layer.calls for layer in observed.layers}
    unseen = {fqn for fqn, error in errors.items() if error.sizes.hides_values or error.sizes.is_lost}
    unseen |= {fqn for fqn, error in predicted.items() if error < (observed.own_squared_error or 0.0)}
    unseen |= {fqn for fqn, error in errors.items() if error.sizes.error_size and not predicted.get(fqn)}
    unseen.update(before_other)
    return doubtful(predicted, calls, unseen=unseen, mean_square=mean_square(observed.outputs), whole=whole)


def _without_layers(scripted: str | None) -> str:
    if scripted is None:
        why = "none of its modules ran and gave floating-point numbers"
    else:
        why = f"{scripted} is a TorchScript module, which is cast as a whole or not at all. Use the Python model"
    return f"This model has no layer that can be put in a format by itself: {why}."


def _scripted_caveat(scripted: str | None) -> tuple[str, ...]:
    said = "is a TorchScript module, which is no layer here: it stays in the reference's format."
    return () if scripted is None else (f"{scripted} {said}",)


def _fused_caveat(module: nn.Module) -> tuple[str, ...]:
    """That a comparison may run another kernel."""
    if not any(isinstance(each, nn.MultiheadAttention) for each in module.modules()):
        return ()
    return ("Attention modules of torch run their own code here, not the fused kernel that a comparison may run.",)


def _uncertain(errors: Mapping[str, LocalError]) -> list[str]:
    """The layers whose probes leave most of the whole cast's error uncertain, the worst first."""
    estimates = {fqn: estimate for fqn, error in errors.items() if (estimate := error.estimate())}
    whole = sum(estimate.value for estimate in estimates.values())
    spread = {fqn: estimate.standard_error or 0.0 for fqn, estimate in estimates.items()}
    worst = sorted(spread, key=lambda fqn: spread[fqn], reverse=True)[:_MEASURED]
    return [fqn for fqn in worst if spread[fqn] > _UNCERTAIN * whole]


def _own_caveats(observed: Observed, done: list[InFormat], spec: RunSpec) -> tuple[str, ...]:
    """That the reference is as far from float64 as the whole cast: then no error here is the format's."""
    own, limit = observed.own_squared_error, Yardsticks().own_error
    as_far = [each.fmt.name for each in done if own and each.uniform and own >= limit**2 * each.uniform]
    if not as_far or own is None:
        return ()
    return (
        f"The {spec.reference} reference is itself about as far from float64 (RMSE {number_text(math.sqrt(own))}) as "
        f"the whole model in {', '.join(as_far)} is from the reference: the errors here are not those of a format, and "
        "a plan cannot mend them.",
    )


def _caveats(done: list[InFormat]) -> tuple[str, ...]:
    """Layers that do not run in a format, each format with its first."""
    return tuple(
        f"{plain(fqn)} does not run in {each.fmt.name}: {error.failure}"
        for each in done
        for fqn, error in list(each.errors.items())
        if error.failure is not None and fqn == next(name for name, e in each.errors.items() if e.failure is not None)
    )
