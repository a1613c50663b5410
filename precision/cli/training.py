"""One training step in a format beside float32's, as text for a terminal."""

from __future__ import annotations

from precision.cli.heading import heading, paragraphs, warnings_text
from precision.cli.tables import table_text
from precision.findings.training.advice import advice, finding
from precision.findings.training.steps import left_out_text, recipe_finding
from precision.findings.training.tables import parameters_table, recipes_table, steps_table
from precision.results.training import TrainingReport, TrainingResult
from precision.text.names import plain
from precision.text.units import number_text

_LEGEND = (
    "Steps: the first, with a learning rate of 0.001. Weights in: the format's are cast and updated in it; float32's "
    "are the model's own, updated by the gradients of their copy in the format. Largest, smallest: float32's gradients "
    "other than zero. L2 float32: its own error against the same step in float64; the others are against float32. "
    "Empty: a value is infinite or NaN, or nothing ran."
)


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
        table_text(recipes_table(report)),
        table_text(steps_table(report)),
        table_text(parameters_table(report)),
        _unused(report),
        _LEGEND,
    )


def _unused(report: TrainingReport) -> str:
    names = ", ".join(map(plain, report.without_gradient))
    return f"Without a gradient: {names}." if names else ""
