"""What one training step in a format showed, in sentences. Needs no torch."""

from __future__ import annotations

from precision.results.training import OptimizerStep, TrainingRecipe, TrainingReport, Way
from precision.units import number_text, share_text

_ZERO_DIVISION = (
    "AdamW divides by zero: in float16 the squares of small gradients are zero, and so is its epsilon of 1e-8"
)
_WAYS = {"pure": "by pure casting", "autocast": "under autocast"}


def finding(report: TrainingReport, dtype: str) -> str:
    """The one sentence to take home: what becomes of the gradients without scaling, and with it."""
    ways: tuple[Way, ...] = ("pure", "autocast")
    plain = [recipe for way in ways if (recipe := report.recipe(way, scaled=False)) is not None]
    if not plain:
        return f"One training step in {dtype}"
    for recipe in plain:
        if recipe.overall is None:
            return f"{dtype} gives no gradients {_WAYS[recipe.way]}"
        if recipe.overall.nonfinite:
            counts = f"{recipe.overall.nonfinite:,} of {recipe.overall.elements:,}"
            return f"{counts} gradients become infinite or NaN in {dtype} {_WAYS[recipe.way]}"
    worst = max(plain, key=lambda recipe: recipe.overall.underflow_share or 0.0 if recipe.overall else 0.0)
    return _underflow(worst, report.recipe(worst.way, scaled=True), dtype)


def _underflow(plain: TrainingRecipe, scaled: TrainingRecipe | None, dtype: str) -> str:
    errors = plain.overall
    if errors is None or not errors.underflowed:
        error = "" if errors is None else f"; their relative error is {number_text(errors.normalized_l2)}"
        return f"{dtype} loses no gradient to underflow{error}"
    lost = f"{share_text(errors.underflow_share)} of the gradients become zero in {dtype} {_WAYS[plain.way]}"
    if scaled is None or scaled.overall is None:
        return lost
    left = scaled.overall.underflow_share
    return f"{lost}, {share_text(left) if left else 'none'} with the loss scaled by {number_text(scaled.scale)}"


def scaling_text(recipe: TrainingRecipe) -> str:
    """What the scaler did; empty without one, or where nothing ran."""
    if not recipe.scales:
        return ""
    tried = f"first {number_text(recipe.scales[0])}"
    if recipe.scale is None:
        return f"{tried}, {recipe.skipped} skipped, none made"
    if not recipe.skipped:
        return f"{number_text(recipe.scale)}, no step skipped"
    steps = "step" if recipe.skipped == 1 else "steps"
    return f"{tried}, halved to {number_text(recipe.scale)} after {recipe.skipped} skipped {steps}"


def step_text(step: OptimizerStep) -> str:
    """How many weights stayed where they were, and why; and why weights broke, where that is known."""
    if step.missing:
        return step.missing
    broken = _ZERO_DIVISION if step.nonfinite and (step.optimizer, step.weights) == ("AdamW", "float16") else ""
    return "; ".join(filter(None, (_unmoved(step), broken)))


def _unmoved(step: OptimizerStep) -> str:
    if not step.moved_reference:
        return "no weight moves in float32 either"
    if not step.unmoved:
        return "every weight moves that float32 moves"
    zero = step.unmoved - step.rounded_away
    reasons = (
        f"{step.rounded_away:,} by less than half a unit in the last place" if step.rounded_away else "",
        f"{zero:,} for want of a gradient" if zero else "",
    )
    return f"{share_text(step.unmoved_share)} of the weights do not move: {', '.join(filter(None, reasons))}"
