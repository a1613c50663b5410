"""The most serious finding of one training step in a format, and how to train."""

from precision.findings.training.judged import Lost, is_unharmed, judged, leaves_many, mostly_error
from precision.findings.training.steps import broken_text, error_text, still_text, wrong_text
from precision.results.training import TrainingRecipe, TrainingReport
from precision.text.units import number_text, share_text


def finding(report: TrainingReport, dtype: str) -> str:
    """The most serious finding, in one sentence.

    In this order: infinite or NaN gradients of float32 itself; no gradients; infinite or NaN gradients; weights that
    become infinite or NaN in the first step; gradients that are more error than value; gradients that become zero;
    weights that do not move.
    """
    if not report.recipes:
        return f"one training step in {dtype}"
    if said := reference_text(report):
        return said
    for gravest in (_without_gradients, _infinite_or_nan, _without_a_scale, _breaking, _wrong, _vanishing, _still):
        if said := gravest(report, dtype):
            return said
    sizes = [recipe.overall.normalized_l2 or 0.0 for recipe in report.recipes if recipe.overall is not None]
    everywhere = ", by every way to train" if report.is_complete else ""
    return f"gradients in {dtype} are within {error_text(max(sizes))} of float32's{everywhere}"


def advice(report: TrainingReport, dtype: str) -> str:
    """How to train: with a recipe that came through unharmed, preferably autocast; empty where none has run.

    The float16 recipe with a scaled loss is preferred: scaling costs nothing, and gradients shrink during training.
    bfloat16 has the range of float32 and needs no scaling.
    """
    if not report.recipes:
        return ""
    if reference_text(report):
        return "Mend the model first: no way to train helps, and none is judged here."
    unharmed = [recipe for recipe in report.recipes if is_unharmed(report, recipe)]
    if not unharmed:
        return "Every way to train failed in this step, or harmed gradients or weights."
    best = min(unharmed, key=lambda each: (each.way != "autocast", each.scaled != (dtype == "float16")))
    scaled = "a scaled loss" if best.scaled else ""
    if best.way == "autocast":
        return f"Train under autocast{scaled and f' with {scaled}'}."
    return f"Train by pure casting with {scaled and f'{scaled} and '}a copy of the weights in float32."


def reference_text(report: TrainingReport) -> str:
    """That gradients are infinite or NaN in float32 itself, whatever the format; empty where they are finite."""
    if not report.reference_nonfinite:
        return ""
    loss = ", and so is the plain loss" if report.left_out else ""
    gradients = f"{report.reference_nonfinite:,} of {report.gradients.elements:,} gradients"
    return f"{gradients} are infinite or NaN in float32 itself{loss}"


def left_out_warning(report: TrainingReport) -> str:
    """That elements of the output are left out of the loss; empty where none is."""
    if not report.left_out:
        return ""
    return (
        f"{report.left_out:,} output elements are infinite or NaN in float32. They are left out of the loss here; in "
        "training, the loss would be infinite or NaN."
    )


def _named(recipe: TrainingRecipe, dtype: str) -> str:
    way = f"pure {dtype}" if recipe.way == "pure" else f"{dtype} autocast"
    return f"{way} with a scaled loss" if recipe.scaled else way


def _without_gradients(report: TrainingReport, dtype: str) -> str:
    failed = [recipe for recipe in report.recipes if recipe.overall is None]
    if len(failed) == len(report.recipes):
        return f"{dtype} gives no gradients"
    names = [_named(recipe, dtype) for recipe in failed if not recipe.scaled]
    return f"{names[0]} gives no gradients" if names else ""


def _infinite_or_nan(report: TrainingReport, dtype: str) -> str:
    broken = [recipe for recipe in report.recipes if recipe.overall is not None and recipe.overall.nonfinite]
    if not broken or (errors := broken[0].overall) is None:
        return ""
    said = f"{errors.nonfinite:,} of {errors.elements:,} gradients are infinite or NaN in {_named(broken[0], dtype)}"
    if (scaled := report.recipe(broken[0].way, scaled=True)) is not None and scaled.overall is None:
        return f"{said}, and scaling the loss does not help"
    return said + _with_scaling(report, broken[0], "none")


def _without_a_scale(report: TrainingReport, dtype: str) -> str:
    failed = [recipe for recipe in report.recipes if recipe.overall is None]
    return f"{_named(failed[0], dtype)} gives no gradients" if failed else ""


def _with_scaling(report: TrainingReport, recipe: TrainingRecipe, left: str) -> str:
    scaled = report.recipe(recipe.way, scaled=True)
    if recipe.scaled or scaled is None or scaled.scale is None:
        return ""
    return f", {left} with the loss scaled by {number_text(scaled.scale)}"


def _breaking(report: TrainingReport, dtype: str) -> str:
    steps = [(step, recipe) for recipe in report.recipes for step in recipe.steps if step.nonfinite]
    if not steps:
        return ""
    step, recipe = max(steps, key=lambda each: each[0].nonfinite)
    return f"{broken_text(step)} in the first step of {_named(recipe, dtype)}"


def _wrong(report: TrainingReport, dtype: str) -> str:
    found = {recipe: wrong for recipe in report.recipes if (wrong := mostly_error(judged(report, recipe)))}
    if not found:
        return ""
    recipe = max(found, key=lambda each: len(found[each]))
    return f"{wrong_text(found[recipe], of=len(report.parameters))} in {_named(recipe, dtype)}"


def _vanishing(report: TrainingReport, dtype: str) -> str:
    lost = {recipe: Lost.of(judged(report, recipe)) for recipe in report.recipes}
    notable = [recipe for recipe in report.recipes if lost[recipe].is_notable]
    if not notable:
        return ""
    worst = max(notable, key=lambda each: lost[each].share)
    scaled = report.recipe(worst.way, scaled=True)
    left = lost[scaled].share if scaled is not None else 0.0
    said = f"{share_text(lost[worst].share)} of the gradients become zero in {_named(worst, dtype)}"
    return said + _with_scaling(report, worst, share_text(left) if left else "none")


def _still(report: TrainingReport, dtype: str) -> str:
    steps = [(step, recipe) for recipe in report.recipes for step in recipe.steps if leaves_many(step)]
    if not steps:
        return ""
    step, recipe = max(steps, key=lambda each: each[0].unmoved_share or 0.0)
    return f"{step.optimizer} does not move {still_text(step)}, in the first step of {_named(recipe, dtype)}"
