"""What one training step in a format showed, in sentences."""

import math
from collections.abc import Iterator

from precision.findings.training.judged import NOTABLE_SHARE, Lost, NamedErrors, judged, leaves_many, mostly_error
from precision.results.training import OptimizerStep, ParameterGradient, TrainingRecipe, TrainingReport
from precision.text.names import plain
from precision.text.units import count_text, fine_share_text, number_text, share_text


def error_text(error: float) -> str:
    """A normalized L2 error as a share of the gradient, or as a multiple of it.

    >>> error_text(0.00043), error_text(36.04), error_text(math.inf)
    ('0.043 %', '36 ×', '∞ ×')
    """
    return fine_share_text(error) if error < 1 else f"{_multiple(error)} ×"


def broken_text(step: OptimizerStep) -> str:
    """How many weights an optimizer makes infinite or NaN."""
    return f"{step.optimizer} makes {step.nonfinite:,} of {step.elements:,} {step.weights} weights infinite or NaN"


def still_text(step: OptimizerStep) -> str:
    """The share of weights that do not move, of those that the same step in float32 moves."""
    return f"{share_text(step.unmoved_share)} of the {step.weights} weights that float32 moves"


def wrong_text(wrong: list[NamedErrors], *, of: int) -> str:
    """Which gradients (at least one) are more error than value, out of `of` parameters."""
    worst, least = max(wrong, key=lambda row: row.size), min(wrong, key=lambda row: row.size)
    parameters = f"{len(wrong):,} of {count_text(of, 'parameter')}"
    if len(wrong) == 1:
        return f"{parameters} has a gradient off by {_multiple(worst.size)} × its size ({plain(worst.fqn)})"
    between = f"{_multiple(least.size)} to {_multiple(worst.size)} × their size"
    return f"{parameters} have gradients off by {between} (worst: {plain(worst.fqn)})"


def recipe_finding(report: TrainingReport, recipe: TrainingRecipe) -> str:
    """What happened to gradients and weights with one recipe, on one line."""
    if recipe.overall is None:
        return f"no gradients. {plain(recipe.failure, limit=None)}".rstrip(".").rstrip(".")
    return "; ".join((*_gradients(report, recipe), *_lost(report, recipe), *_updates(recipe)))


def own_error_text(parameter: ParameterGradient) -> str:
    """The remark on a gradient that is rounding error even in float32; empty for any other."""
    error = parameter.float32_error
    if error is None or not parameter.is_rounding:
        return ""
    how = "float64's is zero" if math.isinf(error) else f"off by {_multiple(error)} × float64's"
    return f"float32's own gradient is rounding error: {how}"


def left_out_text(report: TrainingReport) -> str:
    """Which parameters are left out of all findings, and why; empty without any."""
    if report.float64_missing:
        return f"It was not measured how much of float32's own gradients is rounding error. {report.float64_missing}"
    rounding = [parameter.fqn for parameter in report.parameters if parameter.is_rounding]
    if not rounding:
        return ""
    many = len(rounding) > 1
    return (
        f"{count_text(len(rounding), 'parameter')} ({plain(rounding[0])}{' and others' if many else ''}) "
        f"{'are' if many else 'is'} left out of all findings: compared with the same step in float64, "
        f"{'their' if many else 'its'} float32 gradient is mostly rounding error."
    )


def scaling_text(recipe: TrainingRecipe) -> str:
    """What the scaler did; empty without one, or where nothing ran."""
    if not recipe.scales:
        return ""
    tried = f"first {number_text(recipe.scales[0])}"
    if recipe.scale is None:
        return f"{tried}, {recipe.skipped} skipped, none made"
    if not recipe.skipped:
        return f"{number_text(recipe.scale)}, no step skipped"
    return f"{tried}, halved to {number_text(recipe.scale)} after {count_text(recipe.skipped, 'skipped step')}"


def step_text(step: OptimizerStep) -> str:
    """How many weights became infinite or NaN, how many of the others did not move, and why."""
    if step.missing:
        return step.missing
    return "; ".join(filter(None, (_broken(step), _unmoved(step))))


