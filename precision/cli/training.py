"""One training step in a format beside float32's, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from precision.cli.heading import heading, paragraphs, shape_text, warnings_text
from precision.cli.tables import columns
from precision.findings.training.advice import advice, finding
from precision.findings.training.steps import left_out_text, own_error_text, recipe_finding, scaling_text, step_text
from precision.results.training import GradientErrors, TrainingReport, TrainingResult
from precision.text.names import plain
from precision.text.units import number_text, share_text

_LEGEND = (
    "Steps: the first, with a learning rate of 0.001. Weights in: the format's are cast and updated in it; float32's "
    "are the model's own, updated by the gradients of their copy in the format. Largest, smallest: float32's gradients "
    "other than zero. Float32: L2: its own error against the same step in float64. L2, underflow: against float32. "
    "Empty: a value is infinite or NaN, or nothing ran."
)
_RECIPES = ["RECIPE", "LOSS", "UNDERFLOW", "INF/NAN", "NORMALIZED L2", "COSINE", "SCALE OF THE LOSS"]
_STEPS = ["RECIPE", "OPTIMIZER", "WEIGHTS IN", "INF/NAN", "UPDATE'S NORMALIZED L2", "REMARK"]


def training_text(result: TrainingResult) -> str:
    """What to take home, then a line for every recipe, optimizer and parameter, the worst parameter first."""
    report = result.report
    if report is None:
        return paragraphs(heading(result), warnings_text(*result.warnings), "No gradient was measured.")
    return paragraphs(
        heading(result),
        warnings_text(*result.warnings),
        f"Loss: {report.loss_words}; {number_text(report.loss)} in float32.",
        f"{finding(report, result.spec.dtype)}. {advice(report, result.spec.dtype)}".rstrip(),
        "\n".join(f"{recipe.label}: {recipe_finding(report, recipe)}" for recipe in report.recipes),
        left_out_text(report),
        columns([_RECIPES, *_recipe_rows(report)]),
        columns([_STEPS, *_step_rows(report)]),
        columns([_parameter_heading(report), *_parameter_rows(report)]),
        _unused(report),
        _LEGEND,
    )


def _recipe_rows(report: TrainingReport) -> Iterator[list[str]]:
    for recipe in report.recipes:
        loss, errors = "" if recipe.loss is None else number_text(recipe.loss), recipe.overall
        failure = plain(recipe.failure, limit=None) if recipe.failure else ""
        said = ". ".join(filter(None, (scaling_text(recipe), failure)))
        if errors is None:
            yield [recipe.label, loss, "", "", "", "", said]
            continue
        cosine = "" if errors.cosine_similarity is None else number_text(errors.cosine_similarity)
        yield [recipe.label, loss, *_errors(errors), cosine, said]


def _errors(errors: GradientErrors) -> list[str]:
    underflow = "" if errors.underflow_share is None else share_text(errors.underflow_share)
    error = "" if errors.normalized_l2 is None else number_text(errors.normalized_l2)
    return [underflow, f"{errors.nonfinite:,}", error]


def _step_rows(report: TrainingReport) -> Iterator[list[str]]:
    for recipe in report.recipes:
        for step in recipe.steps:
            error = "" if step.normalized_l2 is None else number_text(step.normalized_l2)
            nonfinite = "" if step.missing else f"{step.nonfinite:,}"
            yield [recipe.label, step.optimizer, step.weights, nonfinite, error, plain(step_text(step), limit=None)]


def _parameter_heading(report: TrainingReport) -> list[str]:
    measured = [recipe.label.upper() for recipe in report.recipes if recipe.parameters]
    errors = (f"{label}: L2, UNDERFLOW" for label in measured)
    return ["PARAMETER", "SHAPE", "LARGEST", "SMALLEST", "FLOAT32: L2", *errors, "REMARK"]


def _parameter_rows(report: TrainingReport) -> Iterator[list[str]]:
    for at in report.worst_first:
        parameter = report.parameters[at]
        ends = (parameter.histogram.largest, parameter.histogram.smallest, parameter.float32_error)
        errors = [recipe.parameters[at] for recipe in report.recipes if recipe.parameters]
        cells = [(cells[2], cells[0]) for cells in map(_errors, errors)]
        yield [
            plain(parameter.fqn, limit=None),
            shape_text(parameter.shape),
            *("" if end is None else number_text(end) for end in ends),
            *(", ".join(filter(None, pair)) for pair in cells),
            own_error_text(parameter),
        ]


def _unused(report: TrainingReport) -> str:
    names = ", ".join(map(plain, report.without_gradient))
    return f"Without a gradient: {names}." if names else ""
