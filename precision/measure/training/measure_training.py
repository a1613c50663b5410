"""One training step of a model in a 16-bit format, by every recipe, compared with float32."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import torch

from precision.errors import ForwardError, PrecisionError, UnsupportedError
from precision.findings.training import advice
from precision.measure.casting import methods as casting
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.castable import scripted_part
from precision.measure.models.loading import LoadedModel
from precision.measure.preparation import Task, failure_of, module_progress
from precision.measure.training.backward import Backward, Gradients, Trainee
from precision.measure.training.float64_step import OwnErrors, float32_own_errors
from precision.measure.training.gradients import counts_of, gradient_errors, merged
from precision.measure.training.loss import loss_for
from precision.measure.training.scaling import scaled_backward, unscaled_in_place
from precision.measure.training.steps import no_steps, optimizer_steps
from precision.progress import Progress
from precision.results.training import (
    RECIPES,
    OptimizerStep,
    ParameterGradient,
    TrainingRecipe,
    TrainingReport,
    TrainingResult,
    Way,
)
from precision.spec import CastMethod, RunSpec

FORMATS = ("float16", "bfloat16")
EVAL_MODE = "In eval mode: dropout is off and batch norms use their stored statistics, so that every pass is the same."
_METHODS = {"pure": CastMethod.TO, "autocast": CastMethod.AUTOCAST}
_LOADED, _FLOAT64, _REFERENCE = 0.05, 0.08, 0.15
"""Fractions of the whole at which the float32 step begins, the float64 step, and the first recipe."""
_HALF = (1 - _REFERENCE) / len(RECIPES) / 2
"""Of a recipe's part of the whole: gradients, then the optimizers' steps in the format, then those in float32."""


def measure_training(task: Task) -> TrainingResult:
    """Gradients and the first optimizer step of a model in the spec's format, against float32's.

    Same weights, same input, same loss (see `training.loss`), by every one of `RECIPES`. A recipe that fails says why
    in its own row. What is measured so far is handed on.

    Raises:
        UnsupportedError: another format, a device that does not compute in it, or a model that cannot be trained.
    """
    spec, progress = task.spec, task.progress
    _require(spec, task.device_info.native_formats)
    loaded = task.load()
    _require_trainable(loaded)
    reference = task.reference(loaded, "float32")
    candidate = casting.cast(loaded.module, spec.format, method=CastMethod.TO, device=task.device)
    head = task.head(loaded, candidate)
    result = TrainingResult(**{**dict(head), "warnings": (EVAL_MODE, *head.warnings)}, report=None)
    del candidate
    stage = "One training step in float32"
    try:
        progress.step(stage, _LOADED)
        run = _begin(spec, loaded, reference, progress, stage)
    except (ForwardError, MemoryError, torch.OutOfMemoryError) as error:
        return result.model_copy(update={"failure": failure_of(error, stage)})
    report = run.report()
    said = tuple(filter(None, (advice.reference_text(report), advice.left_out_warning(report))))
    result = result.model_copy(update={"warnings": (*said, *result.warnings)})
    for at, (way, scaled) in enumerate(RECIPES):
        recipe = run.recipe(way, scaled=scaled, start=_REFERENCE + 2 * _HALF * at)
        report = report.model_copy(update={"recipes": (*report.recipes, recipe)})
        result = result.model_copy(update={"report": report})
        progress.partial(result)
    return result


def _require(spec: RunSpec, native: tuple[str, ...]) -> None:
    if spec.dtype not in FORMATS:
        raise UnsupportedError(
            f"Training is measured in {' and '.join(FORMATS)}, in which a device computes gradients itself. A backward "
            f"pass in {spec.dtype} is not simulated: rounding between modules alone would show errors that no training "
            "run has."
        )
    if spec.dtype not in native:
        raise UnsupportedError(f"{spec.device} has no kernels for {spec.dtype}. It computes in: {', '.join(native)}.")


def _require_trainable(loaded: LoadedModel) -> None:
    if (name := scripted_part(loaded.module)) is not None:
        raise UnsupportedError(
            f"{name} is a TorchScript module, whose gradients cannot be observed. Use the Python model."
        )
    if not any(parameter.requires_grad for parameter in loaded.module.parameters()):
        held = "its parameters are all frozen" if any(True for _ in loaded.module.parameters()) else "no parameters"
        raise UnsupportedError(f"This model cannot be trained: {held}. Choose one with weights that need a gradient.")


def _begin(spec: RunSpec, loaded: LoadedModel, reference: CastModel, progress: Progress, stage: str) -> _Run:
    started = time.monotonic()
    on_module = module_progress(progress, reference, stage=stage, start=_LOADED, end=_FLOAT64)
    trainee = Trainee(model=reference, args=loaded.args, kwargs=loaded.kwargs, on_module=on_module)
    found = trainee.backward(partial(loss_for, labels=loaded.labels, seed=spec.seed))
    own = float32_own_errors(
        loaded,
        found,
        device=reference.device,
        float32_s=time.monotonic() - started,
        progress=progress,
        start=_FLOAT64,
        end=_REFERENCE,
    )
    return _Run(spec=spec, loaded=loaded, progress=progress, reference=trainee, backward=found, own=own)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Run:
    """The float32 step, and what is needed to make the same step in other ways."""

    spec: RunSpec
    loaded: LoadedModel
    progress: Progress
    reference: Trainee
    backward: Backward
    own: OwnErrors

    def report(self) -> TrainingReport:
        """What float32 alone tells."""
        counts = counts_of(self.backward.gradients)
        return TrainingReport(
            loss_words=self.backward.by.words,
            loss=self.backward.loss,
            parameters=tuple(
                ParameterGradient(
                    fqn=name,
                    shape=tuple(each.shape),
                    histogram=counts[name].result(),
                    float32_error=self.own.by_fqn.get(name),
                )
                for name, each in self.backward.gradients.items()
            ),
            float64_missing=self.own.missing,
            gradients=merged(counts.values()),
            without_gradient=tuple(name for name in self.reference.parameters if name not in counts),
            recipes=(),
            left_out=self.backward.by.left_out,
        )

    def recipe(self, way: Way, *, scaled: bool, start: float) -> TrainingRecipe:
        """One way to train, or why it fails; it takes the next part of the whole from `start`."""
        stage = f"One training step in {self.spec.dtype}, {way}{', with loss scaling' if scaled else ''}"
        self.progress.step(stage, start)
        try:
            trainee = self._trainee(way, stage, start)
            return self._scaled(trainee, way, stage, start) if scaled else self._unscaled(trainee, way, start)
        except (UnsupportedError, ForwardError, MemoryError, torch.OutOfMemoryError) as error:
            message = str(error) if isinstance(error, PrecisionError) else failure_of(error, stage).message
            return TrainingRecipe(
                way=way, scaled=scaled, loss=None, scales=(), made=None, overall=None, parameters=(), steps=(),
                failure=message,
            )  # fmt: skip

    def _trainee(self, way: Way, stage: str, start: float) -> Trainee:
        device = self.reference.model.device
        model = casting.cast(self.loaded.module, self.spec.format, method=_METHODS[way], device=device)
        on_module = module_progress(self.progress, model, stage=stage, start=start, end=start + _HALF)
        return Trainee(model=model, args=self.loaded.args, kwargs=self.loaded.kwargs, on_module=on_module)

    def _unscaled(self, trainee: Trainee, way: Way, start: float) -> TrainingRecipe:
        found = trainee.backward(lambda _: self.backward.by)
        recipe = _recipe(way, found.gradients, loss=found.loss, scales=())
        in_format = self._steps(trainee.parameters, found.gradients, start + _HALF) if way == "pure" else ()
        return self._with_steps(recipe, found.gradients, in_format, start)

    def _scaled(self, trainee: Trainee, way: Way, stage: str, start: float) -> TrainingRecipe:
        half = start + _HALF

        def on_attempt(skipped: int) -> None:
            self.progress.step(stage, half if skipped else start, f"{skipped} skipped" if skipped else "")

        found = scaled_backward(trainee, self.backward.by, on_attempt=on_attempt)
        recipe = _recipe(way, found.made, loss=found.loss, scales=found.scales)
        if found.unscaled is None:
            return recipe.model_copy(update={"failure": _no_scale(found.scales, found.loss)})
        in_format = self._scaled_in_format(trainee, found.made, found.scales[-1], half) if way == "pure" else ()
        return self._with_steps(recipe, found.unscaled, in_format, start)

    def _with_steps(
        self, recipe: TrainingRecipe, found: Gradients, in_format: Iterable[OptimizerStep], start: float
    ) -> TrainingRecipe:
        stage = partial(self.progress.step, "Comparing the gradients", start + _HALF)
        overall, rows = gradient_errors(self.backward.gradients, found, self.spec.format, on_parameter=stage)
        steps = (*in_format, *self._steps(self.reference.parameters, found, start + 1.5 * _HALF))
        return recipe.model_copy(update={"overall": overall, "parameters": rows, "steps": steps})

    def _scaled_in_format(self, trainee: Trainee, made: Gradients, scale: float, at: float) -> Iterator[OptimizerStep]:
        try:
            unscaled = unscaled_in_place(made, trainee.parameters, scale=scale)
        except (ValueError, RuntimeError) as error:
            refused = f"torch.amp.GradScaler refuses gradients of {self.spec.dtype} weights: {error}"
            return no_steps(self.spec.dtype, refused)
        return self._steps(trainee.parameters, unscaled, at)

    def _steps(
        self, weights: dict[str, torch.nn.Parameter], gradients: Gradients, at: float
    ) -> Iterator[OptimizerStep]:
        reference = self.reference.parameters

        def on_parameter(fqn: str, done: float) -> None:
            self.progress.step("The optimizer's step", at + done * _HALF / 2, fqn)

        return optimizer_steps(
            reference, self.backward.gradients, weights, gradients, fmt=self.spec.format, on_parameter=on_parameter
        )


def _recipe(way: Way, made: Gradients, *, loss: float, scales: tuple[float, ...]) -> TrainingRecipe:
    return TrainingRecipe(
        way=way,
        scaled=bool(scales),
        loss=loss,
        scales=scales,
        made=merged(counts_of(made).values()),
        overall=None,
        parameters=(),
        steps=(),
    )


def _no_scale(scales: tuple[float, ...], loss: float) -> str:
    if not math.isfinite(loss):
        return "The loss itself is infinite or NaN: no scale helps. The analysis of layers tries what does."
    return f"All {len(scales)} steps were skipped: gradients are infinite or NaN even at a scale of {scales[-1]:g}."