def _multiple(error: float) -> str:
    return number_text(float(f"{error:.2g}"))


def _gradients(report: TrainingReport, recipe: TrainingRecipe) -> Iterator[str]:
    errors, rows = recipe.overall, judged(report, recipe)
    if errors is None:
        return
    if errors.nonfinite:
        most = max(rows, key=lambda row: row.errors.nonfinite, default=None)
        where = f" (most: {plain(most.fqn)})" if most is not None and most.errors.nonfinite else ""
        yield f"{errors.nonfinite:,} of {errors.elements:,} gradients are infinite or NaN{where}"
    elif errors.normalized_l2 is not None:
        yield f"all gradients together are within {error_text(errors.normalized_l2)} of float32's"
    if wrong := mostly_error(rows):
        yield wrong_text(wrong, of=len(report.parameters))
    elif (worst := max(rows, key=_size_left, default=None)) is not None and _size_left(worst):
        yield f"the worst parameter is within {error_text(worst.size)} ({plain(worst.fqn)})"


def _size_left(row: NamedErrors) -> float:
    return 0.0 if row.vanished else row.size


def _lost(report: TrainingReport, recipe: TrainingRecipe) -> Iterator[str]:
    lost = Lost.of(judged(report, recipe))
    if not lost.nonzero:
        return
    before = report.recipe(recipe.way, scaled=False)
    unscaled = Lost.of(judged(report, before)).gradients if recipe.scaled and before is not None else 0
    saved = f", {unscaled:,} without scaling" if unscaled else ""
    if not lost.gradients:
        yield f"no gradient becomes zero{saved}"
        return
    few = f"{lost.gradients:,} of {lost.nonzero:,} gradients"
    many = f"{share_text(lost.share)} of the gradients"
    more = f" and of {len(lost.parameters) - 1:,} more" if len(lost.parameters) > 1 else ""
    whole = f", all of {plain(lost.parameters[0])}{more}" if lost.parameters else ""
    verb = "becomes" if lost.gradients == 1 else "become"
    yield f"{few if saved or lost.share < NOTABLE_SHARE else many} {verb} zero{whole}{saved}"


def _updates(recipe: TrainingRecipe) -> Iterator[str]:
    if recipe.overall is None or recipe.overall.nonfinite:  # the weights break with them
        return
    made = [step for step in recipe.steps if not step.missing]
    for step in made:
        if step.nonfinite:
            yield broken_text(step)
        if leaves_many(step):
            yield f"{step.optimizer} does not move {still_text(step)}"
    refused = dict.fromkeys(step.weights for step in recipe.steps if step.missing)
    if refused:
        yield f"GradScaler works with float32 weights, not with {' or '.join(refused)} ones"
    if made and not any(step.nonfinite or leaves_many(step) for step in made):
        still = max(step.unmoved for step in made)
        yield f"all weights that change in float32 change here too{f', except {still:,}' if still else ''}"


def _broken(step: OptimizerStep) -> str:
    if not step.nonfinite:
        return ""
    said = f"{step.nonfinite:,} of {count_text(step.elements, 'weight')} become infinite or NaN"
    if not step.divided_by_zero:
        return said
    count = "" if step.divided_by_zero == step.nonfinite else f"in {step.divided_by_zero:,} of them "
    return (
        f"{said}: {count}{step.optimizer} divides by zero, because in {step.weights} the average square of their "
        "gradient is zero, and so is its epsilon of 1e-8"
    )


def _unmoved(step: OptimizerStep) -> str:
    of = "of the others, " if step.nonfinite else ""
    if not step.moved_reference:
        return "" if step.nonfinite else "no weight moves in float32 either"
    if not step.unmoved:
        return f"{of}all {'' if of else 'weights '}that change in float32 change here too"
    zero = step.unmoved - step.rounded_away
    reasons = (
        f"{step.rounded_away:,} because the update is below half a unit in the last place" if step.rounded_away else "",
        f"{zero:,} because their gradient is zero" if zero else "",
    )
    said = f"{share_text(step.unmoved_share)} {'' if of else 'of the weights that float32 moves '}do not move"
    return f"{of}{said}: {', '.join(filter(None, reasons))}"
